//! The files of an incident. In: a folder, or one file. Out: the paths of what is read, in the order of
//! their names, and what lies there but is not read, with the reason.

use super::Limits;
use crate::error::{Error, Result};
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

/// What lies in a folder.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files, and links to files.
    pub files: Vec<PathBuf>,
    /// Paths within the folder that are passed over, each with the reason.
    pub passed: Vec<(String, &'static str)>,
}

/// Names that are never an input: the truth of a fixture, and reports.
pub(super) fn is_aside(name: &str) -> bool {
    name.starts_with('.') || name == "truth.toml" || name.starts_with("expected.")
}

/// The files of a folder (or one file) that a run looks at.
///
/// # Errors
///
/// When the folder cannot be read, is empty, or holds more files than the limit.
pub fn files_of(root: &Path, limits: Limits) -> Result<Walked> {
    let walked = walk(root, limits)?;
    if walked.files.is_empty() {
        return Err(Error::usage(root.display().to_string(), "the folder has no files"));
    }
    Ok(walked)
}

pub(super) fn walk(root: &Path, limits: Limits) -> Result<Walked> {
    let place = || root.display().to_string();
    let meta = fs::metadata(root).map_err(|e| {
        let what = if e.kind() == std::io::ErrorKind::NotFound {
            "no such file or folder".to_owned()
        } else {
            e.to_string()
        };
        Error::usage(place(), what)
    })?;
    let mut walked = Walked::default();
    if !meta.is_dir() {
        walked.files.push(root.to_owned());
        return Ok(walked);
    }
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|e| Error::runtime(folder.display().to_string(), e.to_string()))?;
        for entry in entries {
            let entry =
                entry.map_err(|e| Error::runtime(folder.display().to_string(), e.to_string()))?;
            match () {
                () if is_aside(&entry.file_name().to_string_lossy()) => {}
                () if entry.file_type().is_ok_and(|t| t.is_dir()) => folders.push(entry.path()),
                () => match passed_over(&entry) {
                    None => walked.files.push(entry.path()),
                    Some(why) => walked.passed.push((relative(root, &entry.path()), why)),
                },
            }
        }
        if walked.files.len() as u64 > limits.files {
            let what = format!("more than {} files", limits.files);
            return Err(Error::usage(place(), what)
                .hint("point at one incident's folder, or allow more by `--limit files=N`"));
        }
    }
    walked.files.sort_by_key(|p| relative(root, p));
    walked.passed.sort();
    Ok(walked)
}

/// Why an entry that is no folder is not read. A link is followed to a file only: a loop of folders
/// cannot arise.
fn passed_over(entry: &DirEntry) -> Option<&'static str> {
    match fs::metadata(entry.path()) {
        Ok(to) if to.is_file() => None,
        Ok(to) if to.is_dir() => Some("a link to a folder: it is not followed"),
        Ok(_) => Some("no file: a pipe, a socket or a device"),
        Err(_) if entry.file_type().is_ok_and(|t| t.is_symlink()) => {
            Some("a link to nothing, or to itself")
        }
        Err(_) => Some("cannot be looked at"),
    }
}

/// Says whether a path is a link that leads out of a folder.
pub fn leads_out(root: &Path, path: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
    let within = || Some(path.canonicalize().ok()?.starts_with(root.canonicalize().ok()?));
    is_link && root.is_dir() && within() != Some(true)
}

/// Path within the folder with `/` between parts; the bare name for a single file.
pub fn relative(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).ok().filter(|p| !p.as_os_str().is_empty());
    let inner = inner.unwrap_or_else(|| Path::new(path.file_name().unwrap_or(path.as_os_str())));
    let parts: Vec<String> =
        inner.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    parts.join("/")
}
