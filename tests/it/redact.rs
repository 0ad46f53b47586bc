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

/// Forms in which values stand in logs, plans, commands and documents; each holds `leak`.
const FORMS: &[(&str, &str)] = &[
    (
        "server.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  statement: /* user leak01 id=leak02 \
         */ SELECT 1 FROM t\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  statement: -- by leak03\n\
         \tSELECT 2 FROM t\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop STATEMENT:  COMMENT ON TABLE t IS 'leak04'\
         \n\
         2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  statement: NOTIFY ch, 'leak05'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  statement: SET LOCAL app.user TO 'le\
         ak06'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  duration: 12.5 ms  statement: ALTER \
         SYSTEM SET x = 'leak07'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  execute <unnamed>: SECURITY LABEL O\
         N TABLE t IS 'leak08'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop DETAIL:  parameters: $1 = 'O''leak09', $2 \
         = '77', $3 = 'a''''leak10'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop DETAIL:  Key (lower(a))=(b (c) leak11) alr\
         eady exists.\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  invalid input syntax for type inte\
         ger: \"leak12\" at character 20\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  syntax error at or near \"leak13\
         \" at character 7\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  date/time field value out of range\
         : \"leak14\"\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  malformed array literal: \"leak15\
         \"\n",
    ),
    (
        "mysql.log",
        "2026-11-20T20:10:00Z ERROR Duplicate entry 'leak16' for key 'users.email'\n\
         2026-11-20T20:10:01Z ERROR Incorrect integer value: 'leak17' for column 'id' at row \
         1\n\
         2026-11-20T20:10:01Z ERROR You have an error in your SQL syntax; near 'leak18' at li\
         ne 1\n",
    ),
    (
        "q.csv",
        "snapshot_at,pid,datname,usename,state,query\n\
         2026-11-20T20:10:00Z,1,shop,app,active,/* leak20 */ VACUUM t\n\
         2026-11-20T20:10:00Z,1,shop,app,active,\"NOTIFY ch, 'leak21'\"\n\
         2026-11-20T20:10:00Z,1,shop,app,active,\"COMMENT ON TABLE t IS 'leak22'\"\n\
         2026-11-20T20:10:00Z,1,shop,app,active,SET LOCAL a.b TO leak23x9\n",
    ),
    (
        "my.json",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"4bf92f3577b34da6a3ce\
         929d0e0e4736\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"q\",\"startTimeUnixNano\":\
         \"1763669400000000000\",\"endTimeUnixNano\":\"1763669400100000000\",\"attributes\":[\
         {\"key\":\"db.system\",\"value\":{\"stringValue\":\"mysql\"}},{\"key\":\"db.statemen\
         t\",\"value\":{\"stringValue\":\"SELECT * FROM u WHERE n = \\\"leak30\\\" AND m IN (\
         \\\"leak31\\\", \\\"leak32\\\") AND x LIKE \\\"%leak33 y\\\"\"}}]}]}]}]}\n",
    ),
    (
        "my2.json",
        "{\"db.statement\":\"INSERT INTO u (a,b) VALUES (\\\"leak34\\\",1),(\\\"leak35\\\",2)\
         \"}\n",
    ),
    (
        "mongo.json",
        "{\"db.statement\":\"{\\\"find\\\":\\\"users\\\",\\\"filter\\\":{\\\"email\\\":\\\"le\
         ak36\\\",\\\"n\\\":{\\\"$in\\\":[\\\"leak37\\\",4711]}},\\\"limit\\\":1}\"}\n",
    ),
    (
        "mongo2.json",
        "{\"db.statement\":\"db.users.find({name: \\\"leak38\\\", tags: ['leak39']})\"}\n\
         {\"db.query.text\":\"{ find: \\\"users\\\", filter: { email: \\\"leak40\\\" } }\"}\n",
    ),
    (
        "plan.json",
        "[{\"Plan\":{\"Node Type\":\"Seq Scan\",\"Filter\":\"((email)::text = 'leak41'::text)\
         \",\"Index Cond\":\"(id = 471147114)\",\"Plans\":[{\"Recheck Cond\":\"(a = 'leak42')\
         \"}]}}]\n",
    ),
    (
        "plan.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  duration: 12.5 ms  plan:\n\
         \tSeq Scan on t  (cost=0.00..1.00 rows=1)\n\
         \t  Filter: ((email)::text = 'leak43'::text)\n\
         \t  Index Cond: (a = 'leak44')\n",
    ),
    (
        "ruby.log",
        "Parameters: {\"password\"=>\"leak45\", :token=>\"leak46x\", \"user\"=>{\"pwd\"=>\"le\
         ak47\"}}\n",
    ),
    (
        "xml.log",
        "<Password>leak48</Password><add key=\"Password\" value=\"leak49\"/><ns:apiKey type=\
         \"x\">leak50</ns:apiKey>\n",
    ),
    (
        "curl.log",
        "ran curl -u leak51:leak52 http://x and curl --user leak53:leak54 -H \"X-Api-Key: lea\
         k55\"; mysql -u leak56 -pleak57\n",
    ),
    (
        "args.json",
        "{\"args\":[\"--api-key\",\"leak58\",\"--password=leak59\",\"--token\",\"leak60\"]}\n",
    ),
    (
        "args.log",
        "exec [\"--api-key\",\"leak61\", \"--token\", \"leak62\"] and ['--password', 'leak63'\
         ]\n",
    ),
    (
        "url.log",
        "postgres://svc:123/leak64@db1/x and redis://:leak65@h:6379 and mysql://u:leak66#x@h/\
         d\n",
    ),
    ("mail.log", "GET /u?e=leak67%40acme.com&x=1 to leak68%40acme.com\n"),
    (
        "dom.log",
        "host db1.leak69.bank api https://api.leak70.bank/x https://leak71.museum/ http://a.l\
         eak72.technology:80/\n",
    ),
    (
        "title.csv",
        "Report of users\n\
         Generated 2026-11-20\n\
         name,usename,password,x\n\
         a,leak73,leak74,1\n\
         b,leak75,leak76,2\n",
    ),
    (
        "hap.log",
        "Nov 20 20:10:00 lb haproxy[9]: 10.0.0.1:4000 [20/Nov/2026:20:10:00.123] fe be/s1 0/0\
         /1/2/3 200 99 sid=leak77; - ---- 1/1/1/1/0 0/0 {|x} \"GET /x?session=leak78&sid=leak\
         79 HTTP/1.1\"\n",
    ),
    (
        "kv.log",
        "level=info msg=\"login\" session_token=leak80 refreshToken: leak81 client_secret='le\
         ak82' \"private_key_id\": \"leak83\" pass: leak84\n",
    ),
    (
        "env.log",
        "env: DB_PASS=leak85 PGPASSWORD=leak86 SECRET_KEY_BASE=leak87 STRIPE_KEY=sk_live_leak\
         88abcdefgh1 ENCRYPTION_KEY=leak89 SIGNING_KEY=leak90\n",
    ),
    (
        "hdr.log",
        "Proxy-Authorization: Basic leak91==\n\
         Authorization: leak92\n\
         X-CSRF-Token: leak93\n\
         Cookie: a=leak94; b=leak95\n\
         Set-Cookie: s=leak96; Path=/\n",
    ),
    (
        "create.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  statement: CREATE USER leak97 WITH P\
         ASSWORD 'leak98'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  password authentication failed fo\
         r user \"leak99\"\n",
    ),
    (
        "call.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop CONTEXT:  SQL statement \"INSERT INTO t VA\
         LUES ('leaka1')\"\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop QUERY:  NOTIFY x, 'leaka2'\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop CONTEXT:  COPY t, line 3, column c: \"leak\
         a3\"\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop CONTEXT:  unnamed portal parameter $1 = 'O\
         ''leaka4'\n",
    ),
    (
        "aligned.txt",
        " pid | usename |             query             \n\
         -----+---------+-------------------------------\n\
         \x20  1 | leaka5  | SELECT a                     +\n\
         \x20    |         |   FROM t                     +\n\
         \x20    |         |  WHERE x = 'leaka6'          +\n\
         \x20    |         |    AND b = 2\n\
         \x20  2 | bob     | SELECT 1\n\
         (2 rows)\n\
         \n\
         after\n",
    ),
    (
        "ini.log",
        "[main] started\n\
         2026 user=\"leak20u\" password=\"LEAK20\"\n\
         2026 ERROR: invalid input syntax for type integer: \"LEAK24\"\n",
    ),
    (
        "my.cnf",
        "[client]\n\
         user = \"leak30u\"\n\
         password = \"LEAK31\"\n",
    ),
    (
        "torn.jsonl",
        "{\"time\":\"2026-11-20T20:10:00Z\",\"message\":\"query fai\n\
         {\"time\":\"2026-11-20T20:10:00Z\",\"user\":\"leak2u\",\"password\":\"LEAK2\"}\n\
         {\"time\":\"2026-11-20T20:10:00Z\",\"user\":\"leak4u\",\"password\":\"LEAK4\"}\n",
    ),
    (
        "dq.csv",
        "snapshot_at,pid,datname,usename,state,query\n\
         2026-11-20T20:10:00Z,1,shop,app,active,\"alter user app identified by \"\"LEAK16\"\"\
         \"\n\
         2026-11-20T20:10:00Z,2,shop,app,active,\"select * from t where j->\"\"$.email\"\" = \
         \"\"LEAK14\"\"\"\n\
         2026-11-20T20:10:00Z,3,shop,app,active,\"UPDATE t SET x = 1 WHERE \"\"b\"\" = 'x' AN\
         D c = \"\"LEAK40\"\"\"\n\
         2026-11-20T20:10:00Z,4,shop,app,active,\"name = \"\"LEAK41\"\" AND x = \"\"LEAK42\"\
         \" IS NULL\"\n",
    ),
    (
        "mongod.log",
        "{\"t\":{\"$date\":\"2026-11-20T20:10:00Z\"},\"c\":\"COMMAND\",\"attr\":{\"ns\":\"sho\
         p.users\",\"command\":{\"find\":\"users\",\"filter\":{\"email\":\"LEAK20\",\"age\":4\
         71147},\"$db\":\"shop\"},\"durationMillis\":120}}\n",
    ),
    (
        "mongo3.log",
        "2026-11-20T20:10:00 I COMMAND command shop.users command: find { find: \"users\", fi\
         lter: { email: \"LEAK28\" } } 120ms\n\
         E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: \
         \"LEAK27\" }\n",
    ),
    (
        "mongo4.json",
        "{\"db.statement\":\"users.find({\\\"email\\\":\\\"LEAK02\\\"})\"}\n\
         {\"db.statement\":\"find {\\\"email\\\":\\\"LEAK03\\\"}\"}\n\
         {\"db.statement\":\"aggregate [{\\\"$match\\\":{\\\"m\\\":\\\"LEAK05\\\"}}]\"}\n\
         {\"db.statement\":\"insert users {\\\"email\\\":\\\"LEAK06\\\"}\"}\n",
    ),
    (
        "params.json",
        "{\"db.query.parameter.email\":\"LEAK11x\",\"db.operation.parameter.0\":\"LEAK12x\",\
         \"sql.bindings\":[\"LEAK13x\"]}\n",
    ),
    (
        "hib.log",
        "TRACE binding parameter [1] as [VARCHAR] - [LEAKI2]\n\
         TRACE binding parameter (1:VARCHAR) <- [LEAKI3]\n\
         DEBUG ==> Parameters: LEAKI4(String), 5(Integer)\n\
         SELECT \"users\".* FROM \"users\" WHERE \"users\".\"email\" = $1 LIMIT $2  [[\"email\
         \", \"LEAKI6\"], [\"LIMIT\", 1]]\n\
         [SQL: SELECT 1]\n\
         [parameters: ('LEAKJ0', 5)]\n\
         [cached since 1.2s ago] ('LEAKI7', 5)\n\
         Executed DbCommand (5ms) [Parameters=[@p0='LEAKJ4' (Size = 4000)], CommandType='Text\
         ']\n\
         Params: [\"LEAKJ9\"]\n",
    ),
    (
        "sec.yaml",
        "env:\n\
         \x20 - name: DB_PASSWORD\n\
         \x20   value: LEAK10\n\
         secret: >-\n\
         \x20 LEAK21\n\
         private_key: |\n\
         \x20 LEAK22\n\
         \x20 LEAK22b\n\
         passwords:\n\
         \x20 - LEAK23\n\
         api_key:\n\
         \x20 LEAK32\n\
         keep: cart\n",
    ),
    (
        "bearer.log",
        "token: Bearer LEAK11abc9\n\
         x token=Bearer LEAK12abc9 y\n\
         Authorization: Bearer  LEAKF9x\n\
         Authorization : Digest username=\"leakF3u\", realm=\"x\", response=\"LEAKF5\"\n",
    ),
    (
        "redis.json",
        "{\"db.statement\":\"HELLO 3 AUTH default LEAK25\"}\n\
         {\"db.statement\":\"CONFIG SET requirepass LEAK30\"}\n\
         {\"db.statement\":\"MULTI\\nSET k LEAK21\\nEXEC\"}\n\
         {\"db.statement\":\"PFADD k LEAK22\"}\n\
         {\"db.statement\":\"EVAL script LEAK18\"}\n",
    ),
    (
        "odd_env",
        "DB_PASSWORD=LEAK01\n\
         DB_PASS='LEAK02 with space'\n\
         requirepass LEAK64x\n",
    ),
    ("innodb.log", " 3: len 6; hex 4c45414b3637; asc LEAK67;;\n"),
    (
        "cmd.log",
        "mysql -p'LEAK26' shop\n\
         mysql -u leak23u -p\"LEAK26b\"\n\
         docker login -u leak56u -p LEAK57 reg\n\
         curl --oauth2-bearer LEAK16x http://x\n\
         sshpass -pLEAK70 ssh x\n\
         keytool -storepass LEAKB6\n",
    ),
    (
        "py.log",
        "{'api_key': u'LEAKC8', 'token': b'LEAKC9'} password=SecretStr('LEAK84') passwordHash\
         ='LEAKD4' pass_phrase=LEAKD5\n\
         password\t=\tLEAK58\n",
    ),
    (
        "ragged2.csv",
        "a,user,password\n\
         1,leak66u\n\
         2,leak67u,LEAK68,extra\n",
    ),
    (
        "pg15.log",
        "DETAIL:  Token \"LEAK62\" is invalid.\n\
         CONTEXT:  JSON data, line 1: {\"name\": \"LEAK63...\"\n\
         ERROR:  value \"LEAK68\" is out of range for type integer\n",
    ),
    (
        "access.log",
        "10.1.2.3 - leak01u [20/Nov/2026:20:10:00 +0000] \"GET /x HTTP/1.1\" 200 5\n\
         IP 10.1.2.3.5555 > 10.1.2.4.5432: Flags\n\
         Web1.leakacme.com email:leakmax@x.com\n",
    ),
    ("forms.log", "$2y$10$LEAK33abcdefghijklmnop shpat_LEAK1234567890abcdefg\n"),
];

