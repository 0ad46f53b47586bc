//! Bundles that are given away: nothing private is left in them, and the diagnosis stays what it was.

use super::support::{
    self, Run, Scratch, bytes, documents, files, fixture, folders, gunzip, rootline, table,
};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use rayon::prelude::*;
use rootline::diagnosis::Diagnosis;
use rootline::redact::{Redactor, Refused, Settings};
use rootline::{Options, diagnose};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

const KEY: &[u8] = b"the key of the tests";

fn redactor() -> Redactor {
    let settings = Settings { key: KEY.to_vec(), ..Settings::default() };
    Redactor::new(&settings).expect("there are no patterns")
}

/// One file's bytes, redacted; `None` when it is refused.
fn redacted(all: &mut Redactor, name: &str, stored: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match all.stream(name, Box::new(Cursor::new(stored.to_vec())), &mut out) {
        Ok(_) => Some(out),
        Err(Refused::Unfit(_)) => None,
        Err(Refused::Write(e)) => panic!("memory can be written: {e}"),
    }
}

/// A copy of a folder as `redact` writes it.
fn copy(folder: &Path) -> Scratch {
    let (mut all, scratch) = (redactor(), Scratch::new());
    for path in files(folder) {
        let inner = path.strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
        let stored = fs::read(&path).expect("the fixture can be read");
        if let Some(new) = redacted(&mut all, &inner, &stored) {
            scratch.file(&all.name(&inner), &new);
        }
    }
    scratch
}

/// What a diagnosis says, without names.
fn bare(d: &Diagnosis) -> Vec<String> {
    let mut out = vec![format!("{:?} {:?} {:?}", d.verdict, d.window.incident, d.window.baseline)];
    out.extend(d.hypotheses.iter().map(|h| {
        format!("{:?} {:?} {:?} {:.9} {:.9}", h.signature, h.role, h.onset, h.probability, h.score)
    }));
    out.push(format!("{} series, {} gaps", d.series, d.gaps.len()));
    out
}

#[test]
fn the_diagnosis_is_the_same_but_for_the_names() {
    let all = [folders("incidents"), folders("healthy")].concat();
    assert!(all.len() > 100, "the fixtures were not found");
    let differs = |folder: &std::path::PathBuf| {
        let new = copy(folder);
        let options = Options::default();
        let before = diagnose(folder, &options).expect("the fixture is analysed");
        let after = match diagnose(new.path(), &options) {
            Ok(after) => after,
            Err(e) => return Some(format!("{}: {e}", folder.display())),
        };
        let (before, after) = (bare(&before), bare(&after));
        let first = before.iter().zip(&after).find(|(a, b)| a != b);
        let first = first.map(|(a, b)| format!("{a} -> {b}"));
        (before != after).then(|| format!("{}: {first:?}", support::name(folder)))
    };
    let mut wrong: Vec<String> = all.par_iter().filter_map(differs).collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// Secrets of every kind in one text; the statement stands last, for it goes on to the end.
pub const PLANT: &str = "mallory.p@corp.planted.example from 203.0.113.77 and 2001:db8::77:1 \
    AKIAPLANTEDPLANTED77 eyJwbGFudGVkIjoxfQ.eyJwbGFudGVkIjoyfQ.cGxhbnRlZA password=pl4nted1 \
    https://bob:pl4nted2@db.planted.example.com:5432/x?api_key=pl4nted3 Authorization: Bearer \
    pl4nted4 ";
pub const STATEMENT: &str = "SELECT 'pl4nted5', 770077 FROM t WHERE x = $a$pl4nted6$a$ -- pl4nted7";
pub const NEEDLES: [&str; 7] =
    ["mallory", "203.0.113.77", "2001:db8::77", "PLANTED77", "wbGFudGVk", "pl4nted", "planted.ex"];

/// What is left of the secrets.
fn left(text: &[u8]) -> Vec<&'static str> {
    let has = |n: &&str| memchr::memmem::find(text, n.as_bytes()).is_some();
    NEEDLES.into_iter().filter(has).collect()
}

/// What stands in a field, with the secrets behind it. Behind a literal that is cut off there is no
/// statement: its quotes would open what they close.
fn with_plant(text: &str) -> String {
    match text.matches('\'').count() % 2 {
        0 => format!("{text} {PLANT}{STATEMENT}"),
        _ => format!("{text} {PLANT}"),
    }
}

