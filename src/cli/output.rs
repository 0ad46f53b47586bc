//! Outputs that are there whole or not at all: written beside their place under a hidden name and
//! renamed. What is not finished goes when the run fails or is interrupted.

use crate::error::{Error, ExitCode, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{Builder, NamedTempFile, TempDir};

/// What the names of unfinished outputs begin with; hidden, so that no run reads them.
const PREFIX: &str = ".rootline-";

/// Outputs that are not finished. Whoever holds the lock creates or removes; an interrupt takes it and
/// does not give it back.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is unfinished when the user interrupts the run, and ends it with the code for that.
#[cfg(unix)]
pub(super) fn heed_interrupts() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // Without the handler an interrupt ends the run as well, only less tidily.
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
        return;
    };
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let all = unfinished();
            for path in all.iter() {
                // Nobody is left to tell that a rest could not be removed.
                let _ =
                    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
            signal_hook::low_level::exit(ExitCode::Interrupted as i32);
        }
    });
}

/// A file that grows over what the user is allowed (`ulimit -f`) is an error, as on a full disk: the
/// signal, which would end the run with its outputs begun, is taken and left.
#[cfg(unix)]
pub(super) fn heed_file_sizes() {
    let taken = std::sync::Arc::default();
    // Without the handler the run ends as well, only less tidily.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, taken);
}

/// There is no such signal.
#[cfg(not(unix))]
pub(super) fn heed_file_sizes() {}

/// Interrupts end the run by themselves.
#[cfg(not(unix))]
pub(super) fn heed_interrupts() {}

/// The folder in which an output lies.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is said of an output that could not be written.
pub(super) fn failed(path: &Path, e: &io::Error) -> Error {
    let place = path.display().to_string();
    match e.kind() {
        io::ErrorKind::StorageFull => Error::runtime(place, "the disk is full"),
        io::ErrorKind::FileTooLarge => Error::runtime(place, "larger than a file may be here")
            .hint("`ulimit -f` says how large"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::runtime(place, format!("cannot be written: {e}"))
                .hint("choose a folder in which you may write")
        }
        io::ErrorKind::NotFound if !folder_of(path).is_dir() => {
            Error::runtime(place, "its folder does not exist")
        }
        _ => Error::runtime(place, e.to_string()),
    }
}

/// A file that is not finished.
struct Part {
    file: NamedTempFile,
}

