//! Damage of every kind at every class of offset of every fixture. The library must answer or
//! refuse, never panic or hang, and where a cut makes it read less than before it must say so.
//! Of other damages only that is asked: a changed byte of a name is another valid name.
//!
//! All is derived from the fixtures' bytes and a fixed seed: two runs do the same.

use crate::support::{Scratch, bytes, files, finish, fixture, gunzip, gzip, name, program, root};
use rootline::ingest::{Settings, read_folder};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Kinds of damage that are tried at one offset; the choice rotates, so that every kind meets every
/// class of offset in some files.
const KINDS_EACH: usize = 1;
/// Fixtures larger than this get only every fourth offset.
const LARGE: usize = 16 << 10;
/// A small file that takes longer hangs.
const HANG: Duration = Duration::from_secs(2);

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// What can be done to a file at one offset.
const KINDS: [&str; 10] =
    ["cut", "bit", "zero", "ones", "quote", "brace", "double", "delete", "garbage", "digits"];

fn damage(whole: &[u8], kind: &str, at: usize, dice: &mut Dice) -> Vec<u8> {
    let mut out = whole.to_vec();
    let end = (at + 1 + dice.below(40)).min(whole.len());
    let mut put = |byte: u8| out[at] = byte;
    match kind {
        "cut" => out.truncate(at),
        "bit" => out[at] ^= 1 << dice.below(8),
        "zero" => put(0),
        "ones" => put(0xff),
        "quote" => put(b'"'),
        "brace" => put(b'{'),
        "double" => out.splice(at..at, whole[at..end].iter().copied()).for_each(drop),
        "delete" => out.drain(at..end).for_each(drop),
        "garbage" => {
            let noise: Vec<u8> = (0..16).map(|_| dice.below(256) as u8).collect();
            out.splice(at..at, noise).for_each(drop);
        }
        _ => out.splice(at..at, *b"99999999999999999999").for_each(drop),
    }
    out
}

/// Offsets of a few places of each class.
fn offsets(whole: &[u8], dice: &mut Dice) -> Vec<(&'static str, usize)> {
    let mut out = vec![("start", 0), ("head", 1), ("head", 4), ("head", 9), ("head", 30)];
    let mut some = |class, places: Vec<usize>| {
        let picked = [0, places.len() / 3, places.len() / 2, places.len().saturating_sub(1)];
        out.extend(picked.iter().filter_map(|i| places.get(*i)).map(|at| (class, *at)));
    };
    let of = |is: &dyn Fn(u8, u8) -> bool| -> Vec<usize> {
        (1..whole.len()).filter(|i| is(whole[i - 1], whole[*i])).collect()
    };
    for structural in b"\"{}[],:;=|\t\n\0" {
        some("structure", of(&|_, b| b == *structural));
    }
    some("number", of(&|a, b| a.is_ascii_digit() && b.is_ascii_digit()));
    some("text", of(&|a, b| a.is_ascii_alphabetic() && b.is_ascii_alphabetic()));
    some("key", of(&|a, b| a == b'"' && b.is_ascii_alphabetic()));
    let len = whole.len();
    out.extend([1, 2, 3, 6, 8, 10, 12, 22].map(|back| ("end", len.saturating_sub(back))));
    if is_binary(whole) {
        // Lengths and offsets: messages of protobuf, Arrow's and Parquet's metadata, gzip, zip.
        out.extend((1..24).map(|at| ("length", at)));
        out.extend((4..24).map(|back| ("length", len.saturating_sub(back))));
        let footer = whole.len().saturating_sub(12).min(400);
        out.extend((0..12).map(|_| ("footer", len.saturating_sub(8 + dice.below(footer)))));
    }
    out.extend((0..8).map(|_| ("random", dice.below(len))));
    out.retain(|(_, at)| *at < len);
    out
}

fn is_binary(whole: &[u8]) -> bool {
    whole.iter().take(512).any(|b| *b == 0) || whole.starts_with(&[0x1f, 0x8b])
}

/// What was read of a file: rows, and what was said about it.
struct Seen {
    rows: u64,
    gaps: BTreeMap<(String, Option<u64>), u64>,
}

/// Reads one file; `None` when it was refused.
fn seen(path: &Path) -> Option<Seen> {
    let raw = read_folder(path, &Settings::default()).ok()?;
    let rows = raw.files.iter().map(|f| f.rows).sum();
    let gaps = raw.gaps.iter().map(|g| ((g.what.clone(), g.line), g.count)).collect();
    Some(Seen { rows, gaps })
}

impl Seen {
    /// Says whether something is told here that is not told of the `whole` file.
    fn tells_more(&self, whole: &Seen) -> bool {
        self.gaps.iter().any(|(said, count)| whole.gaps.get(said).is_none_or(|w| count > w))
    }
}

/// Checks one damaged file; says what is wrong with the answer.
fn check(path: &Path, damaged: &[u8], whole: Option<&Seen>, least: u64) -> Option<String> {
    fs::write(path, damaged).expect("the scratch folder can be written");
    let start = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| seen(path)));
    let took = start.elapsed();
    match (answer, whole) {
        (Err(_), _) => Some("PANIC".to_owned()),
        _ if took > HANG => Some(format!("HANG {took:?}")),
        (Ok(Some(now)), Some(whole)) if now.rows < least && !now.tells_more(whole) => {
            Some(format!("SILENT {} rows of {}", now.rows, whole.rows))
        }
        _ => None,
    }
}

