//! What stands in an export and is nobody's business is in no report of the folder as it came:
//! `redact` need not be run first. Secrets are planted in every field of every format, one field at
//! a time, and all reports are read.

use super::redact::{NEEDLES, PLANT};
use super::support::{Scratch, documents, files, fixture, gunzip, name, rootline, table};
use parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;
use rootline::catalog::{Catalog, Expect};
use rootline::diagnosis::Diagnosis;
use rootline::forensics::Wanted;
use rootline::history::{Digest, compare};
use rootline::report::{self, Style, Template, Verbosity};
use rootline::{Options, diagnose, inspect, selftest, sessions};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A statement whose first comment is its tag, by which an application tells what it runs: that is a
/// name and stays. Its literals and its other comments do not.
const STATEMENT: &str = "/* report: weekly */ SELECT 'pl4nted5', 770077 FROM t WHERE \
    x = $a$pl4nted6$a$ -- pl4nted7";
/// A secret in a name of one word.
const WORD: &str = "-https://bob:pl4nted2@h:80/y?api_key=pl4nted3&k=AKIAPLANTEDPLANTED77";
/// Bytes of a fixture that are planted; what stands behind them is more of the same.
const LARGEST: usize = 64 << 10;
/// Fields of one file that are tried.
const FIELDS: usize = 40;
/// Occurrences of one field that are planted.
const PLACES: usize = 40;

/// What of it no report shows; a host with its domain is what a thing is called.
fn left(text: &str) -> Vec<&'static str> {
    NEEDLES
        .into_iter()
        .chain(["770077"])
        .filter(|n| *n != "planted.ex" && text.contains(n))
        .collect()
}

/// How a secret gets into a field.
#[derive(Clone, Copy)]
enum Way {
    /// Behind what stands there, as a sentence.
    Prose,
    /// Behind what stands there, without a blank.
    Word,
}

impl Way {
    fn put(self, text: &str) -> String {
        match self {
            // Behind a literal that is cut off, quotes would open what they close.
            Way::Prose if text.matches('\'').count() % 2 == 1 => format!("{text} {PLANT}"),
            Way::Prose => format!("{text} {PLANT}{STATEMENT}"),
            Way::Word => format!("{text}{WORD}"),
        }
    }
}

/// The names of the fields of JSON that hold text; members of lists are one field.
fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::String(_) => drop(found.insert(at.to_owned())),
        Value::Array(all) => all.iter().for_each(|v| fields(v, at, found)),
        Value::Object(all) => all.iter().for_each(|(k, v)| {
            found.insert(format!("{at}/{k}:"));
            fields(v, &format!("{at}/{k}"), found);
        }),
        _ => {}
    }
}

/// Plants one field of JSON; a field that ends in `:` is the name of a member.
fn plant(value: &mut Value, at: &str, field: &str, way: Way, places: &mut usize) {
    match value {
        Value::String(s) if at == field && *places < PLACES => {
            *s = way.put(s);
            *places += 1;
        }
        Value::Array(all) => all.iter_mut().for_each(|v| plant(v, at, field, way, places)),
        Value::Object(all) => {
            for (key, mut inner) in std::mem::take(all) {
                let here = format!("{at}/{key}");
                plant(&mut inner, &here, field, way, places);
                let own = field.strip_suffix(':') == Some(&here) && *places < PLACES;
                *places += usize::from(own);
                all.insert(if own { way.put(&key) } else { key }, inner);
            }
        }
        _ => {}
    }
}

/// Copies of a file, each with secrets in one field, or in one column or its name.
fn planted(text: &str) -> Vec<String> {
    if let Some(all) = documents(text) {
        let mut names = BTreeSet::new();
        all.iter().for_each(|d| fields(d, "", &mut names));
        let one = |(i, field): (usize, &String)| {
            let (mut all, mut places) = (all.clone(), 0);
            let way = if i % 3 == 2 { Way::Word } else { Way::Prose };
            all.iter_mut().for_each(|d| plant(d, "", field, way, &mut places));
            all.iter().map(|d| format!("{d}\n")).collect()
        };
        return names.iter().take(FIELDS).enumerate().map(one).collect();
    }
    if let Some((delimiter, records)) = table(text) {
        let columns = records[0].len().min(FIELDS / 2);
        let one = |(column, header): (usize, bool)| {
            let mut out = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            for (row, record) in records.iter().enumerate() {
                let own = if header { row == 0 } else { row > 0 && row < PLACES };
                let way = if row % 3 == 2 { Way::Word } else { Way::Prose };
                let cell = |(i, c): (usize, &str)| match own && i == column {
                    true => way.put(c),
                    false => c.to_owned(),
                };
                out.write_record(record.iter().enumerate().map(cell)).expect("memory");
            }
            let out = out.into_inner().expect("memory can be written");
            String::from_utf8(out).expect("text stays text")
        };
        return (0..columns).flat_map(|c| [(c, true), (c, false)]).map(one).collect();
    }
    // Behind each line, and in place of each text in quotes.
    let behind = |way: Way| text.lines().map(|l| way.put(l) + "\n").collect();
    let inside = |way: Way| {
        let parts = text.split('"').enumerate();
        let parts = parts.map(|(i, p)| if i % 2 == 1 { way.put(p) } else { p.to_owned() });
        parts.collect::<Vec<_>>().join("\"")
    };
    vec![behind(Way::Prose), behind(Way::Word), inside(Way::Prose), inside(Way::Word)]
}