impl Part {
    fn beside(path: &Path, private: bool) -> io::Result<Part> {
        let mut builder = Builder::new();
        builder.prefix(PREFIX).suffix(".part");
        #[cfg(unix)]
        if !private {
            use std::os::unix::fs::PermissionsExt;
            // As any file: less what the user's mask takes away.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut all = unfinished();
        let file = builder.tempfile_in(folder_of(path))?;
        all.push(file.path().to_owned());
        Ok(Part { file })
    }

    /// Gives the file its name; an existing one is replaced only with `force`.
    fn keep(self, path: &Path, force: bool) -> io::Result<()> {
        let mut all = unfinished();
        let own = self.file.path().to_owned();
        let kept = match force {
            true => self.file.persist(path).map(drop),
            false => self.file.persist_noclobber(path).map(drop),
        };
        all.retain(|p| *p != own);
        kept.map_err(|e| e.error)
    }
}

/// What to do about a file that is in the way where nothing is ever overwritten.
pub(super) const OTHER: &str = "choose another name";

/// Refuses a file that exists, with what to do about it.
pub(super) fn keep_free(path: &Path, hint: &str) -> Result<()> {
    // A link that leads nowhere is something, too.
    if path.symlink_metadata().is_ok() {
        return Err(Error::usage(path.display().to_string(), "the file exists").hint(hint));
    }
    Ok(())
}

/// Refuses a file that exists unless `force` is given.
pub(super) fn keep_existing(path: &Path, force: bool) -> Result<()> {
    if force { Ok(()) } else { keep_free(path, "`--force` overwrites it") }
}

/// Writes a file whole or not at all; an existing one is kept unless `force` is given.
pub(super) fn write_file(path: &Path, text: impl AsRef<[u8]>, force: bool) -> Result<()> {
    write_files([(path, text)], force)
}

/// Writes files, all or none: they get their names when all of them are written.
pub(super) fn write_files<'a>(
    files: impl IntoIterator<Item = (&'a Path, impl AsRef<[u8]>)>,
    force: bool,
) -> Result<()> {
    let mut begun = Vec::new();
    for (path, text) in files {
        keep_existing(path, force)?;
        let part = begin(path, text.as_ref()).map_err(|e| failed(path, &e))?;
        begun.extend(part.map(|(part, target)| (path, part, target)));
    }
    let mut new = Vec::new();
    for (path, part, target) in begun {
        let is_new = !target.exists();
        if let Err(e) = part.keep(&target, force) {
            // What cannot be removed is told by the error that led here.
            new.iter().for_each(|path| drop(fs::remove_file(path)));
            return Err(failed(path, &e));
        }
        new.extend(is_new.then_some(target));
    }
    Ok(())
}

/// Makes folders for what is written into them; those that are new go again where it fails.
pub(super) fn in_folders<'a>(
    folders: impl IntoIterator<Item = &'a Path>,
    write: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut new = Vec::new();
    let made = folders.into_iter().try_for_each(|folder| make_folder(folder, &mut new));
    let done = made.and_then(|()| write());
    if done.is_err() {
        // What somebody else wrote into one in the meantime keeps it.
        new.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    done
}

/// Makes a folder and those above it, and notes the new ones.
fn make_folder(folder: &Path, new: &mut Vec<PathBuf>) -> Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.exists()).collect();
    for path in missing.into_iter().rev().filter(|f| !f.as_os_str().is_empty()) {
        match fs::create_dir(path) {
            Ok(()) => new.push(path.to_owned()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(e) => return Err(failed(path, &e)),
        }
    }
    Ok(())
}

/// Writes a text beside its place; gives the place too. `None` where there is nothing left to do.
fn begin(path: &Path, text: &[u8]) -> io::Result<Option<(Part, PathBuf)>> {
    let target = match fs::metadata(path) {
        // A device or a pipe is written to, not replaced.
        Ok(meta) if !meta.is_file() && !meta.is_dir() => {
            let open = File::options().write(true).open(path);
            return open.and_then(|mut f| f.write_all(text)).map(|()| None);
        }
        // A link stays, and what it leads to is replaced.
        Ok(_) => path.canonicalize()?,
        Err(_) => path.to_owned(),
    };
    let mut part = Part::beside(&target, false)?;
    part.file.write_all(text)?;
    part.file.flush()?;
    Ok(Some((part, target)))
}

/// A file for its owner's eyes only, that does not exist yet.
pub(super) struct PrivateFile {
    part: Part,
    path: PathBuf,
}

impl PrivateFile {
    /// Begins the file.
    pub(super) fn new(path: &Path) -> Result<PrivateFile> {
        keep_free(path, OTHER)?;
        let part = Part::beside(path, true).map_err(|e| failed(path, &e))?;
        Ok(PrivateFile { part, path: path.to_owned() })
    }

    /// Appends a text.
    pub(super) fn append(&mut self, text: &str) -> Result<()> {
        self.part.file.write_all(text.as_bytes()).map_err(|e| failed(&self.path, &e))
    }

    /// Gives the file its name.
    pub(super) fn keep(self) -> Result<()> {
        self.part.keep(&self.path, false).map_err(|e| failed(&self.path, &e))
    }
}

/// A folder that is not finished.
pub(super) struct NewFolder {
    folder: TempDir,
    path: PathBuf,
}

impl NewFolder {
    /// Begins a folder that is to become `path`.
    pub(super) fn beside(path: &Path) -> Result<NewFolder> {
        let mut all = unfinished();
        let folder = Builder::new().prefix(PREFIX).suffix(".part").tempdir_in(folder_of(path));
        let folder = folder.map_err(|e| failed(path, &e))?;
        all.push(folder.path().to_owned());
        Ok(NewFolder { folder, path: path.to_owned() })
    }