/// Where in a file the secrets are planted.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    /// In the values.
    Values,
    /// In the names of values: members of JSON, headers of columns.
    Names,
}

/// Puts the secrets into every string of a JSON value, or into every name.
fn plant(value: &mut Value, at: Where, planted: &mut usize) {
    match value {
        Value::String(s) if at == Where::Values => {
            *s = with_plant(s);
            *planted += 1;
        }
        Value::Array(all) => all.iter_mut().for_each(|v| plant(v, at, planted)),
        Value::Object(all) => {
            for (name, mut inner) in std::mem::take(all) {
                plant(&mut inner, at, planted);
                *planted += usize::from(at == Where::Names);
                all.insert(if at == Where::Names { with_plant(&name) } else { name }, inner);
            }
        }
        _ => {}
    }
}

/// A file of any text format with the secrets in its fields, or in their names.
fn planted(text: &str, at: Where) -> (String, usize) {
    let mut count = 0;
    if let Some(mut all) = documents(text) {
        all.iter_mut().for_each(|d| plant(d, at, &mut count));
        return (all.iter().map(|d| format!("{d}\n")).collect(), count);
    }
    let plain = format!("{PLANT}{STATEMENT}");
    if let Some((delimiter, records)) = table(text) {
        let mut out = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        for (number, record) in records.iter().enumerate() {
            let own = (number == 0) == (at == Where::Names);
            let cell = |c: &str| if own { with_plant(c) } else { c.to_owned() };
            out.write_record(record.iter().map(cell)).expect("memory can be written");
            count += if own { record.len() } else { 0 };
        }
        let out = out.into_inner().expect("memory can be written");
        return (String::from_utf8(out).expect("text stays text"), count);
    }
    let out: String = text.lines().map(|l| format!("{l} {plain}\n")).collect();
    let count = out.matches("mallory").count();
    (out, count)
}

#[test]
fn secrets_in_every_field_of_every_format_are_gone() {
    let (mut total, mut tried, mut bad) = (0, 0, Vec::new());
    for path in files(&fixture("formats")) {
        let stored = fs::read(&path).expect("the fixture can be read");
        let shown = path.strip_prefix(fixture("formats")).expect("in it").to_string_lossy();
        let plain = if stored.starts_with(&[0x1f, 0x8b]) && !shown.starts_with("broken") {
            gunzip(&stored)
        } else {
            stored
        };
        let Ok(text) = String::from_utf8(plain) else { continue };
        if text.contains('\0') {
            continue;
        }
        tried += 1;
        for at in [Where::Values, Where::Names] {
            let (text, count) = planted(&text, at);
            total += count;
            let Some(new) = redacted(&mut redactor(), &support::name(&path), text.as_bytes())
            else {
                continue;
            };
            let found = left(&new);
            if !found.is_empty() {
                let new = String::from_utf8_lossy(&new).into_owned();
                let at = NEEDLES.iter().find_map(|n| new.find(n)).unwrap_or(0);
                let near = new.get(at.saturating_sub(150)..).unwrap_or_default();
                bad.push(format!(
                    "{shown}: {found:?}: {}",
                    near.chars().take(260).collect::<String>()
                ));
            }
        }
    }
    assert!(tried > 100 && total > 6_000, "{total} secrets in {tried} files");
    assert!(bad.is_empty(), "{} of {tried}:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn secrets_in_binary_formats_are_gone() {
    // A name that is a key, as long as what it replaces: lengths stay sound.
    const KEY_ID: &[u8; 20] = b"AKIAPLANTEDPLANTED77";
    let mut tried = 0;
    for path in [files(&fixture("formats/otlp-proto")), files(&fixture("formats/pprof"))].concat() {
        let stored = fs::read(&path).expect("the fixture can be read");
        let mut plain =
            if stored.starts_with(&[0x1f, 0x8b]) { gunzip(&stored) } else { stored.clone() };
        let runs: Vec<usize> = (1..plain.len().saturating_sub(20))
            .filter(|at| {
                let run = &plain[*at..at + 20];
                // The byte before is the length of a text of just that many bytes.
                plain[at - 1] == 20 && run.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
            })
            .collect();
        for at in &runs {
            plain[*at..at + 20].copy_from_slice(KEY_ID);
        }
        let Some(new) = redacted(&mut redactor(), &support::name(&path), &plain) else { continue };
        if !runs.is_empty() {
            tried += 1;
            assert!(left(&new).is_empty(), "{}", path.display());
        }
    }
    assert!(tried > 0, "no binary fixture has a text of twenty bytes");
    let text: StringArray = vec![Some(format!("{PLANT}{STATEMENT}").as_str()), None].into();
    let columns: [(&str, ArrayRef); 2] =
        [("note", Arc::new(text)), ("cpu", Arc::new(Float64Array::from(vec![0.5, 0.25])))];
    let batch = RecordBatch::try_from_iter(columns).expect("two columns of two rows");
    let mut file =
        arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).expect("ok");
    file.write(&batch).expect("memory can be written");
    let ipc = file.into_inner().expect("memory can be written");
    let mut file =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a schema");
    file.write(&batch).expect("memory can be written");
    let parquet = file.into_inner().expect("memory can be written");
    for (name, stored) in [("a.arrow", ipc), ("a.parquet", parquet)] {
        assert!(!left(&stored).is_empty(), "{name}: nothing was planted");
        let new = redacted(&mut redactor(), name, &stored).expect("columns can be redacted");
        assert!(left(&new).is_empty(), "{name}: {:?}", left(&new));
        let again = redacted(&mut redactor(), name, &new).expect("it can be read again");
        assert_eq!(again, new, "{name}: a second pass changes something");
    }
}

