//! Ten thousand mutated inputs over all fixtures: no panic, no hang, memory within the limit. This
//! program starts itself under hard limits and runs one input after the other; one that crashes or
//! hangs is named, kept, and the rest goes on. A few runs of the program itself show its exit codes.
//!
//! A longer campaign: `FUZZ_INPUTS=500000 FUZZ_SEED=7 cargo test --release --locked --test it -- \
//! fuzz --nocapture`, which prints a table of readers. Times are of the processor: on a busy machine
//! wall time is noise.

use super::mutate::{Dice, mutate};
use super::support::{Scratch, files, fixture, gunzip, name, root, rootline};
use rayon::prelude::*;
use rootline::catalog::Catalog;
use rootline::ingest::{Settings, read_folder, sql};
use rootline::report::{self, Style};
use rootline::{Options, diagnose_with, inspect};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Inputs of a run of CI.
const INPUTS: usize = 10_000;
/// Processor time of a run of CI: a minute of two cores.
const BUDGET: Duration = Duration::from_secs(60 * PARTS as u64);
/// Bytes of a fixture that are mutated: what stands behind them is more of the same.
const LARGEST: usize = 8 << 10;
/// Longest run of one input, of its own processor time.
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

impl Seed {
    /// Reads what the campaign kept: a line of its index is the reader and the name.
    fn kept(folder: &Path, number: usize, line: &str) -> Seed {
        let (reader, name) = line.split_once('\t').expect("a reader and a name");
        let bytes = fs::read(folder.join(number.to_string())).expect("a seed");
        Seed { name: name.to_owned(), reader: reader.to_owned(), bytes }
    }
}

/// Every fixture with its reader, and archives of some.
static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(seeds);

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

/// One input of a campaign: which seed, and the dice that change it.
fn input(seeds: &[Seed], jobs: &[usize], number: usize, offset: usize) -> (usize, Vec<u8>) {
    let seed = jobs[number];
    (seed, mutate(&seeds[seed].bytes, &mut Dice((offset + number) as u64 + 1)))
}

/// The seeds of a campaign in their turn: as many of each reader as it has fixtures, and none
/// without.
fn jobs(seeds: &[Seed], inputs: usize) -> Vec<usize> {
    let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, seed) in seeds.iter().enumerate() {
        readers.entry(&seed.reader).or_default().push(i);
    }
    assert!(readers.len() > 40, "only {} readers have fixtures", readers.len());
    let least = inputs / readers.len() / 4;
    let share = |n: usize| (inputs * n / seeds.len()).max(least).max(1);
    let of = |own: &Vec<usize>| own.iter().copied().cycle().take(share(own.len())).collect();
    readers.values().flat_map(|own| -> Vec<usize> { of(own) }).collect()
}

/// Where the parts of a campaign find its seeds, and what they are to do.
const WORK: &str = "ROOTLINE_FUZZ_WORK";

/// A part of a campaign, in a process of its own under hard limits: started by the campaign, and
/// nothing by itself. It diagnoses or inspects one input after the other and writes down each.
#[test]
#[ignore = "a part of the campaign, which starts it"]
fn part_of_a_campaign() {
    let Ok(work) = std::env::var(WORK) else { return };
    let work: Value = serde_json::from_str(&work).expect("written by the campaign");
    let number = |name: &str| work[name].as_u64().expect("a number") as usize;
    let folder = PathBuf::from(work["folder"].as_str().expect("a path"));
    let index = fs::read_to_string(folder.join("index")).expect("the index");
    let seeds: Vec<Seed> =
        index.lines().enumerate().map(|(i, l)| Seed::kept(&folder, i, l)).collect();
    let jobs = jobs(&seeds, number("inputs"));
    let said = folder.join(format!("said-{}", number("part")));
    let mut said = fs::OpenOptions::new().append(true).create(true).open(said).expect("a log");
    let catalog = Catalog::built_in().expect("the catalogue is sound");
    for i in (number("from")..jobs.len()).step_by(number("parts")) {
        let (seed, bytes) = input(&seeds, &jobs, i, number("offset"));
        let own = Scratch::with(&[(&seeds[seed].name, &bytes)]);
        writeln!(said, "> {i}").expect("the log can be written");
        // Peak memory counts from here on.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let start = processor_time();
        let whole = catch_unwind(AssertUnwindSafe(|| tried(own.path(), &catalog, i)));
        let (took, peak) = (processor_time().saturating_sub(start).as_micros(), high_water());
        let verdict = if whole.is_ok() { "ended" } else { "panicked" };
        writeln!(said, "< {i} {took} {peak} {} {verdict}", bytes.len()).expect("the log");
    }
}

