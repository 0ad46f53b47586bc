//! Ten thousand mutated inputs over all fixtures: no panic, no hang, memory within the limit, exit
//! codes as documented. The inputs are run by the program itself under hard limits, many in a folder;
//! a folder that fails is run again file by file, so that the input is named.
//!
//! A longer campaign: `FUZZ_INPUTS=500000 FUZZ_SEED=7 cargo test --release --locked --test it -- \
//! fuzz --nocapture`, which prints a table of readers.

use super::mutate::{Dice, mutate};
use super::support::{Scratch, files, fixture, gunzip, name, program, root, watched};
use rayon::prelude::*;
use rootline::ingest::{Settings, read_folder, sql};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Inputs of a run of CI.
const INPUTS: usize = 10_000;
/// Files of one run of the program.
const BATCH: usize = 50;
/// Bytes of a fixture that are mutated: what stands behind them is more of the same.
const LARGEST: usize = 24 << 10;
/// Longest run of the program, for all files of a batch.
const HANG: Duration = Duration::from_secs(5);
/// Address space of a run, KiB: a gigabyte of memory, and as much for stacks and arenas.
const SPACE: u64 = 2 << 20;
/// Most memory in use, bytes.
const MEMORY: u64 = 1 << 30;

/// A fixture as it is mutated: unpacked, and cut.
struct Seed {
    name: String,
    reader: String,
    bytes: Vec<u8>,
}