#[test]
fn archives_are_redacted_inside() {
    let text = format!("time,cart_cpu,note\n2026-11-20T20:10:00Z,0.5,\"{PLANT}\"\n");
    let zst = zstd::encode_all(text.as_bytes(), 1).expect("memory can be written");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["in/a.csv", "mallory.p@corp.planted.example.csv", "../../b.csv"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
        std::io::Write::write_all(&mut zip, text.as_bytes()).expect("memory can be written");
    }
    let zip = zip.finish().expect("memory can be written").into_inner();
    let new = redacted(&mut redactor(), "a.csv.zst", &zst).expect("unpacked");
    let plain = zstd::decode_all(new.as_slice()).expect("packed again");
    assert!(left(&plain).is_empty() && plain.starts_with(b"time,cart_cpu,note\n2026"));
    let new = redacted(&mut redactor(), "a.zip", &zip).expect("unpacked");
    let mut new = zip::ZipArchive::new(Cursor::new(new)).expect("an archive again");
    assert_eq!(new.len(), 3);
    for i in 0..new.len() {
        let mut member = new.by_index(i).expect("a member");
        let name = member.name().expect("a name").into_owned();
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut plain).expect("whole");
        assert!(left(&plain).is_empty() && left(name.as_bytes()).is_empty(), "{name}");
        assert!(!name.contains(".."), "{name}");
    }
}

/// An incident with the secrets wherever a name, a title or a statement stands.
fn incident() -> Scratch {
    let from = fixture("incidents/idle-in-transaction-blocker");
    let scratch = Scratch::new();
    for path in files(&from) {
        let inner = path.strip_prefix(&from).expect("below it").to_string_lossy().into_owned();
        let stored = fs::read(&path).expect("the fixture can be read");
        scratch.file(&inner, &stored);
    }
    let events = format!(
        "timestamp,kind,service,title\n2026-11-20T20:10:00Z,deploy,shop,\"{PLANT}\"\n\
         2026-11-20T20:11:00Z,alert,shop,\"{STATEMENT}\"\n"
    );
    scratch.file("events.csv", events.as_bytes());
    let series = format!(
        "timestamp,metric,value,service,note\n2026-11-20T20:10:00Z,cpu_usage,0.5,shop,\"{PLANT}\"\n"
    );
    scratch.file("more.csv", series.as_bytes());
    scratch
}

const REPORTS: [&[&str]; 13] = [
    &["diagnose", "-v"],
    &["diagnose", "--format", "json"],
    &["diagnose", "--format", "ndjson"],
    &["diagnose", "--format", "html"],
    &["diagnose", "--format", "markdown"],
    &["diagnose", "--format", "sarif"],
    &["report"],
    &["graph", "--dot"],
    &["graph", "--mermaid"],
    &["timeline"],
    &["timeline", "--format", "json"],
    &["sessions", "-v"],
    &["inspect", "-v"],
];