    /// Creates a file in it, below folders as need be.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let _held = unfinished();
        let target = self.folder.path().join(name);
        fs::create_dir_all(target.parent().unwrap_or(self.folder.path()))?;
        File::create_new(target)
    }

    /// Removes a file of it.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.path().join(name))
    }

    /// Gives the folder its name, or the file `only` in it.
    pub(super) fn keep(self, only: Option<&str>) -> Result<()> {
        let mut all = unfinished();
        let own = self.folder.path().to_owned();
        let from = only.map_or_else(|| own.clone(), |name| own.join(name));
        keep_free(&self.path, OTHER)?;
        let kept = open_to_all(&from).and_then(|()| fs::rename(&from, &self.path));
        all.retain(|p| *p != own);
        kept.map_err(|e| failed(&self.path, &e))
    }
}

/// Writes a folder of named files whole or not at all; an empty one that exists is taken.
pub(super) fn write_folder<'a>(
    path: &Path,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<()> {
    fs::create_dir_all(folder_of(path)).map_err(|e| failed(path, &e))?;
    let new = NewFolder::beside(path)?;
    for (name, bytes) in files {
        let written = new.create(name).and_then(|mut f| f.write_all(bytes));
        written.map_err(|e| failed(&path.join(name), &e))?;
    }
    // Fails where something is in it, and so does the renaming then.
    let _ = fs::remove_dir(path);
    new.keep(None)
}

/// A temporary folder is its owner's only; the finished one is a folder as any.
#[cfg(unix)]
fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if path.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn open_to_all(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Says whether a name in a folder is that of an unfinished output.
#[cfg(test)]
fn is_part(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = TempDir::new().expect("a scratch folder");
        let path = folder.path().join("a.txt");
        write_file(&path, "one", false).expect("written");
        assert!(write_file(&path, "two", false).is_err());
        assert_eq!(fs::read_to_string(&path).expect("there"), "one");
        write_file(&path, "two", true).expect("overwritten");
        assert_eq!(fs::read_to_string(&path).expect("there"), "two");
        assert!(write_file(&folder.path().join("no/such/a.txt"), "x", false).is_err());
        let left = fs::read_dir(folder.path()).expect("there").flatten();
        assert_eq!(left.filter(|e| is_part(&e.file_name())).count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_secret_is_its_owners() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = TempDir::new().expect("a scratch folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "one").expect("written");
        symlink(&real, &link).expect("linked");
        assert!(write_file(&link, "two", false).is_err());
        write_file(&link, "two", true).expect("written");
        assert!(link.symlink_metadata().expect("there").is_symlink());
        assert_eq!(fs::read_to_string(&real).expect("there"), "two");
        let secret = folder.path().join("map");
        let mut file = PrivateFile::new(&secret).expect("begun");
        file.append("x").and_then(|()| file.keep()).expect("written");
        let mode = secret.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_folder_is_there_at_the_end_only() {
        let folder = TempDir::new().expect("a scratch folder");
        let path = folder.path().join("out");
        let new = NewFolder::beside(&path).expect("begun");
        new.create("a/b.txt").and_then(|mut f| f.write_all(b"x")).expect("written");
        assert!(!path.exists());
        new.keep(None).expect("kept");
        assert_eq!(fs::read_to_string(path.join("a/b.txt")).expect("there"), "x");
        drop(NewFolder::beside(&folder.path().join("other")).expect("begun"));
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
    }

    #[test]
    fn all_files_are_written_or_none_and_new_folders_go() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (a, b) = (scratch.path().join("a.txt"), scratch.path().join("no/b.txt"));
        let both = [(a.as_path(), "one"), (b.as_path(), "two")];
        assert!(write_files(both, false).is_err());
        assert!(!a.exists(), "the first stayed");
        let (old, new) = (scratch.path().join("old"), scratch.path().join("new/er"));
        fs::create_dir(&old).expect("a folder");
        let folders = [old.as_path(), new.as_path()];
        let failing = in_folders(folders, || Err(Error::runtime("x", "the disk is full")));
        assert!(failing.is_err() && old.is_dir() && !scratch.path().join("new").exists());
        in_folders(folders, || write_file(&new.join("c"), "x", false)).expect("written");
        assert!(new.join("c").is_file());
    }
}
