//! `rootline redact FOLDER -o OUT`: a bundle that can be given away.

use super::output::{NewFolder, OTHER, PrivateFile, failed, keep_free};
use super::{Limited, Outcome, target};
use crate::encoding::hex;
use crate::error::{Error, ExitCode, Result};
use crate::ingest::{self, Walked};
use crate::redact::{Finding, Names, Redactor, Refused, Settings};
use clap::Args;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `redact`.
#[derive(Debug, Args)]
pub struct Redact {
    /// Folder of exports, or one file. It is never changed.
    folder: PathBuf,
    /// Folder (or file) to write; it must not exist.
    #[arg(short, long, value_name = "OUT", required_unless_present = "check")]
    output: Option<PathBuf>,
    /// Key of the tokens (any bytes): the same key gives the same tokens. Without it, a new one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Write which token stands for which value, for your eyes only; it must not exist.
    #[arg(long, value_name = "FILE", requires = "output")]
    map: Option<PathBuf>,
    /// Replace what matches this regular expression as well; repeatable.
    #[arg(long, value_name = "REGEX")]
    pattern: Vec<String>,
    /// Patterns of this site: `patterns = ["CUST-\\d+"]` in TOML.
    #[arg(long, value_name = "FILE")]
    patterns: Option<PathBuf>,
    /// Change nothing; list what looks private, and exit with 6 if anything does.
    #[arg(long, conflicts_with_all = ["output", "map"])]
    check: bool,
    #[command(flatten)]
    limits: Limited,
}

/// A site's file of patterns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Site {
    patterns: Vec<String>,
}

/// Shortest key that is taken, bytes: with less, tokens can be undone by trying all keys.
const KEY_MIN: usize = 16;
/// What a single file is called until it is finished.
const ONLY: &str = "file";
/// Length of a key that is made, bytes.
const KEY: usize = 32;

impl Redact {
    pub(super) fn run(&self) -> Result<Outcome> {
        let settings = self.settings()?;
        let mut redactor = Redactor::new(&settings)?;
        let found = ingest::files_of(&self.folder, settings.limits)?;
        match &self.output {
            Some(output) if !self.check => self.write(&mut redactor, &settings, &found, output),
            _ => self.look(&mut redactor, &found),
        }
    }

    fn settings(&self) -> Result<Settings> {
        let read = |path: &Path| {
            fs::read(path).map_err(|e| Error::usage(path.display().to_string(), e.to_string()))
        };
        let mut key = vec![0; KEY];
        match &self.key_file {
            Some(path) => {
                key = read(path)?;
                if key.len() < KEY_MIN {
                    let what = format!("a key has {KEY_MIN} bytes at least");
                    return Err(Error::usage(path.display().to_string(), what));
                }
            }
            None => getrandom::fill(&mut key)
                .map_err(|e| Error::runtime("", format!("no random key can be made: {e}")))?,
        }
        let mut patterns = self.pattern.clone();
        if let Some(path) = &self.patterns {
            let place = path.display().to_string();
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            let site: Site =
                toml::from_str(&text).map_err(|e| Error::usage(place, e.message().to_owned()))?;
            patterns.extend(site.patterns);
        }
        let limits = self.limits.limits();
        Ok(Settings { key, patterns, map: self.map.is_some(), limits, ..Settings::default() })
    }

    /// Writes the bundle: all of it, or nothing.
    fn write(
        &self,
        all: &mut Redactor,
        settings: &Settings,
        found: &Walked,
        output: &Path,
    ) -> Result<Outcome> {
        let place = output.display().to_string();
        keep_free(output, OTHER)?;
        let single = !self.folder.is_dir();
        if !single && target::inside(&self.folder, output).is_some() {
            let what = "the output lies inside the folder that is redacted";
            return Err(Error::usage(place, what));
        }
        let mut map = self.map.as_deref().map(|m| Map::new(m, &settings.key)).transpose()?;
        let folder = NewFolder::beside(output)?;
        let (mut stderr, mut written, mut names) = (String::new(), 0, Names::default());
        stderr.extend(found.passed.iter().map(|(name, why)| format!("{name}: left out: {why}\n")));
        for path in &found.files {
            let shown = &ingest::relative(&self.folder, path);
            let name = if single { ONLY.to_owned() } else { names.unique(&all.name(shown)) };
            match self.one(all, path, shown, (&folder, &name)) {
                Ok(said) => {
                    written += 1;
                    let lines = said.iter().map(|s| format!("{shown}: {s}\n"));
                    stderr.extend(lines);
                }
                Err(Refused::Unfit(what)) => {
                    // A part of it is there: it is not whole, so it goes.
                    let _ = folder.remove(&name);
                    stderr.push_str(&format!("{shown}: left out: {what}\n"));
                }
                Err(Refused::Write(e)) => return Err(failed(output, &e)),
            }
            if let Some(map) = &mut map {
                map.append(all)?;
            }
        }
        if written == 0 {
            let what = format!("none of {} files can be redacted\n{stderr}", found.files.len());
            return Err(Error::usage(self.folder.display().to_string(), what));
        }
        map.map_or(Ok(()), Map::keep)?;
        folder.keep(single.then_some(ONLY))?;
        let of = found.files.len();
        let mut stdout = format!("{written} of {of} files written to {place}\n");
        for (kind, count) in all.counts() {
            stdout.push_str(&format!("{count:>9}  {}\n", kind.word()));
        }
        Ok(Outcome { stdout, stderr, code: ExitCode::Analysed })
    }