#[test]
fn no_report_of_a_redacted_bundle_shows_a_secret() {
    let folder = incident();
    let out = Scratch::new();
    let target = out.path().join("bundle").to_string_lossy().into_owned();
    let run = rootline(&["redact", &folder.arg(), "-o", &target]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    for args in REPORTS {
        let run = rootline(&[args, &[target.as_str()]].concat());
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        assert!(!run.out.is_empty());
        let shown = run.out + &run.err;
        assert!(left(shown.as_bytes()).is_empty(), "{args:?}: {:?}", left(shown.as_bytes()));
    }
}

fn all_bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |p: &std::path::PathBuf| {
        let inner = p.strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
        (inner, fs::read(p).expect("it can be read"))
    };
    files(folder).iter().map(read).collect()
}

fn redact(args: &[&str]) -> Run {
    rootline(&[&["redact"], args].concat())
}

#[test]
fn a_bundle_is_made_once_from_a_folder_that_stays_as_it_is() {
    let folder = incident();
    let before = all_bytes(folder.path());
    let out = Scratch::with(&[("key", KEY)]);
    let at = |name: &str| out.path().join(name).to_string_lossy().into_owned();
    let (one, two, map, key) = (at("one"), at("two"), at("map.jsonl"), at("key"));
    let run = redact(&[&folder.arg(), "-o", &one, "--key-file", &key, "--map", &map]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(all_bytes(folder.path()), before, "the input was changed");
    assert_eq!(redact(&[&folder.arg(), "-o", &two, "--key-file", &key]).code, 0);
    let first = all_bytes(Path::new(&one));
    assert_eq!(first, all_bytes(Path::new(&two)), "one key, one bundle");
    let again = redact(&[&folder.arg(), "-o", &one]);
    assert_eq!((again.code, again.out.as_str()), (2, ""), "{}", again.err);
    assert_eq!(first, all_bytes(Path::new(&one)), "the first bundle was overwritten");
    let mapped = redact(&[&folder.arg(), "-o", &at("three"), "--map", &map]);
    assert_eq!(mapped.code, 2, "{}", mapped.err);
    let text = fs::read_to_string(&map).expect("the map is there");
    assert!(text.contains("203.0.113.77") && text.contains("pl4nted2"), "{text}");
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&map).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let inside = folder.path().join("out").to_string_lossy().into_owned();
    assert_eq!(redact(&[&folder.arg(), "-o", &inside]).code, 2);
    let names: Vec<String> = files(out.path()).iter().map(|p| support::name(p)).collect();
    assert!(!names.iter().any(|n| n.contains("rootline-")), "{names:?}");
}

#[test]
fn a_check_names_the_place_and_is_content_with_a_bundle() {
    let folder = incident();
    let run = redact(&[&folder.arg(), "--check"]);
    assert_eq!(run.code, 6, "{}", run.err);
    assert!(run.out.contains("events.csv:2: "), "{}", run.out);
    assert!(left(run.out.as_bytes()).is_empty(), "a check repeats no secret");
    let out = Scratch::new();
    let target = out.path().join("bundle").to_string_lossy().into_owned();
    assert_eq!(redact(&[&folder.arg(), "-o", &target]).code, 0);
    let run = redact(&[&target, "--check"]);
    assert_eq!(run.code, 0, "{}", run.out);
    let run = redact(&[&target, "--check", "--pattern", "shop"]);
    assert_eq!(run.code, 6, "{}", run.out);
}

