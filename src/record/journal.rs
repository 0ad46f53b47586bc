//! The folder of a recording. In: what sources got and what they missed. Out: whole files and
//! `record.log`, from which a recording that was killed goes on without a part twice or lost.
//!
//! A part's file is written beside its place under a hidden name and renamed; only then is it noted as
//! done. A file that grows is cut back to its last noted length. So whenever the process dies, what
//! lies there is whole, and what is not noted is fetched again.

use super::secret::{Secret, redact};
use crate::error::{Error, Result};
use crate::ingest::recorded::{Entry, LOG, MAGIC, shown};
use crate::model::{Micros, Window};
use crate::time;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// What the log already says.
#[derive(Debug, Default)]
struct Known {
    request: Option<(String, Window, Micros)>,
    done: BTreeSet<String>,
    split: BTreeSet<String>,
    facts: BTreeMap<String, String>,
    sizes: BTreeMap<String, u64>,
    /// Parts that are missing.
    open: BTreeSet<String>,
    last: Option<Micros>,
    ended: bool,
    /// Bytes of the log that are whole lines.
    whole: u64,
}

impl Known {
    fn of(text: &str) -> Known {
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let mut known = Known { whole: whole as u64, ..Known::default() };
        for (at, entry) in text[..whole].lines().filter_map(Entry::parse) {
            known.last = Some(at);
            known.take(entry);
        }
        known
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Request { fingerprint, from, to, started } => {
                self.request = Some((fingerprint, Window { from, to }, started));
                self.ended = false;
            }
            Entry::Fact(name, value) => {
                self.facts.insert(name, value);
            }
            Entry::Done(part) => {
                self.open.remove(&part);
                self.done.insert(part);
            }
            Entry::Split(part) => {
                self.split.insert(part);
            }
            Entry::Gap(part, _) => {
                self.open.insert(part);
            }
            Entry::Size(file, bytes) => {
                self.sizes.insert(file, bytes);
            }
            Entry::End => self.ended = true,
            Entry::Note(..) => {}
        }
    }
}

/// The folder of a recording that is open for it alone.
pub struct Journal {
    folder: PathBuf,
    secrets: Vec<Secret>,
    say: fn(&str),
    state: Mutex<(File, Known)>,
}

/// What a recording is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Tells whether a folder's recording is this one; holds no secret.
    pub fingerprint: String,
    pub window: Window,
    pub started: Micros,
}

/// A recording that is open.
pub struct Opened {
    pub journal: Journal,
    /// The window and start of the first try.
    pub asked: Asked,
    /// Last line of a recording that goes on.
    pub resumed: Option<Micros>,
    /// It had ended and nothing is missing.
    pub complete: bool,
}

impl Journal {
    /// Opens a new or empty folder, or one of the same recording, for this process alone.
    ///
    /// # Errors
    ///
    /// When the folder holds something else or another recording, is being recorded into, or cannot
    /// be written.
    pub fn open(
        folder: &Path,
        asked: Asked,
        secrets: Vec<Secret>,
        say: fn(&str),
    ) -> Result<Opened> {
        let place = folder.display().to_string();
        let fail = |e: std::io::Error| Error::runtime(place.clone(), e.to_string());
        fs::create_dir_all(folder).map_err(fail)?;
        let path = folder.join(LOG);
        if !path.exists() && fs::read_dir(folder).map_err(fail)?.next().is_some() {
            let what = "the folder has files and is no recording";
            return Err(Error::usage(place, what).hint("give a new or empty folder"));
        }
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let mut log = options.open(&path).map_err(fail)?;
        if log.try_lock().is_err() {
            return Err(Error::usage(place, "another `rootline record` writes into this folder"));
        }
        let mut text = Vec::new();
        log.read_to_end(&mut text).map_err(fail)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        // An earlier try may have died while it wrote the first line.
        let torn = !text.contains('\n') && MAGIC.starts_with(&text);
        if !torn && text.lines().next() != Some(MAGIC) {
            return Err(Error::usage(path.display().to_string(), "not a log of `rootline record`"));
        }
        let known = Known::of(&text);
        let journal = |known| Journal {
            folder: folder.to_owned(),
            secrets,
            say,
            state: Mutex::new((log, known)),
        };
        match known.request.clone() {
            Some(before) => go_on(journal(known), &place, before, asked),
            None => {
                let journal = journal(Known::default());
                journal.begin(&asked)?;
                Ok(Opened { journal, asked, resumed: None, complete: false })
            }
        }
    }

    fn begin(&self, asked: &Asked) -> Result<()> {
        let mut state = self.lock();
        state.0.set_len(0).map_err(|e| self.fail(&e))?;
        writeln!(state.0, "{MAGIC}").map_err(|e| self.fail(&e))?;
        drop(state);
        self.request(asked)
    }

