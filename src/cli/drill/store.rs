//! Where progress is kept: a folder with one JSON file per session. Each is written whole or not at
//! all; one that is damaged is an error that names it, and is never overwritten.

use super::super::write_file;
use crate::drill::progress::Session;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest session that is read, bytes: real ones are a few thousand.
const BYTES_MAX: u64 = 4 << 20;
/// Sessions of one folder; numbers have four digits and more.
const ATTEMPTS: u32 = 100;

/// Sessions by number, and a line per file that could not be read.
pub type All = (Vec<(u32, Session)>, String);

/// The folder of sessions.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// `given`, else `xdg` (which must be absolute, as the XDG base directory specification says),
    /// else below `home`.
    ///
    /// # Errors
    ///
    /// When none of them is there.
    pub fn find(given: Option<&Path>, xdg: Option<&Path>, home: Option<&Path>) -> Result<Store> {
        let xdg = xdg.filter(|p| p.is_absolute()).map(|p| p.join("rootline"));
        let home = home.filter(|p| p.is_absolute()).map(|p| p.join(".local/state/rootline"));
        let base = given.map(Path::to_owned).or(xdg).or(home);
        let base = base.ok_or_else(|| {
            Error::usage(
                "",
                "there is no folder for progress: neither XDG_STATE_HOME nor HOME is set",
            )
            .hint("`--state-dir DIR` names one")
        })?;
        Ok(Store { folder: base.join("drills") })
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:04}.json"))
    }

    /// Numbers of the files that are there.
    fn numbers(&self) -> Result<Vec<u32>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(Error::runtime(self.folder.display().to_string(), e.to_string())),
        };
        let number = |e: fs::DirEntry| {
            e.file_name().to_string_lossy().strip_suffix(".json").and_then(|n| n.parse().ok())
        };
        let mut all: Vec<u32> = entries.flatten().filter_map(number).collect();
        all.sort_unstable();
        Ok(all)
    }

    fn read(&self, number: u32) -> Result<Session> {
        let path = self.path(number);
        let place = path.display().to_string();
        let fail = |what: String| {
            Error::runtime(place.clone(), what)
                .hint("the file is left as it is: repair it, or move it away")
        };
        let size = fs::metadata(&path).map_err(|e| fail(e.to_string()))?.len();
        if size > BYTES_MAX {
            return Err(fail(format!("{size} bytes are no session")));
        }
        let text = fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
        Session::parse(&text).map_err(|e| fail(format!("damaged progress: {e}")))
    }

    /// Every session that can be read; the others are named in the text.
    pub fn all(&self) -> Result<All> {
        let (mut found, mut damaged) = (Vec::new(), String::new());
        for number in self.numbers()? {
            match self.read(number) {
                Ok(s) => found.push((number, s)),
                Err(e) => damaged.push_str(&format!("error: {e}\n")),
            }
        }
        if !damaged.is_empty() {
            damaged
                .push_str("hint: the files are left as they are: repair them, or move them away\n");
        }
        Ok((found, damaged))
    }

    /// A session by number, or the last.
    pub fn session(&self, number: Option<u32>) -> Result<(u32, Session)> {
        let all = self.numbers()?;
        let Some(last) = all.last() else {
            return Err(Error::usage(self.folder.display().to_string(), "no drill was played yet")
                .hint("`rootline drill start ID` plays one"));
        };
        let number = number.unwrap_or(*last);
        if !all.contains(&number) {
            let what = format!("there is no session {number}");
            return Err(Error::usage("", what).hint("`rootline drill scores` shows them"));
        }
        Ok((number, self.read(number)?))
    }

    /// Keeps a new session under the next free number.
    pub fn add(&self, s: &Session) -> Result<u32> {
        let place = self.folder.display().to_string();
        let fail = |e: std::io::Error| Error::runtime(place.clone(), e.to_string());
        fs::create_dir_all(&self.folder).map_err(fail)?;
        let first = self.numbers()?.last().map_or(1, |n| n.saturating_add(1));
        let part = self.folder.join(format!("new.{}.rootline-part", std::process::id()));
        write_file(&part, s.to_json(), true)?;
        // A link is made only where no file is: another drill that starts now takes another number.
        let made = (first..first.saturating_add(ATTEMPTS)).find_map(|n| {
            match fs::hard_link(&part, self.path(n)) {
                Ok(()) => Some(Ok(n)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => None,
                Err(e) => Some(Err(e)),
            }
        });
        let made = match made {
            // File systems without links: whole or not at all, and never over another file.
            Some(Err(_)) => write_file(&self.path(first), s.to_json(), false).map(|()| first),
            Some(Ok(n)) => Ok(n),
            None => Err(Error::runtime(place.clone(), "no number for a session is free")),
        };
        // The part file is ours; what happened to the session matters more.
        let _ = fs::remove_file(&part);
        made
    }

    /// Replaces a session by its later self; one that is damaged stays.
    pub fn update(&self, number: u32, s: &Session) -> Result<()> {
        self.read(number)?;
        write_file(&self.path(number), s.to_json(), true)
    }
}