fn env(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// Every fixture with its reader, and archives of some.
fn seeds() -> Vec<Seed> {
    let kinds = ["formats", "incidents", "healthy", "forests"];
    let all: Vec<PathBuf> = kinds.iter().flat_map(|k| files(&fixture(k))).collect();
    let mut out: Vec<Seed> = all.par_iter().filter_map(seed).collect();
    for (i, some) in all.chunks(40).enumerate().take(12) {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for path in some.iter().take(3) {
            let bytes = fs::read(path).expect("the fixture can be read");
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(name(path), options).expect("a member");
            let most = bytes.len().min(LARGEST);
            std::io::Write::write_all(&mut zip, &bytes[..most]).expect("memory can be written");
        }
        let bytes = zip.finish().expect("memory can be written").into_inner();
        out.push(Seed { name: format!("{i}.zip"), reader: "zip".to_owned(), bytes });
    }
    out
}

fn seed(path: &PathBuf) -> Option<Seed> {
    let name = name(path);
    if name == "truth.toml" || name.starts_with("expected.") {
        return None;
    }
    let stored = fs::read(path).expect("the fixture can be read");
    let raw = read_folder(path, &Settings::default()).ok();
    let reader = raw.map_or_else(|| "none".to_owned(), |r| r.files[0].reader.clone());
    let packed = stored.starts_with(&[0x1f, 0x8b]);
    // One packed file in eight stays packed, so that unpacking is tried as well.
    let stays = name.len().is_multiple_of(8);
    let (name, mut bytes) = match packed && !stays && !path.to_string_lossy().contains("broken") {
        true => (name.trim_end_matches(".gz").to_owned(), gunzip(&stored)),
        false => (name, stored),
    };
    let binary = bytes.starts_with(b"PAR1") || bytes.starts_with(&[0x1f, 0x8b]);
    if !binary {
        bytes.truncate(LARGEST);
    }
    Some(Seed { name, reader, bytes })
}

/// What a run of the program showed.
struct Ended {
    wrong: Option<String>,
    took: Duration,
    peak: u64,
}

/// Runs one command over a folder under hard limits.
fn run(command: &str, folder: &Scratch) -> Ended {
    let own = program(&[command, "--format", "json", &folder.arg()]);
    let limits = format!("ulimit -v {SPACE} && exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &limits]).arg(own.get_program()).args(own.get_args());
    shell.env("RAYON_NUM_THREADS", "2").stdin(Stdio::null()).stdout(Stdio::null());
    let said = folder.path().join(".err");
    shell.stderr(fs::File::create(&said).expect("can be written"));
    let start = Instant::now();
    let mut child = shell.spawn().expect("a shell starts");
    // On a busy machine a run waits for its turn; a hang has no end.
    let (ended, peak) = watched(&mut child, 4 * HANG);
    let took = start.elapsed();
    let said = String::from_utf8_lossy(&fs::read(&said).unwrap_or_default()).into_owned();
    let wrong = match ended {
        None => Some(format!("no end after {took:?}")),
        Some(_) if said.contains("panicked") => Some(said),
        Some(_) if peak > MEMORY => Some(format!("{} MiB", peak >> 20)),
        Some(e) if !matches!(e.code(), Some(0..=2)) => Some(format!("{e}: {said}")),
        Some(_) => None,
    };
    Ended { wrong, took, peak }
}

/// What was seen of one reader.
#[derive(Default)]
struct Tally {
    inputs: usize,
    bytes: usize,
    worst_peak: u64,
    worst_s_mb: f64,
    wrong: Vec<String>,
}

/// Mutates and runs a batch of one reader.
fn batch(seeds: &[&Seed], count: usize, number: usize, turn: usize) -> Tally {
    let folder = Scratch::new();
    let mut dice = Dice(number as u64 + 1);
    let mut tally = Tally { inputs: count, ..Tally::default() };
    let mut made = Vec::new();
    for i in 0..count {
        let seed = seeds[(turn * count + i) % seeds.len()];
        let bytes = mutate(&seed.bytes, &mut dice);
        tally.bytes += bytes.len();
        // Companions are known by their name: each stands in a folder of its own.
        made.push(folder.file(&format!("{i}/{}", seed.name), &bytes));
    }
    let command = ["inspect", "diagnose"][number % 2];
    let ended = run(command, &folder);
    tally.worst_peak = ended.peak;
    tally.worst_s_mb = ended.took.as_secs_f64() / (tally.bytes as f64 / 1e6).max(0.1);
    if let Some(what) = ended.wrong {
        tally.wrong = alone(command, &made);
        if tally.wrong.is_empty() {
            tally.wrong.push(format!("batch {number}, only together: {what}"));
        }
    }
    tally
}

/// Runs each file of a batch by itself; those that fail are kept in the build folder.
fn alone(command: &str, made: &[PathBuf]) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in made {
        let bytes = fs::read(path).expect("it was just written");
        let folder = Scratch::with(&[(&name(path), &bytes)]);
        if let Some(what) = run(command, &folder).wrong {
            let kept = format!("fuzz-{}-{}", wrong.len(), name(path));
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(kept);
            fs::write(&kept, &bytes).expect("the build folder can be written");
            let what: String = what.chars().take(300).collect();
            wrong.push(format!("{command} {}: {what}", kept.display()));
        }
    }
    wrong
}

#[cfg(target_os = "linux")]
#[test]
fn mutated_exports_of_every_reader_end_within_the_limits() {
    let all = seeds();
    let mut readers: BTreeMap<&str, Vec<&Seed>> = BTreeMap::new();
    for seed in &all {
        readers.entry(&seed.reader).or_default().push(seed);
    }
    assert!(readers.len() > 40, "only {} readers have fixtures", readers.len());
    let inputs = env("FUZZ_INPUTS", INPUTS);
    let offset = env("FUZZ_SEED", 0) * 1_000_000;
    // As many of each reader as it has fixtures, and none without.
    let share =
        |n: usize| ((inputs * n / all.len()).max(inputs / readers.len() / 2) / BATCH).max(1);
    let mut jobs: Vec<(&str, usize)> = Vec::new();
    for (reader, own) in &readers {
        jobs.extend((0..share(own.len())).map(|turn| (*reader, turn)));
    }
    let done: Vec<(&str, Tally)> = jobs
        .par_iter()
        .enumerate()
        .map(|(i, (reader, turn))| (*reader, batch(&readers[reader], BATCH, offset + i, *turn)))
        .collect();
    let mut table: BTreeMap<&str, Tally> = BTreeMap::new();
    for (reader, one) in done {
        let sum = table.entry(reader).or_default();
        sum.inputs += one.inputs;
        sum.bytes += one.bytes;
        sum.worst_peak = sum.worst_peak.max(one.worst_peak);
        sum.worst_s_mb = sum.worst_s_mb.max(one.worst_s_mb);
        sum.wrong.extend(one.wrong);
    }
    for (reader, t) in &table {
        println!(
            "{reader:<24} {:>8} inputs {:>7.1} MB  wrong {:>3}  {:>5} MiB  {:>6.2} s/MB",
            t.inputs,
            t.bytes as f64 / 1e6,
            t.wrong.len(),
            t.worst_peak >> 20,
            t.worst_s_mb
        );
    }
    let tried: usize = table.values().map(|t| t.inputs).sum();
    let wrong: Vec<&String> = table.values().flat_map(|t| &t.wrong).collect();
    assert!(tried >= inputs * 9 / 10, "only {tried} inputs");
    let shown: Vec<&str> = wrong.iter().map(|w| w.as_str()).collect();
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn mutated_signatures_parse_or_are_refused() {
    let all = files(&root().join("signatures"));
    let all: Vec<&PathBuf> = all.iter().filter(|p| name(p) != "signals.toml").collect();
    assert!(all.len() > 50, "signatures were not found");
    let turns = env("FUZZ_INPUTS", INPUTS) / 10;
    let wrong: Vec<String> = (0..turns)
        .into_par_iter()
        .filter_map(|turn| {
            let path = all[turn % all.len()];
            let whole = fs::read(path).expect("signatures can be read");
            let text = mutate(&whole, &mut Dice(turn as u64));
            let text = String::from_utf8_lossy(&text).into_owned();
            let parsed = catch_unwind(AssertUnwindSafe(|| {
                rootline::catalog::parse("a/b.toml", &text).map(drop)
            }));
            parsed.is_err().then(|| format!("{} turn {turn}", name(path)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mutated_statements_are_cut_without_loss() {
    const STATEMENTS: [&str; 6] = [
        "/* c */ SELECT a, 'x''y', E'\\'', $tag$ b $tag$, 1.5e3 FROM \"T\" WHERE b = $1 -- end",
        "INSERT INTO t (a, b) VALUES ('x', 2), ('y', 3) ON CONFLICT DO NOTHING",
        "UPDATE `t` SET a = 'z' WHERE id IN (1, 2, 3) AND c LIKE '%\\%' /* tail",
        "WITH q AS (SELECT 1) SELECT * FROM q WHERE d > now() - interval '5 min'",
        "SELECT $1, $$x$$, 'unfinished",
        "--\n/**/$a$",
    ];
    for turn in 0..env("FUZZ_INPUTS", INPUTS) {
        let whole = STATEMENTS[turn % STATEMENTS.len()];
        let text = mutate(whole.as_bytes(), &mut Dice(turn as u64));
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole: String = sql::stretches(&text).iter().map(|s| s.text).collect();
        assert_eq!(whole, text, "turn {turn}");
        let normal = sql::normalize(&text);
        assert!(normal.text.len() <= text.len() + 8, "turn {turn}: {}", normal.text);
    }
}