/// Everything that is printed of a folder without an option that asks for more.
fn reports(folder: &Path) -> Vec<(&'static str, String)> {
    let options = Options::default();
    let style = Style { verbosity: Verbosity::Verbose, ..Style::default() };
    let mut out = Vec::new();
    match diagnose(folder, &options) {
        Ok(d) => of_diagnosis(&d, &style, &mut out),
        Err(e) => out.push(("error", e.to_string())),
    }
    match inspect(folder, &options) {
        Ok(i) => out.extend([
            ("inspect", report::inspection(&i, &style)),
            ("inspect json", report::json(&i)),
        ]),
        Err(e) => out.push(("inspect error", e.to_string())),
    }
    match sessions(folder, &options, &Wanted::default()) {
        Ok(s) => out.extend([
            ("sessions", report::sessions(&s, &style)),
            ("sessions json", report::json(&s)),
        ]),
        Err(e) => out.push(("sessions error", e.to_string())),
    }
    out
}

fn of_diagnosis(d: &Diagnosis, style: &Style, out: &mut Vec<(&'static str, String)>) {
    out.push(("text", report::text(d, style)));
    out.push(("json", report::json(d)));
    out.push(("ndjson", report::ndjson(d)));
    out.push(("sarif", report::sarif(d)));
    out.push(("html", report::html_report(d)));
    for template in [Template::Review, Template::Rca, Template::Light] {
        out.push(("review", report::review_markdown(d, template)));
        out.push(("review page", report::review_html(d, template)));
    }
    out.push(("timeline", report::timeline(d, style)));
    out.push(("graph", report::graph_text(d, style)));
    out.push(("dot", report::dot(d)));
    out.push(("mermaid", report::mermaid(d)));
    for h in &d.hypotheses {
        out.push(("explain", report::hypothesis(d, h, style)));
    }
    let c = compare(Digest::of(d), Digest::of(d));
    out.push(("diff", report::comparison(&c, style)));
    out.push(("diff json", report::json(&c)));
}

/// The reports of a folder in which something is left, and whether a mark stands in some.
fn seen(folder: &Path, shown: &str) -> (Vec<String>, bool) {
    let (mut bad, mut marked) = (Vec::new(), false);
    for (what, text) in reports(folder) {
        marked |= ["xxxxx", "[mail]", "[address]"].iter().any(|m| text.contains(m));
        // A number in a list of processes is a process, whatever stood around it.
        let mut text = text.replace("pid 770077", "").replace("pid\": 770077", "");
        if what == "sessions json" {
            text = text.replace("  770077,\n", "");
        }
        let found = left(&text);
        if let Some(first) = found.first() {
            let at = text.find(first).unwrap_or(0);
            let from = (0..=at.saturating_sub(90)).rev().find(|i| text.is_char_boundary(*i));
            let near: String = text[from.unwrap_or(0)..].chars().take(200).collect();
            bad.push(format!("{shown}: {what}: {found:?}: {near:?}"));
        }
    }
    (bad, marked)
}

fn tried(path: &PathBuf) -> Option<(Vec<String>, bool)> {
    let shown = path.strip_prefix(fixture("")).expect("in it").to_string_lossy().into_owned();
    let stored = std::fs::read(path).expect("the fixture can be read");
    let packed = stored.starts_with(&[0x1f, 0x8b]) && !shown.contains("broken");
    let plain = if packed { gunzip(&stored) } else { stored };
    let text = String::from_utf8(plain).ok().filter(|t| !t.contains('\0'))?;
    let cut = text.len() > LARGEST && !text.starts_with(['{', '[']);
    let end = text.get(..LARGEST).and_then(|t| t.rfind('\n')).map_or(text.len(), |e| e + 1);
    let text = if cut { &text[..end] } else { text.as_str() };
    if text.len() > 4 * LARGEST {
        return None;
    }
    let folder = Scratch::new();
    let own = name(path);
    let own = own.trim_end_matches(".gz");
    for (i, content) in planted(text).iter().enumerate() {
        folder.file(&format!("{i}/{own}"), content.as_bytes());
    }
    Some(seen(folder.path(), &shown))
}

#[test]
fn no_report_of_a_folder_as_it_came_shows_what_is_private() {
    let some = std::env::var("PRIVATE_ONLY").unwrap_or_default();
    let mut all = files(&fixture("formats"));
    all.retain(|p| p.to_string_lossy().contains(&some));
    let done: Vec<(Vec<String>, bool)> = all.par_iter().filter_map(tried).collect();
    let bad: Vec<&String> = done.iter().flat_map(|(bad, _)| bad).collect();
    let marked = done.iter().filter(|(_, m)| *m).count();
    println!("{} files, marks in the reports of {marked}", done.len());
    let shown: Vec<&str> = bad.iter().map(|b| b.as_str()).collect();
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), done.len(), shown.join("\n"));
    assert!(done.len() > 300 && marked * 3 > done.len() * 2, "{marked} of {}", done.len());
}