#[test]
fn no_form_of_a_value_is_left_in_logs_plans_commands_and_documents() {
    let (text, written, _) = bundle(FORMS, &[]);
    assert_eq!(written, FORMS.len());
    let left: Vec<&str> = text.lines().filter(|l| l.to_lowercase().contains("leak")).collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
    let mut all = redactor();
    for (name, content) in FORMS {
        let once = redacted(&mut all, name, content.as_bytes()).expect("text is redacted");
        let twice = redacted(&mut all, name, &once).expect("text is redacted");
        assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice), "{name}");
    }
    // What says where something stands is as it was.
    for stays in [
        "STATEMENT:  COMMENT ON TABLE t IS '",
        "Key (lower(a))=(",
        ") already exists.",
        "' for key 'users.email'",
        "\\\"find\\\":\\\"users\\\",\\\"filter\\\":{\\\"email\\\":",
        "|                 | FROM t ",
        "</Password>",
    ] {
        assert!(text.contains(stays), "{stays} is gone: {text}");
    }
}

/// Files with private values and with what must stay beside them.
const KEPT: &[(&str, &str, &[&str])] = &[
    (
        "pod.yaml",
        "apiVersion: monitoring.coreos.com/v1\ncommand: [\"nginx\", \"-g\", \"daemon off;\"]\n\
         password: ${DB_PASSWORD}\npasswd: {{ .Values.password }}\nexport PGPASSWORD=\"$DB_PASSWORD\"\n",
        &[
            "monitoring.coreos.com/v1",
            "[\"nginx\", \"-g\", \"daemon off;\"]",
            "password: ${DB_PASSWORD}",
            "{{ .Values.password }}",
            "\"$DB_PASSWORD\"",
        ],
    ),
    (
        "rules.json",
        "{\"query\": \"{app=\\\"web\\\"} |= \\\"error\\\"\", \"expr\": \"up{user=~\\\".*\\\"}\"}\n",
        &["{app=\\\"web\\\"} |= \\\"error\\\"", "up{user=~\\\".*\\\"}"],
    ),
    (
        "pretty.json",
        "{\n  \"a\": [\n    {\n      \"b\": 1\n    },\n    {\n      \"b\": 2\n    }\n  ],\n  \
         \"password\": \"leakpq\",\n  \"user\": \"leakpr\",\n  \"service\": \"cart\"\n}\n",
        &["\"service\": \"cart\"", "\"b\": 2"],
    ),
    (
        "count.csv",
        "time,service,requests,prompt_tokens,tokens,pass,error_sid\n\
         2026-11-20T20:10:00Z,cart,5,4096,12,3,1\n",
        &["cart,5,4096,12,3,1"],
    ),
    (
        "dead.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop ERROR:  deadlock detected\n\
         2026-11-20 20:10:00.123 UTC [77] app@shop DETAIL:  Process 4065 waits for ShareLock \
         on transaction 1; blocked by process 4066.\n\
         \tProcess 4066 waits for ShareLock on transaction 2; blocked by process 4065.\n\
         \tProcess 4065: UPDATE t SET a = 'LEAK1' WHERE id = 2\n\
         \tProcess 4066: UPDATE t SET a = 'LEAK2' WHERE id = 3\n",
        &["Process 4065: UPDATE", "Process 4066: UPDATE"],
    ),
    (
        "plan.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop LOG:  duration: 12.5 ms  plan:\n\
         \tQuery Text: SELECT a FROM t WHERE m = 'LEAK3'\n\
         \tSeq Scan on t  (cost=0.00..17.50 rows=5 width=36) (actual time=0.01..0.02 rows=1 l\
         oops=1)\n\
         \t  Filter: (m = 'LEAK4')\n",
        &["(cost=0.00..17.50 rows=5 width=36)", "12.5 ms"],
    ),
    (
        "plsql.log",
        "2026-11-20 20:10:00.123 UTC [77] app@shop CONTEXT:  SQL statement \"UPDATE t SET a \
         = 'LEAK5' WHERE b = 1\"\n\
         \tPL/pgSQL function f(text) line 3 at SQL statement\n",
        &["PL/pgSQL function f(text) line 3 at SQL statement"],
    ),
    (
        "prose.log",
        "Update to 5.4.1 was set back at 13:05 with 200 connections\n\
         Please select 5 hosts (of 12) at 14:30\n\
         Drop in traffic: database connections 55 -> 5 at 14:02\n\
         Call me at 15:00 (ext 4711)\n\
         Execute (job 4711) finished in 17 s\n\
         PromQL rate(http_requests_total{service=\"cart\"}[5m])\n",
        &[
            "5.4.1",
            "13:05",
            "200 connections",
            "5 hosts (of 12)",
            "55 -> 5 at 14:02",
            "(ext 4711)",
            "job 4711",
            "service=\"cart\"",
        ],
    ),
    (
        "mysqlt.txt",
        "+----+---------+----------------------------+\n\
         | id | user    | info                       |\n\
         +----+---------+----------------------------+\n\
         |  1 | leak71u | SELECT a WHERE b = \"LEAK72\" |\n\
         |  2 | leak73u | NULL                       |\n\
         +----+---------+----------------------------+\n\
         2 rows in set\n",
        &["| id | user", "2 rows in set\n"],
    ),
    (
        "slow.log",
        "# Time: 2026-11-20T20:10:00Z\n\
         # User@Host: leak01u[leak02u] @  [10.1.2.3]  Id: 7\n\
         INSERT INTO t (a,b) VALUES\n\
         ('LEAK06', 'LEAK07'),\n\
         ('LEAK08', 'LEAK09');\n\
         # Time: 2026-11-20T20:10:01Z\n\
         SELECT a FROM t WHERE a = 1\n\
         OR c IN ('x',\n\
         'LEAK13')\n\
         \x20 and x = 'LEAK15\n\
         LEAK16 second line';\n\
         plain text 5432 stays\n",
        &["plain text 5432 stays", "# User@Host: ", "INSERT INTO t (a,b) VALUES"],
    ),
];