#[test]
fn what_cannot_be_redacted_is_left_out_and_told() {
    let folder = Scratch::with(&[
        ("a.csv", &bytes("formats/table/wide.csv")),
        ("b.bin", &[0, 159, 146, 150, 7, 7, 7]),
    ]);
    let out = Scratch::new();
    let target = out.path().join("bundle").to_string_lossy().into_owned();
    let run = redact(&[&folder.arg(), "-o", &target]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("b.bin: left out: "), "{}", run.err);
    assert_eq!(all_bytes(Path::new(&target)).keys().collect::<Vec<_>>(), ["a.csv"]);
    let only = Scratch::with(&[("b.bin", &[0, 159, 146, 150, 7, 7, 7])]);
    let other = out.path().join("none").to_string_lossy().into_owned();
    let run = redact(&[&only.arg(), "-o", &other]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(!Path::new(&other).exists());
}

/// A folder redacted: what all its files hold, and what was said.
fn bundle(files_in: &[(&str, &str)], options: &[&str]) -> (String, usize, String) {
    let all: Vec<(&str, &[u8])> = files_in.iter().map(|(n, t)| (*n, t.as_bytes())).collect();
    let (from, to) = (Scratch::with(&all), Scratch::new());
    let out = to.path().join("out");
    let (from, out) = (from.arg(), out.to_string_lossy().into_owned());
    let run = rootline(&[&["redact", &from, "-o", &out], options].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let written = files(to.path());
    let text = |p: &std::path::PathBuf| fs::read_to_string(p).expect("text");
    (written.iter().map(text).collect::<Vec<_>>().join("\n"), written.len(), run.out)
}

/// What was left by a build that all fixtures passed, in the forms in which it was found.
#[test]
fn no_odd_form_of_a_secret_is_left() {
    const ALL: [(&str, &str); 9] = [
        (
            "main_pg_stat_activity.csv",
            "snapshot_at,pid,datname,usename,state,query,client_addr\n\
             2026-11-20T20:10:00Z,1,shop,app,active,\
             SELECT id FROM u WHERE n LIKE 'a!_%' ESCAPE '\\' AND s = '078-Leakaa-1120',::ffff:10.1.2.3\n\
             2026-11-20T20:10:00Z,2,shop,app,active,\
             \"SELECT /* a /* b */ leakbb */ 'C:\\t\\', 'leakcc' FROM u\",::ffff:10.1.2.3\n",
        ),
        ("2fa.csv", "2fa,username,password\n1,leakdd,leakee\n0,leakff,leakgg\n"),
        (
            "ragged.csv",
            "time,usename,password\n2026-11-20T20:10:00Z,leakhh,leakii\n\
             2026-11-20T20:10:01Z,leakjj\n2026-11-20T20:10:02Z,leakkk,leakll\n",
        ),
        ("rows.txt", "pid|usename|client_addr|query\n1|leakmm|10.1.2.3|select 1\n(1 row)\n"),
        ("quote.csv", "User's name,password\na,leaknn\nb,leakoo"),
        (
            "x.har",
            "{\"log\":{\"entries\":[{\"request\":{\"cookies\":[{\"name\":\"sid\",\
             \"value\":\"leakpp\"}]}}]}}\n",
        ),
        ("range.log", "peers 10.1.2.3-10.1.2.4 and ::ffff:10.1.2.3, host=::ffff:10.1.2.3\n"),
        (
            "keys.log",
            "got {shop|Bearer 9f8a7c6b5d4e3f2aLeakqq|curl}; ran mysql --password leakrr, \
             mysql --password \"leaktt uu\" and --password --host\n",
        ),
        (
            "hosts.log",
            "https://leakss.de/x https://db.leakss.io/y https://Db1.leakss.com/z \
             postgres://u:p@leakss.fr:5432/x\n",
        ),
    ];
    let (text, written, _) = bundle(&ALL, &[]);
    assert_eq!(written, ALL.len());
    let left: Vec<&str> = text
        .lines()
        .filter(|l| l.to_lowercase().contains("leak") || l.contains("10.1.2."))
        .collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
    assert!(text.contains("ESCAPE '") && text.contains(" AND s = '"), "the shape stays: {text}");
}

#[test]
fn a_sites_pattern_matches_plain_values_and_numbers() {
    let events = "time,kind,service,customer,note\n\
        2026-11-20T20:10:00Z,deploy,cart,CUST4711,for CUST4711\n";
    let json = "{\"time\":\"2026-11-20T20:10:00Z\",\"kind\":\"flag\",\"account\":912345678901}\n";
    let all = [("events.csv", events), ("changes.jsonl", json)];
    let (text, ..) = bundle(&all, &["--pattern", "CUST\\d+", "--pattern", "\\b9\\d{11}\\b"]);
    assert!(!text.contains("CUST4711") && !text.contains("912345678901"), "{text}");
    let row = text.lines().find(|l| l.contains("deploy")).expect("the row");
    let cells: Vec<&str> = row.split(',').collect();
    assert_eq!(cells[4], format!("for {}", cells[3]), "one value, one token");
    let json = text.lines().find(|l| l.contains("account")).expect("the line");
    serde_json::from_str::<Value>(json).expect("it is JSON as before");
}

#[test]
fn two_files_that_get_one_name_are_both_kept() {
    let table = "time,v\n2026-11-20T20:10:00Z,1\n";
    let all = [("web1.acme.com.csv", table), ("WEB1.acme.com.csv", table)];
    let (_, written, said) = bundle(&all, &[]);
    assert_eq!(written, 2, "{said}");
    assert!(said.contains("2 of 2 files"), "{said}");
}
