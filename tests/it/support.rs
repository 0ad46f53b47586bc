//! What all areas share: paths, runs of the program, scratch folders. Asserts nothing but that the
//! program could be started.

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

/// The bytes of a file below `fixtures/`.
pub fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Folders directly below `fixtures/<kind>`, sorted.
pub fn folders(kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture(kind)).expect("the folder of fixtures is there");
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    found.sort();
    found
}

/// All files below a folder, sorted by path.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        match entry.path() {
            p if p.is_dir() => found.extend(files(&p)),
            p => found.push(p),
        }
    }
    found.sort();
    found
}

/// Last part of a path.
pub fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What a run of the program left behind.
pub struct Run {
    /// Exit code; `-1` when a signal ended it.
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}\n{}", self.out, self.err))
    }
}

/// The program, to be started in the repository with a clean environment.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rootline"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for name in ["NO_COLOR", "COLUMNS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm");
    command
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Run {
    let output = command.output().expect("the program starts");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// Runs the program.
pub fn rootline(args: &[&str]) -> Run {
    finish(&mut program(args))
}

/// Diagnoses a folder as JSON; it must be analysed.
pub fn diagnosed(folder: &Path) -> Value {
    let run = rootline(&["diagnose", "--format", "json", &folder.to_string_lossy()]);
    assert_eq!(run.code, 0, "{}: {}", folder.display(), run.err);
    run.json()
}

/// The text of a JSON value; empty for anything else.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a JSON array; none for anything else.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A folder of its own, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty folder.
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("it-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the build folder can be written");
        Scratch(path)
    }

    /// Makes a folder with these files.
    pub fn with(files: &[(&str, &[u8])]) -> Scratch {
        let scratch = Scratch::new();
        for (name, bytes) in files {
            scratch.file(name, bytes);
        }
        scratch
    }

    /// Copies a folder, without paths for which `skip` holds.
    pub fn copy(folder: &Path, skip: impl Fn(&str) -> bool) -> Scratch {
        let scratch = Scratch::new();
        for file in files(folder) {
            let inner = file.strip_prefix(folder).expect("found below it").to_string_lossy();
            if !skip(&inner) {
                scratch.file(&inner, &fs::read(&file).expect("the fixture can be read"));
            }
        }
        scratch
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).expect("the scratch folder can be written");
        fs::write(&path, bytes).expect("the scratch folder can be written");
        path
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder as an argument.
    pub fn arg(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the build folder, where it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Inflates a gzip file.
pub fn gunzip(stored: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(stored), &mut out)
        .expect("the fixture is whole");
    out
}

/// Deflates to a gzip file.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(plain).and_then(|()| out.finish()).expect("memory can be written")
}

/// Waits for a child's end and reads its highest resident memory meanwhile, bytes. One that takes
/// longer than `patience` is killed; it has no end then.
pub fn watched(child: &mut Child, patience: Duration) -> (Option<ExitStatus>, u64) {
    let status = format!("/proc/{}/status", child.id());
    let (start, mut peak) = (Instant::now(), 0);
    loop {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let line = now.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if let Some(ended) = child.try_wait().expect("the child is ours") {
            return (Some(ended), peak);
        }
        if start.elapsed() > patience {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            return (None, peak);
        }
        sleep(Duration::from_millis(2));
    }
}

/// The JSON documents that a text is made of; `None` where it is something else.
pub fn documents(text: &str) -> Option<Vec<Value>> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents.collect::<Result<Vec<_>, _>>().ok()
}

/// The delimiter and the records of a text that is a table: as many cells in each row, and more than
/// one.
pub fn table(text: &str) -> Option<(u8, Vec<csv::StringRecord>)> {
    (*b",\t;").into_iter().find_map(|delimiter| {
        let mut builder = csv::ReaderBuilder::new();
        let reader = builder.delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
        let records: Vec<_> = reader.into_records().collect::<Result<_, _>>().ok()?;
        records.first().is_some_and(|first| first.len() > 1).then_some((delimiter, records))
    })
}