    fn request(&self, asked: &Asked) -> Result<()> {
        let Asked { fingerprint, window, started } = asked.clone();
        self.append(Entry::Request { fingerprint, from: window.from, to: window.to, started })
    }

    fn lock(&self) -> MutexGuard<'_, (File, Known)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn fail(&self, e: &std::io::Error) -> Error {
        Error::runtime(self.folder.display().to_string(), e.to_string())
    }

    fn append(&self, entry: Entry) -> Result<()> {
        let mut state = self.lock();
        let line = entry.line(super::now()) + "\n";
        // One write, so that a line is there or not.
        state.0.write_all(line.as_bytes()).map_err(|e| self.fail(&e))?;
        state.1.take(entry);
        Ok(())
    }

    /// Says whether a part is there.
    pub fn is_done(&self, part: &str) -> bool {
        self.lock().1.done.contains(part)
    }

    /// Says whether a part came, or is to come, in pieces.
    pub fn is_split(&self, part: &str) -> bool {
        self.lock().1.split.contains(part)
    }

    /// A fact that an earlier try noted.
    pub fn known(&self, name: &str) -> Option<String> {
        self.lock().1.facts.get(name).cloned()
    }

    /// How many parts are there, and how many are missing.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.1.done.len(), state.1.open.len())
    }

    /// Notes a fact that a resumed recording needs.
    pub fn fact(&self, name: &str, value: &str) -> Result<()> {
        self.append(Entry::Fact(name.to_owned(), value.to_owned()))
    }

    /// Notes something that the reader of the log may want to know, and says it.
    pub fn note(&self, part: &str, what: &str) -> Result<()> {
        let what = redact(what, &self.secrets);
        (self.say)(&format!("{part}: {what}"));
        self.append(Entry::Note(part.to_owned(), what))
    }

    /// Notes that a part is there.
    pub fn done(&self, part: &str) -> Result<()> {
        self.append(Entry::Done(part.to_owned()))
    }

    /// Notes that a part comes in pieces.
    pub fn split(&self, part: &str) -> Result<()> {
        self.append(Entry::Split(part.to_owned()))
    }

    /// Notes that a part is missing and why, and says it; the last word about a part counts.
    pub fn gap(&self, part: &str, what: &str) -> Result<()> {
        let what = redact(what, &self.secrets);
        (self.say)(&format!("missing: {}: {what}", shown(part)));
        self.append(Entry::Gap(part.to_owned(), what))
    }

    /// Ends the recording.
    pub fn end(&self) -> Result<()> {
        self.append(Entry::End)?;
        self.lock().0.sync_all().map_err(|e| self.fail(&e))
    }

    /// Writes a part's file whole, then notes the part as done.
    pub fn write(&self, part: &str, file: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(file)?;
        let hidden = path.with_file_name(format!(
            ".{}.part",
            path.file_name().unwrap_or_default().to_string_lossy()
        ));
        let written = File::create(&hidden).and_then(|mut f| {
            f.write_all(bytes)?;
            f.sync_all()?;
            fs::rename(&hidden, &path)
        });
        if let Err(e) = written {
            // The hidden file is ours; the first error matters more.
            let _ = fs::remove_file(&hidden);
            return Err(self.fail(&e));
        }
        self.done(part)
    }

    /// Opens a file that grows, cut back to what was noted of it; gives it with its length.
    pub fn grow(&self, file: &str) -> Result<Growing<'_>> {
        let path = self.path(file)?;
        let noted = self.lock().1.sizes.get(file).copied().unwrap_or(0);
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let opened = opened.and_then(|f| {
            let length = f.metadata()?.len().min(noted);
            f.set_len(length)?;
            Ok((f, length))
        });
        let (open, length) = opened.map_err(|e| self.fail(&e))?;
        if length < noted {
            self.gap(file, &format!("{} bytes that were recorded are gone", noted - length))?;
        }
        Ok(Growing { journal: self, name: file.to_owned(), file: open, length })
    }

    fn path(&self, file: &str) -> Result<PathBuf> {
        let path = self.folder.join(file);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|e| self.fail(&e))?;
        Ok(path)
    }
}

/// Goes on with what an earlier try left.
fn go_on(
    journal: Journal,
    place: &str,
    before: (String, Window, Micros),
    asked: Asked,
) -> Result<Opened> {
    let (fingerprint, window, started) = before;
    if fingerprint != asked.fingerprint {
        let what = format!("holds another recording: {fingerprint}");
        return Err(Error::usage(place, what).hint("give a new folder, or the same arguments"));
    }
    let (resumed, complete, whole) = {
        let state = journal.lock();
        (state.1.last, state.1.ended && state.1.open.is_empty(), state.1.whole)
    };
    journal.lock().0.set_len(whole).map_err(|e| journal.fail(&e))?;
    let asked = Asked { fingerprint, window, started };
    if !complete {
        journal.request(&asked)?;
        let since = time::rfc3339(resumed.unwrap_or(started));
        journal.note("record", &format!("goes on; the last try wrote until {since}"))?;
    }
    Ok(Opened { journal, asked, resumed, complete })
}