#[test]
fn what_tells_of_the_incident_stays_beside_what_is_private() {
    let all: Vec<(&str, &str)> = KEPT.iter().map(|(name, text, _)| (*name, *text)).collect();
    let (text, written, _) = bundle(&all, &[]);
    assert_eq!(written, KEPT.len());
    assert!(!text.to_lowercase().contains("leak"), "{text}");
    for stays in KEPT.iter().flat_map(|(.., stays)| *stays) {
        assert!(text.contains(stays), "{stays} is gone: {text}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_folder_is_left_out_and_told() {
    let elsewhere = Scratch::with(&[("own.csv", b"time,v\n2026-11-20T20:10:00Z,1\n")]);
    let folder = Scratch::with(&[("a.csv", b"time,v\n2026-11-20T20:10:00Z,1\n")]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name));
    link(&elsewhere.path().join("own.csv"), "out.csv").expect("links can be made");
    link(Path::new("a.csv"), "in.csv").expect("links can be made");
    link(elsewhere.path(), "below").expect("links can be made");
    let to = Scratch::new();
    let out = to.path().join("out");
    let run = rootline(&["redact", &folder.arg(), "-o", &out.to_string_lossy()]);
    assert_eq!(run.code, 0, "{}", run.err);
    let written: Vec<String> = files(&out).iter().map(|p| support::name(p)).collect();
    assert_eq!(written, ["a.csv", "in.csv"]);
    for said in
        ["out.csv: left out: a link to a file outside", "below: left out: a link to a folder"]
    {
        assert!(run.err.contains(said), "{said}: {}", run.err);
    }
    let check = rootline(&["redact", "--check", &folder.arg()]);
    assert!(check.out.contains("out.csv: cannot be checked"), "{}", check.out);
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