    /// Redacts one file into a new one.
    fn one(
        &self,
        all: &mut Redactor,
        path: &Path,
        shown: &str,
        (folder, name): (&NewFolder, &str),
    ) -> std::result::Result<Vec<String>, Refused> {
        let from: Box<dyn Read + Send> = Box::new(self.open(path)?);
        let mut to = BufWriter::new(folder.create(name).map_err(Refused::Write)?);
        let said = all.stream(shown, from, &mut to)?;
        to.flush().map_err(Refused::Write)?;
        // Exports without times are of the time at which they were last modified.
        if let Ok(time) = fs::metadata(path).and_then(|m| m.modified()) {
            to.get_ref().set_modified(time).map_err(Refused::Write)?;
        }
        Ok(said)
    }

    /// Opens a file of the folder; what lies elsewhere was not asked for.
    fn open(&self, path: &Path) -> std::result::Result<File, Refused> {
        if ingest::leads_out(&self.folder, path) {
            return Err(Refused::Unfit("a link to a file outside of the folder".to_owned()));
        }
        File::open(path).map_err(|e| Refused::Unfit(format!("cannot be read: {e}")))
    }

    /// Lists what would be replaced.
    fn look(&self, all: &mut Redactor, found: &Walked) -> Result<Outcome> {
        let (mut stdout, mut stderr, mut total) = (String::new(), String::new(), 0);
        stderr.extend(found.passed.iter().map(|(name, why)| format!("{name}: left out: {why}\n")));
        for path in &found.files {
            let shown = &ingest::relative(&self.folder, path);
            let opened = self.open(path);
            let done = opened.and_then(|f| all.stream(shown, Box::new(f), &mut io::sink()));
            match done {
                Ok(_) => {}
                Err(Refused::Unfit(what)) => {
                    total += 1;
                    stdout.push_str(&format!("{shown}: cannot be checked: {what}\n"));
                }
                Err(Refused::Write(e)) => return Err(Error::runtime(shown, e.to_string())),
            }
            let (findings, found) = all.take_findings();
            total += found;
            for Finding { line, kind } in &findings {
                stdout.push_str(&format!("{shown}:{line}: {}\n", kind.word()));
            }
            if found > findings.len() as u64 {
                let more = found - findings.len() as u64;
                stderr.push_str(&format!("{shown}: {more} more\n"));
            }
            if all.name(shown) != *shown {
                total += 1;
                stdout.push_str(&format!("{shown}: the name of the file\n"));
            }
        }
        let code = if total > 0 { ExitCode::Private } else { ExitCode::Analysed };
        stdout.push_str(&format!("{total} places look private\n"));
        Ok(Outcome { stdout, stderr, code })
    }
}

/// The file that says which token stands for what: readable by its owner only.
struct Map(PrivateFile);

impl Map {
    fn new(path: &Path, key: &[u8]) -> Result<Map> {
        let mut file = PrivateFile::new(path)?;
        let key = hex(key.iter().copied());
        file.append(&format!("{}\n", serde_json::json!({ "key": key })))?;
        Ok(Map(file))
    }

    fn append(&mut self, all: &mut Redactor) -> Result<()> {
        for (kind, value, token) in all.take_map() {
            let value = value.trim_end_matches('\0');
            let row = serde_json::json!({ "token": token, "kind": kind.word(), "value": value });
            self.0.append(&format!("{row}\n"))?;
        }
        Ok(())
    }

    fn keep(self) -> Result<()> {
        self.0.keep()
    }
}