/// An incident with secrets in one field of each of its files; which one changes by the round.
fn planted_incident(name: &str, round: usize) -> Scratch {
    let from = fixture(&format!("incidents/{name}"));
    let folder = Scratch::new();
    for (i, path) in files(&from).iter().enumerate() {
        let inner = path.strip_prefix(&from).expect("in it").to_string_lossy().into_owned();
        let stored = std::fs::read(path).expect("the fixture can be read");
        let plain = if inner.ends_with(".gz") { gunzip(&stored) } else { stored };
        let text = String::from_utf8(plain).expect("recordings are text");
        let changed = match inner.as_str() {
            "truth.toml" => None,
            _ => Some(planted(&text)).filter(|all| !all.is_empty()),
        };
        let content = changed.map(|mut all| all.swap_remove((round * 5 + i) % all.len()));
        folder.file(inner.trim_end_matches(".gz"), content.unwrap_or(text).as_bytes());
    }
    folder
}

/// What stands in the texts of a rollup.
fn rolled(folder: &Path) -> String {
    let mut text = String::new();
    for path in files(folder) {
        let file = std::fs::File::open(path).expect("there");
        let rows = SerializedFileReader::new(file).expect("Parquet");
        for row in rows.get_row_iter(None).expect("rows") {
            text += &format!("{}\n", row.expect("a row"));
        }
    }
    text
}

#[test]
fn drills_rollups_and_tests_for_ci_show_nothing_private() {
    // Every view of a drill, of the components that these recordings have.
    const SCRIPT: &str = "help\nlook gateway\nlook web\nlook catalog\nlook orders\nlook store\n\
        look replica\nlook pg-main\nchanges\ngraph\nsessions\ntraces\ntraces gateway\n\
        query latency\nquery errors\nquery pool\nask dba\nhint\nguess gateway slow-dependency \
        --sure 20\nact\ngive up\n";
    let names = ["pool-exhaustion", "bad-deploy", "hot-row", "config-or-flag-change"];
    let turns: Vec<(&str, usize)> = names.iter().flat_map(|n| (0..4).map(|r| (*n, r))).collect();
    let one = |(name, round): &(&str, usize)| {
        let folder = planted_incident(name, *round);
        let other = Scratch::with(&[("script", SCRIPT.as_bytes())]);
        let (path, script) = (folder.arg(), other.path().join("script"));
        let script = script.to_string_lossy();
        let drill = rootline(&["drill", "start", &path, "--script", &script, "--level", "3"]);
        let out = other.path().join("out");
        let rollup = rootline(&["rollup", &path, "-o", &out.to_string_lossy()]);
        let mut catalog = Catalog::built_in().expect("the catalogue is sound");
        for s in &mut catalog.signatures {
            s.test.truncate(1);
            for t in &mut s.test {
                t.fixture = path.clone();
                t.expect = if round % 2 == 0 { Expect::NoMatch } else { Expect::Match };
            }
        }
        let tests = selftest::run(&catalog, Path::new("")).expect("there are tests");
        let whole = drill.code == 0 && drill.out.contains(" == DEBRIEF") && rollup.code == 0;
        let texts = [
            ("drill", drill.out),
            ("drill", drill.err),
            ("rollup", if rollup.code == 0 { rolled(&out) } else { String::new() }),
            ("rollup", rollup.err),
            ("junit", report::junit(&tests)),
        ];
        let bad = texts.iter().filter_map(|(what, text)| {
            let found = left(&text.replace("pid 770077", ""));
            let first = found.first()?;
            let near = text.lines().find(|l| l.contains(first)).unwrap_or_default();
            let near: String = near.chars().take(300).collect();
            Some(format!("{name} {round}: {what}: {found:?}: {near}"))
        });
        (bad.collect::<Vec<_>>(), whole)
    };
    let done: Vec<(Vec<String>, bool)> = turns.par_iter().map(one).collect();
    let bad: Vec<&str> = done.iter().flat_map(|(bad, _)| bad).map(String::as_str).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    let whole = done.iter().filter(|(_, w)| *w).count();
    assert!(whole * 4 > done.len() * 3, "only {whole} of {} were played to the end", done.len());
}