/// A file that gets longer by whole pieces.
pub struct Growing<'a> {
    journal: &'a Journal,
    name: String,
    file: File,
    length: u64,
}

impl Growing<'_> {
    /// Says whether nothing is in it yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a piece and notes the new length.
    pub fn add(&mut self, piece: &[u8]) -> Result<()> {
        self.file.write_all(piece).map_err(|e| self.journal.fail(&e))?;
        self.length += piece.len() as u64;
        self.journal.append(Entry::Size(self.name.clone(), self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let window = Window { from: 1_764_172_800_000_000, to: 1_764_174_600_000_000 };
        Asked { fingerprint: "a http://h".to_owned(), window, started: window.to }
    }

    fn open(folder: &Path) -> Result<Opened> {
        Journal::open(folder, asked(), vec![Secret::new("hunter2")], |_| {})
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("there").flatten();
        let mut all: Vec<_> =
            entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_done_is_known_after_a_restart_and_torn_tails_are_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = open(folder.path()).expect("new");
        first.journal.write("p/a", "p/a.json", b"{}").expect("written");
        first.journal.gap("p/b", "503").expect("noted");
        let mut growing = first.journal.grow("s.csv").expect("opened");
        growing.add(b"head\n1\n").expect("added");
        drop(growing);
        drop(first);
        // The process died in the middle of a snapshot and of a line.
        let append = |name: &str, text: &str| {
            let file = OpenOptions::new().append(true).open(folder.path().join(name));
            file.expect("there").write_all(text.as_bytes()).expect("written");
        };
        append("s.csv", "2,torn");
        append(LOG, "2025-11-26T16:00:0");
        let later = Asked { started: 0, window: Window { from: 0, to: 1 }, ..asked() };
        let again = Journal::open(folder.path(), later, vec![], |_| {}).expect("goes on");
        assert_eq!(again.asked, asked(), "the first window holds");
        assert!(again.resumed.is_some() && !again.complete);
        assert!(again.journal.is_done("p/a") && !again.journal.is_done("p/b"));
        let mut growing = again.journal.grow("s.csv").expect("opened");
        assert!(!growing.is_empty());
        growing.add(b"2\n").expect("added");
        let text = fs::read_to_string(folder.path().join("s.csv")).expect("there");
        assert_eq!(text, "head\n1\n2\n");
        again.journal.done("p/b").expect("noted");
        again.journal.end().expect("ended");
        drop(growing);
        drop(again);
        assert!(open(folder.path()).expect("opened").complete);
        let log = fs::read_to_string(folder.path().join(LOG)).expect("there");
        assert!(log.lines().skip(1).all(|l| Entry::parse(l).is_some()), "{log}");
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("mine.txt"), "x").expect("written");
        let why = open(folder.path()).err().expect("refused");
        assert!(why.what.contains("no recording") && why.hint.is_some());
        assert_eq!(files(folder.path()), ["mine.txt"]);
        let folder = tempfile::tempdir().expect("a folder");
        for kept in ["kept\n", "\nkept", "\n", "# rootline record 12\n"] {
            fs::write(folder.path().join(LOG), kept).expect("written");
            assert!(open(folder.path()).err().expect("refused").what.contains("not a log"));
            assert_eq!(fs::read_to_string(folder.path().join(LOG)).expect("there"), kept);
        }
        fs::write(folder.path().join(LOG), &MAGIC[..9]).expect("written");
        assert!(open(folder.path()).is_ok(), "a first line that was torn");
    }

    #[test]
    fn two_recordings_do_not_share_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = open(folder.path()).expect("new");
        assert!(open(folder.path()).err().expect("refused").what.contains("another"));
        drop(first);
        let other = Asked { fingerprint: "b".to_owned(), ..asked() };
        let why = Journal::open(folder.path(), other, vec![], |_| {}).err().expect("refused");
        assert!(why.what.contains("another recording: a http://h"), "{why}");
    }

    #[test]
    fn secrets_do_not_reach_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(folder.path()).expect("new");
        opened.journal.gap("p", "hunter2 at http://joe:pw@h/").expect("noted");
        opened.journal.note("p", "hunter2").expect("noted");
        let log = fs::read_to_string(folder.path().join(LOG)).expect("there");
        assert!(!log.contains("hunter2") && !log.contains("joe"), "{log}");
    }

    #[test]
    fn a_part_that_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(folder.path()).expect("new");
        fs::create_dir(folder.path().join("a.json")).expect("made");
        assert!(opened.journal.write("a", "a.json", b"{}").is_err());
        assert_eq!(files(folder.path()), ["a.json", LOG]);
        assert!(!opened.journal.is_done("a"));
    }
}