/// One input through everything that a user would put it through.
fn tried(folder: &Path, catalog: &Catalog, turn: usize) {
    let options = Options::default();
    let style = Style::default();
    match turn % 4 {
        0 => drop(inspect(folder, &options).map(|i| report::inspection(&i, &style))),
        _ => drop(diagnose_with(folder, catalog, &options).map(|d| {
            let page = report::html_report(&d);
            (report::text(&d, &style), report::json(&d), page)
        })),
    }
}

/// Processor time of this process's threads so far. The kernel counts nanoseconds of each.
fn processor_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = threads.filter_map(|t| {
        let said = fs::read_to_string(t.path().join("schedstat")).ok()?;
        said.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

fn high_water() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

/// What was seen of one reader.
#[derive(Default)]
struct Tally {
    inputs: usize,
    bytes: usize,
    took: Duration,
    worst_peak: u64,
    worst: Duration,
    /// The number of the input that took longest.
    slowest: usize,
    worst_s_mb: f64,
    wrong: Vec<String>,
}

/// A campaign in several processes.
struct Campaign {
    seeds: &'static [Seed],
    jobs: Vec<usize>,
    inputs: usize,
    offset: usize,
    folder: Scratch,
}

impl Campaign {
    fn new(inputs: usize, offset: usize) -> Campaign {
        let (seeds, folder) = (SEEDS.as_slice(), Scratch::new());
        let index: String = seeds.iter().map(|s| format!("{}\t{}\n", s.reader, s.name)).collect();
        folder.file("index", index.as_bytes());
        for (i, seed) in seeds.iter().enumerate() {
            folder.file(&i.to_string(), &seed.bytes);
        }
        let jobs = jobs(seeds, inputs);
        Campaign { seeds, jobs, inputs, offset, folder }
    }

    /// Runs every `parts`th input; a process that dies or hangs is followed by another.
    fn part(&self, part: usize, parts: usize) -> Vec<(usize, String)> {
        let said = self.folder.path().join(format!("said-{part}"));
        let (mut from, mut wrong) = (part, Vec::new());
        while from < self.jobs.len() {
            let work = serde_json::json!({
                "folder": self.folder.arg(), "inputs": self.inputs, "offset": self.offset,
                "part": part, "parts": parts, "from": from,
            });
            let limits = format!("ulimit -v {SPACE} && exec \"$0\" \"$@\"");
            let own = std::env::current_exe().expect("this program has a path");
            let mut shell = Command::new("sh");
            shell.args(["-c", &limits]).arg(own);
            shell.args(["--exact", "fuzz::part_of_a_campaign", "--ignored", "--nocapture"]);
            shell.env(WORK, work.to_string()).env("RAYON_NUM_THREADS", "1");
            shell.env("POLARS_MAX_THREADS", "1").stdin(Stdio::null()).stdout(Stdio::null());
            let told = self.folder.path().join(format!("told-{part}"));
            shell.stderr(fs::File::create(&told).expect("can be written"));
            let mut child = shell.spawn().expect("a shell starts");
            let ended = followed(&mut child, &said);
            let log = fs::read_to_string(&said).unwrap_or_default();
            let last = log.lines().rev().find_map(|l| l.strip_prefix("> ")?.parse::<usize>().ok());
            let done = log.lines().last().is_none_or(|l| l.starts_with('<'));
            match ended {
                Ok(true) if done => break,
                ended => {
                    let at = last.unwrap_or(from);
                    let told = fs::read_to_string(&told).unwrap_or_default();
                    let how = ended.map_or_else(|hang| hang, |_| format!("died: {told}"));
                    wrong.push((at, how));
                    from = at + parts;
                }
            }
        }
        wrong
    }

    /// Keeps an input in the build folder and says where.
    fn kept(&self, number: usize, how: &str) -> String {
        let (seed, bytes) = input(self.seeds, &self.jobs, number, self.offset);
        let kept = format!("fuzz-{number}-{}", self.seeds[seed].name);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(kept);
        fs::write(&kept, &bytes).expect("the build folder can be written");
        let how: String = how.chars().take(300).collect();
        format!("{}: {how}", kept.display())
    }

    fn table(&self, wrong: Vec<(usize, String)>, parts: usize) -> BTreeMap<&str, Tally> {
        let mut table: BTreeMap<&str, Tally> = BTreeMap::new();
        for part in 0..parts {
            let said = self.folder.path().join(format!("said-{part}"));
            for line in fs::read_to_string(said).unwrap_or_default().lines() {
                let mut parts = line.split(' ');
                let ("<", Some(all)) =
                    (parts.next().unwrap_or(""), Some(parts.collect::<Vec<_>>()))
                else {
                    continue;
                };
                let n = |i: usize| all[i].parse::<u64>().expect("a number");
                let (number, took, bytes) = (n(0) as usize, Duration::from_micros(n(1)), n(3));
                let sum = table.entry(&self.seeds[self.jobs[number]].reader).or_default();
                sum.inputs += 1;
                sum.bytes += bytes as usize;
                sum.took += took;
                if took > sum.worst {
                    (sum.worst, sum.slowest) = (took, number);
                }
                sum.worst_peak = sum.worst_peak.max(n(2));
                // What a run costs whatever it reads is not a matter of its size.
                let mb = (bytes as f64 / 1e6).max(LARGEST as f64 / 1e6);
                sum.worst_s_mb = sum.worst_s_mb.max(took.as_secs_f64() / mb);
                match () {
                    () if all[4] == "panicked" => sum.wrong.push(self.kept(number, "panicked")),
                    () if n(2) > MEMORY => {
                        sum.wrong.push(self.kept(number, &format!("{} MiB", n(2) >> 20)));
                    }
                    () => {}
                }
            }
        }
        for (number, how) in wrong {
            let sum = table.entry(&self.seeds[self.jobs[number]].reader).or_default();
            sum.inputs += 1;
            sum.wrong.push(self.kept(number, &how));
        }
        table
    }
}

/// Waits for a part; `Err` says how long one input ran when the part was cut off.
fn followed(child: &mut Child, said: &Path) -> Result<bool, String> {
    let stat = format!("/proc/{}/stat", child.id());
    // Clock ticks are a hundredth of a second wherever Linux runs.
    let used = || {
        let all = fs::read_to_string(&stat).unwrap_or_default();
        let rest = all.rsplit(')').next().unwrap_or_default().to_owned();
        let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
        Duration::from_millis(10 * ticks.sum::<u64>())
    };
    let (mut length, mut since, mut before) = (0, Instant::now(), Duration::ZERO);
    loop {
        if let Some(ended) = child.try_wait().expect("the child is ours") {
            return Ok(ended.success());
        }
        let now = fs::metadata(said).map_or(0, |m| m.len());
        if now != length {
            (length, since, before) = (now, Instant::now(), used());
        }
        // On a busy machine a run waits for its turn: its own time counts, unless it sleeps.
        let busy = used().saturating_sub(before);
        if busy > HANG || since.elapsed() > 12 * HANG {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            return Err(format!("no end after {busy:?} ({:?} in all)", since.elapsed()));
        }
        sleep(Duration::from_millis(20));
    }
}

/// Processes of a campaign.
const PARTS: usize = 2;

#[cfg(target_os = "linux")]
#[test]
fn mutated_exports_of_every_reader_end_within_the_limits() {
    let inputs = env("FUZZ_INPUTS", INPUTS);
    let campaign = Campaign::new(inputs, env("FUZZ_SEED", 0) * 1_000_000);
    let start = Instant::now();
    let run = |part| campaign.part(part, PARTS);
    let wrong: Vec<(usize, String)> = std::thread::scope(|s| {
        let all: Vec<_> = (0..PARTS).map(|part| s.spawn(move || run(part))).collect();
        all.into_iter().flat_map(|t| t.join().expect("a part is followed")).collect()
    });
    let table = campaign.table(wrong, PARTS);
    let tried: usize = table.values().map(|t| t.inputs).sum();
    let spent: Duration = table.values().map(|t| t.took).sum();
    println!("{tried} inputs in {:?}, {spent:?} of the processor", start.elapsed());
    print!("{}", shown(&table, campaign.seeds, &campaign.jobs));
    if let Some(slowest) = table.values().max_by_key(|t| t.worst) {
        println!("slowest: {}", campaign.kept(slowest.slowest, "the slowest"));
    }
    let wrong: Vec<&str> = table.values().flat_map(|t| &t.wrong).map(String::as_str).collect();
    assert!(tried >= inputs * 9 / 10, "only {tried} inputs");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(inputs != INPUTS || spent < BUDGET, "{tried} inputs took {spent:?}");
}

/// The table of readers, in Markdown.
fn shown(table: &BTreeMap<&str, Tally>, seeds: &[Seed], jobs: &[usize]) -> String {
    const COLUMNS: [&str; 9] = [
        "reader",
        "runs",
        "kB",
        "wrong",
        "worst MiB",
        "mean ms",
        "worst ms",
        "worst s/MB",
        "slowest",
    ];
    let head = format!("| {} |\n{}|\n", COLUMNS.join(" | "), "|---".repeat(COLUMNS.len()));
    let row = |(reader, t): (&&str, &Tally)| {
        format!(
            "| {reader} | {} | {} | {} | {} | {:.1} | {:.0} | {:.1} | {} |\n",
            t.inputs,
            t.bytes / 1_000,
            t.wrong.len(),
            t.worst_peak >> 20,
            t.took.as_secs_f64() * 1e3 / t.inputs.max(1) as f64,
            t.worst.as_secs_f64() * 1e3,
            t.worst_s_mb,
            seeds[jobs[t.slowest]].name,
        )
    };
    table.iter().fold(head, |all, one| all + &row(one))
}

/// Mutated inputs that the program itself is given.
const STARTS: usize = 60;
/// Files of each run.
const TOGETHER: usize = 10;

#[test]
fn the_program_ends_with_a_documented_code_whatever_it_is_given() {
    let all = SEEDS.as_slice();
    let one = |turn: usize| {
        let folder = Scratch::new();
        let mut dice = Dice(turn as u64 + 77);
        for i in 0..TOGETHER {
            let seed = &all[dice.below(all.len())];
            // Companions are known by their name: each stands in a folder of its own.
            folder.file(&format!("{i}/{}", seed.name), &mutate(&seed.bytes, &mut dice));
        }
        let run = match turn % 4 {
            0 => rootline(&["inspect", &folder.arg()]),
            1 => rootline(&["sessions", &folder.arg()]),
            2 => rootline(&["diagnose", "--strict-data", &folder.arg()]),
            _ => rootline(&["diagnose", "--format", "sarif", &folder.arg()]),
        };
        let fine = matches!(run.code, 0..=2 | 5) && !run.err.contains("panicked");
        (!fine).then(|| format!("turn {turn}: {} {}", run.code, run.err))
    };
    let wrong: Vec<String> = (0..STARTS).into_par_iter().filter_map(one).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
