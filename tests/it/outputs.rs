//! Outputs are there whole or not at all: what exists stays, a full disk and a place where nobody may
//! write are told, an interrupt leaves nothing behind.

use super::support::{Scratch, files, fixture, name, program, rootline};
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Every command that writes a file, with where its name goes.
fn writers(file: &str) -> Vec<Vec<String>> {
    let folder = fixture("incidents/pool-exhaustion").to_string_lossy().into_owned();
    let all: [&[&str]; 6] = [
        &["diagnose", &folder, "-o", file],
        &["report", &folder, "-o", file],
        &["timeline", &folder, "-o", file],
        &["graph", &folder, "-o", file],
        &["schema", "-o", file],
        &["redact", &folder, "-o", file],
    ];
    all.iter().map(|a| a.iter().map(|s| (*s).to_owned()).collect()).collect()
}

fn run(args: &[String]) -> super::support::Run {
    rootline(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn an_existing_file_stays_unless_it_is_forced() {
    let folder = Scratch::with(&[("a.md", b"mine")]);
    let file = folder.path().join("a.md").to_string_lossy().into_owned();
    for args in writers(&file) {
        let run = run(&args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(run.err.contains("exists"), "{args:?}: {}", run.err);
        assert_eq!(fs::read(&file).expect("there"), b"mine", "{args:?}");
    }
    let forced = rootline(&["schema", "-o", &file, "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_ne!(fs::read(&file).expect("there"), b"mine");
    assert_eq!(files(folder.path()).len(), 1, "something is left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_place_without_leave_are_told() {
    let full = rootline(&["schema", "-o", "/dev/full", "--force"]);
    assert_eq!(full.code, 1, "{}", full.err);
    assert!(full.err.contains("/dev/full: the disk is full"), "{}", full.err);
    assert!(fs::metadata("/dev/full").is_ok_and(|m| !m.is_file()), "a device was replaced");
    let shell = format!("\"{}\" schema > /dev/full", env!("CARGO_BIN_EXE_rootline"));
    let piped = Command::new("sh").args(["-c", &shell]).output().expect("a shell starts");
    assert_eq!(piped.status.code(), Some(1));
    // Nobody may create a file there, whoever runs the test.
    for args in writers("/proc/rootline.md") {
        let run = run(&args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.err);
        assert!(run.err.contains("/proc/rootline.md: "), "{args:?}: {}", run.err);
    }
    let scratch = Scratch::new();
    let first = scratch.path().join("a.json").to_string_lossy().into_owned();
    let folder = fixture("incidents/pool-exhaustion").to_string_lossy().into_owned();
    let two = rootline(&["diagnose", &folder, "-o", &first, "-o", "/proc/rootline.md"]);
    assert_eq!(two.code, 1, "{}", two.err);
    assert!(files(scratch.path()).is_empty(), "one of two outputs was written");
    let nowhere = rootline(&["schema", "-o", "no/such/folder/a.json"]);
    assert_eq!(nowhere.code, 1, "{}", nowhere.err);
    assert!(nowhere.err.contains("its folder does not exist"), "{}", nowhere.err);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = Scratch::new();
    let pipe = folder.path().join("pipe").to_string_lossy().into_owned();
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts");
    assert!(made.success());
    let out = folder.path().join("out").to_string_lossy().into_owned();
    let map = folder.path().join("map").to_string_lossy().into_owned();
    // The run waits for somebody to write into the pipe, with its outputs begun.
    let mut command = program(&["redact", &pipe, "-o", &out, "--map", &map]);
    let mut child = command.spawn().expect("the program starts");
    let begun = || files(folder.path()).iter().any(|p| name(p).starts_with(".rootline-"));
    let start = Instant::now();
    let entries = || fs::read_dir(folder.path()).expect("there").flatten().count();
    while entries() < 3 && start.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(5));
    }
    assert!(begun(), "nothing was begun");
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill starts");
    assert!(sent.success());
    let ended = child.wait().expect("the child is ours");
    assert_eq!(ended.code(), Some(130));
    let left: Vec<String> = fs::read_dir(folder.path())
        .expect("there")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["pipe"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_grows_over_what_is_allowed_is_told_and_goes() {
    let folder = Scratch::new();
    let limits = "ulimit -f 0 && exec \"$0\" \"$@\"";
    let (file, out) = (folder.path().join("out.md"), folder.path().join("out"));
    let mut all = writers(&file.to_string_lossy());
    let incident = fixture("incidents/pool-exhaustion").to_string_lossy().into_owned();
    all.push(["rollup".into(), incident, "-o".into(), out.to_string_lossy().into_owned()].into());
    for args in all {
        let program = env!("CARGO_BIN_EXE_rootline");
        let own = Command::new("sh").args(["-c", limits, program]).args(&args).output();
        let own = own.expect("a shell starts");
        let said = String::from_utf8_lossy(&own.stderr);
        assert_eq!(own.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("larger than a file may be here"), "{args:?}: {said}");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("there").flatten().collect();
        assert!(left.is_empty(), "{args:?}: {left:?}");
    }
}