/// Rows that a damaged file must give unless it says something.
///
/// A text of lines that is cut is a shorter text of lines: what stands before the line of the cut
/// is what must be read.
fn least(path: &Path, whole: &[u8], rows: u64, kind: &str, at: usize) -> u64 {
    let before = &whole[..at];
    match () {
        () if kind != "cut" || (is_json(whole) && is_whole(before)) => 0,
        () if is_binary(whole) || is_json(whole) => rows,
        () => {
            let line = before.iter().rposition(|b| *b == b'\n').unwrap_or(0);
            fs::write(path, &whole[..line]).expect("the scratch folder can be written");
            seen(path).map_or(0, |s| s.rows)
        }
    }
}

/// Says whether a text is a stream of whole JSON documents.
fn is_whole(text: &[u8]) -> bool {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    documents.all(|d| d.is_ok())
}

fn is_json(whole: &[u8]) -> bool {
    let mut signs = whole.iter().filter(|b| !b.is_ascii_whitespace());
    match signs.next() {
        // A name of JSON is quoted: `{__name__=` begins a line of exposition text.
        Some(b'{') => matches!(signs.next(), Some(b'"' | b'}')),
        first => first == Some(&b'['),
    }
}

/// Damages one fixture in many ways; gives what went wrong and how many were tried.
fn torture(file: &Path, number: usize) -> (usize, Vec<String>) {
    let whole = fs::read(file).expect("the fixture can be read");
    let scratch = Scratch::new();
    let path = scratch.file(&name(file), &whole);
    let before = seen(&path);
    let rows = before.as_ref().map_or(0, |s| s.rows);
    let mut dice = Dice(number as u64 + 1);
    let (mut tried, mut wrong) = (0, Vec::new());
    let mut judge = |what: String, damaged: &[u8], least: u64| {
        tried += 1;
        if let Some(bad) = check(&path, damaged, before.as_ref(), least) {
            let shown = file.strip_prefix(root()).unwrap_or(file).display();
            wrong.push(format!("{bad}: {shown}: {what}"));
        }
    };
    let step = if whole.len() > LARGE { 24 } else { 6 };
    for (i, (class, at)) in offsets(&whole, &mut dice).into_iter().enumerate().step_by(step) {
        for turn in 0..KINDS_EACH {
            let kind = KINDS[(number + i * 3 + turn * 7) % KINDS.len()];
            let damaged = damage(&whole, kind, at, &mut dice);
            let least = least(&path, &whole, rows, kind, at);
            judge(format!("{kind} at {class} {at}"), &damaged, least);
        }
    }
    let reversed: Vec<u8> = whole.iter().rev().copied().collect();
    judge("reversed".to_owned(), &reversed, 0);
    judge("doubled".to_owned(), &[whole.as_slice(), whole.as_slice()].concat(), 0);
    judge("empty".to_owned(), b"", 0);
    judge("first byte".to_owned(), &whole[..whole.len().min(1)], 0);
    let packed = if whole.starts_with(&[0x1f, 0x8b]) { whole.clone() } else { gzip(&whole) };
    judge("gzip without its end".to_owned(), &packed[..packed.len() / 2], rows);
    if whole.starts_with(&[0x1f, 0x8b]) {
        let inner = gunzip(&whole);
        judge("gzip of a cut text".to_owned(), &gzip(&inner[..inner.len() * 2 / 3 + 1]), 0);
    }
    (tried, wrong)
}

fn torture_all(all: &[std::path::PathBuf]) {
    let (next, tried, wrong) =
        (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::<String>::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, file)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    all.get(number).map(|file| (number, file))
                } {
                    let (n, bad) = torture(file, number);
                    tried.fetch_add(n, Ordering::Relaxed);
                    wrong.lock().expect("no thread panics").extend(bad);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics");
    wrong.sort();
    let tried = tried.into_inner();
    assert!(tried > 8 * all.len(), "only {tried} damages of {} fixtures", all.len());
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_damaged_export_of_any_format_is_an_error_or_a_gap() {
    torture_all(&files(&fixture("formats")));
}

#[test]
fn a_damaged_file_of_an_incident_is_an_error_or_a_gap() {
    torture_all(&files(&fixture("incidents")));
}

#[test]
fn a_decoder_that_trips_over_a_file_says_so_in_the_report_only() {
    let whole = bytes("formats/parquet/codec-lz4.parquet");
    let mut tripped = 0;
    for at in (4..whole.len()).step_by(whole.len() / 60) {
        let mut damaged = whole.clone();
        damaged[at] = 0xff;
        let folder = Scratch::with(&[("a.parquet", &damaged)]);
        let run = finish(&mut program(&["inspect", &folder.arg()]));
        tripped += usize::from(run.out.contains("contradicts itself"));
        assert!(!run.err.contains("panicked"), "byte {at}: {}", run.err);
    }
    assert!(tripped > 0, "no damage makes the decoder panic: the test tests nothing");
}
