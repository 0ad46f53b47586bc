//! The invariants of `lib.rs` and the tidiness of the repository, by reading its files.

use super::source::{Source, first_names, functions, sources};
use super::support::{self, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a file outside its tests.
const FILE_LINES: usize = 450;
const FUNCTION_LINES: usize = 80;
const COLUMNS: usize = 110;
const BLOB_BYTES: u64 = 256 << 10;

/// One message for everything that was found.
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// The modules of `lib.rs` from top to bottom.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs is there");
    let names = text.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// Ids of the built-in signatures with their category, from the names of the files.
fn signatures() -> BTreeMap<String, PathBuf> {
    let all = support::files(&root().join("signatures"));
    let all = all.into_iter().filter(|p| support::name(p) != "signals.toml");
    all.map(|p| (support::name(&p).trim_end_matches(".toml").to_owned(), p)).collect()
}

fn outside<'a>(all: &'a [Source], allowed: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    all.iter().filter(|s| !allowed.contains(&s.module.as_str()))
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = modules();
    assert!(order.len() > 15, "modules of lib.rs were not found");
    let place = |m: &str| order.iter().position(|o| o == m);
    let mut found = Vec::new();
    for s in sources().iter().filter(|s| !["lib", "main"].contains(&s.module.as_str())) {
        let own = place(&s.module).unwrap_or_else(|| panic!("{} is not in lib.rs", s.path));
        for name in first_names(&s.code, "crate") {
            let root_item =
                ["diagnose", "diagnose_with", "catalog_at_site", "inspect", "sessions", "Options"]
                    .contains(&name.as_str());
            let allowed = match place(&name) {
                Some(at) => at <= own,
                None => root_item && ["selftest", "matrix", "cli"].contains(&s.module.as_str()),
            };
            if !allowed {
                found.push(format!("src/{} uses crate::{name}", s.path));
            }
        }
        let to_root = match s.path.matches('/').count() {
            0 => "super::",
            _ if s.path.ends_with("/mod.rs") => "super::",
            _ => "super::super::",
        };
        let item = |at: usize| s.code[at + to_root.len()..].split("::").next().unwrap_or("");
        let reaches = |at: &usize| !s.code[..*at].ends_with("::") && place(item(*at)).is_some();
        if s.code.match_indices(to_root).map(|(at, _)| at).any(|at| reaches(&at)) {
            found.push(format!("src/{} reaches other modules by {to_root}", s.path));
        }
    }
    none(found, "a module may use only modules above it in lib.rs");
}

#[test]
fn only_main_prints_exits_and_reads_the_environment() {
    const WORDS: [&str; 6] =
        ["println!", "print!", "process::exit", "process::abort", "env::", "std::env"];
    let all = sources();
    let mut found = Vec::new();
    for s in outside(&all, &["main"]) {
        let words = WORDS.iter().filter(|w| s.code.contains(*w));
        found.extend(words.map(|w| format!("src/{}: {w}", s.path)));
        let std = first_names(&s.code, "std");
        found.extend(std.contains("env").then(|| format!("src/{}: std::env", s.path)));
    }
    none(found, "only main prints, exits and reads the environment");
}

#[test]
fn polars_and_files_stay_where_they_belong() {
    let all = sources();
    let polars = ["ingest", "telemetry", "normalize", "rollup", "features"];
    let files = ["ingest", "catalog", "lake", "record", "cli"];
    let mut found = Vec::new();
    for s in outside(&all, &polars) {
        found.extend(s.code.contains("polars::").then(|| format!("src/{}: polars", s.path)));
    }
    for s in outside(&all, &files) {
        let uses = first_names(&s.code, "std").contains("fs") || s.code.contains("File::");
        found.extend(uses.then(|| format!("src/{}: std::fs", s.path)));
    }
    none(found, "polars and files have their modules");
}

#[test]
fn only_record_opens_a_connection_or_asks_the_clock() {
    let words = ["ureq::", "postgres::Client", "rustls::", "TcpStream", "UdpSocket"];
    // The scaffold of a signature has a date, which `cli` writes.
    let words = words.iter().chain(&["SystemTime::now", "Instant::now"]);
    let all = sources();
    assert!(all.iter().any(|s| s.module == "record" && s.code.contains("ureq::")));
    let mut found = Vec::new();
    for s in outside(&all, &["record", "main"]) {
        let hits = words.clone().filter(|w| s.code.contains(**w));
        found.extend(hits.map(|w| format!("src/{}: {w}", s.path)));
    }
    none(found, "only live capture opens a connection or asks the clock");
}

#[test]
fn no_code_is_unsafe() {
    for file in ["lib.rs", "main.rs"] {
        let text = fs::read_to_string(root().join("src").join(file)).expect("it is there");
        assert!(text.contains("#![forbid(unsafe_code)]"), "src/{file} does not forbid unsafe code");
    }
}

#[test]
fn no_signature_stands_in_the_source() {
    let ids = signatures();
    assert!(ids.len() > 10, "signatures were not found");
    let mut found = Vec::new();
    for s in &sources() {
        // A verdict is called like the null hypothesis it comes from.
        let verdict = |w: &str| s.path == "diagnosis/mod.rs" && w == "healthy";
        for (line, literal) in &s.strings {
            let words = literal.split(|c: char| !(c.is_alphanumeric() || c == '-'));
            let exact = std::iter::once(literal.as_str());
            let long = words.filter(|w| w.contains('-') && *w != literal);
            let hits = exact.chain(long).filter(|w| ids.contains_key(*w) && !verdict(w));
            found.extend(hits.map(|w| format!("src/{}:{line}: \"{w}\"", s.path)));
        }
    }
    none(found, "signature ids belong into signatures/ and tests");
}

/// Services of the fixtures: who wrote the traces, and whom the truth names.
fn services() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in [support::folders("incidents"), support::folders("healthy")].concat() {
        for file in support::files(&folder) {
            if let Some(stem) = support::name(&file).strip_suffix(".jsonl.gz") {
                found.insert(stem.to_owned());
            }
        }
        let truth = fs::read_to_string(folder.join("truth.toml")).unwrap_or_default();
        let truth: toml::Table = truth.parse().expect("truth.toml is TOML");
        let names = truth.get("truth").and_then(|t| t.get("entity")?.as_array().cloned());
        found
            .extend(names.unwrap_or_default().iter().filter_map(|n| n.as_str()).map(str::to_owned));
    }
    found
}

#[test]
fn no_service_of_a_fixture_stands_in_the_source() {
    /// Names in fixtures that are words of the trade: an edge of the graph, a pooler, a web server, a
    /// broker, the whole of it.
    const WORDS: [&str; 5] = ["edge", "pgbouncer", "web", "system", "rabbitmq"];
    let services = services();
    assert!(services.contains("checkout") && services.contains("pg-replica"));
    let mut found = Vec::new();
    for s in &sources() {
        // A partition's name is a number, and numbers stand everywhere.
        let number = |l: &str| l.bytes().all(|b| b.is_ascii_digit());
        let named = |l: &str| services.contains(l) && !WORDS.contains(&l) && !number(l);
        let hits = s.strings.iter().filter(|(_, l)| named(l));
        found.extend(hits.map(|(line, l)| format!("src/{}:{line}: \"{l}\"", s.path)));
    }
    none(found, "service names of fixtures belong into tests");
}

/// Modules that may look at the labels of fixtures: they test the catalogue, or train people.
const LABELLED: [&str; 5] = ["catalog", "matrix", "lint", "drill", "cli"];

#[test]
fn the_diagnosis_never_opens_the_truth() {
    let mut found = Vec::new();
    for s in &sources() {
        for (line, _) in s.strings.iter().filter(|(_, l)| l.contains("truth.toml")) {
            let code = s.text.lines().nth(line - 1).unwrap_or_default();
            let left_out = s.path == "ingest/walk.rs" && code.contains("name == \"truth.toml\"");
            // `catalog new` writes labels and says where recordings go.
            let named =
                ["catalog/fixtures.rs", "catalog/scaffold.rs", "cli/catalog.rs", "simulate/mod.rs"];
            let named = named.contains(&s.path.as_str());
            if !left_out && !named {
                found.push(format!("src/{}:{line}: {}", s.path, code.trim()));
            }
        }
        let labelled = LABELLED.contains(&s.module.as_str());
        let reads = ["catalog::fixtures", "fixtures::{", "fixtures::"];
        if !labelled && reads.iter().any(|r| s.code.contains(r)) {
            found.push(format!("src/{} reads the labels of fixtures", s.path));
        }
    }
    none(found, "truth.toml is left out by ingest and read by the catalogue's tests only");
}

#[test]
fn reports_compute_nothing() {
    let stages = ["features", "rank", "matching", "rollup", "normalize", "telemetry", "graph"];
    let mut found = Vec::new();
    for s in sources().iter().filter(|s| s.module == "report") {
        let names = first_names(&s.code, "crate");
        let used = stages.iter().filter(|m| names.contains(**m));
        found.extend(used.map(|m| format!("src/{} uses {m}", s.path)));
    }
    none(found, "reports render a finished diagnosis");
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut found = Vec::new();
    for s in &sources() {
        let path = &s.path;
        if s.lines > FILE_LINES {
            found.push(format!("src/{path}: {} lines outside tests, not {FILE_LINES}", s.lines));
        }
        for (name, line, lines) in functions(&s.code) {
            if lines > FUNCTION_LINES {
                found.push(format!("src/{path}:{line}: fn {name}: {lines} lines"));
            }
        }
        for (i, line) in s.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS {
                found.push(format!("src/{path}:{}: {columns} columns", i + 1));
            }
        }
    }
    none(found, "files, functions and lines stay short");
}

/// Every Rust file of the package: path in the repository and text.
fn rust_files() -> Vec<(String, String)> {
    let folders = ["src", "tests"].map(|f| support::files(&root().join(f))).concat();
    let all = folders.into_iter().chain([root().join("build.rs")]);
    let all = all.filter(|p| p.extension().is_some_and(|e| e == "rs"));
    let shown = |p: &Path| p.strip_prefix(root()).expect("in it").to_string_lossy().into_owned();
    all.map(|p| (shown(&p), fs::read_to_string(&p).expect("source is UTF-8"))).collect()
}

#[test]
fn every_file_says_first_what_it_is_and_none_is_unfinished() {
    // In two halves, so that this file does not accuse itself.
    let words = [("to", "do!"), ("db", "g!"), ("TO", "DO"), ("FIX", "ME"), ("unimple", "mented!")];
    let words = words.map(|(a, b)| format!("{a}{b}"));
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        found.extend((!text.starts_with("//!")).then(|| format!("{path}: no `//!` at the top")));
        for (i, line) in text.lines().enumerate() {
            let hits = words.iter().filter(|w| line.contains(w.as_str()));
            found.extend(hits.map(|w| format!("{path}:{}: {w}", i + 1)));
        }
    }
    none(found, "files are finished and say what they are");
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut found = Vec::new();
    for s in &sources() {
        for (i, line) in s.code.lines().enumerate() {
            let hit = line.contains(".unwrap()") || line.contains("panic!(");
            found.extend(hit.then(|| format!("src/{}:{}", s.path, i + 1)));
        }
    }
    none(found, "use `expect` with the reason, or an error");
}

#[test]
fn a_signature_is_named_by_its_file_and_its_folder() {
    let mut found = Vec::new();
    for (stem, path) in signatures() {
        let text = fs::read_to_string(&path).expect("signatures are UTF-8");
        let file: toml::Table = text.parse().unwrap_or_else(|e| panic!("{stem}: {e}"));
        let get = |key: &str| file["signature"][key].as_str().unwrap_or_default().to_owned();
        let folder = path.parent().map(support::name).unwrap_or_default();
        if get("id") != stem || get("category") != folder {
            found.push(format!("{}: {}/{}", path.display(), get("category"), get("id")));
        }
    }
    none(found, "id = stem, category = folder");
}

/// Files of the repository; all files outside build output where there is no git.
fn repository() -> Vec<PathBuf> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let git = Command::new("git").args(list).current_dir(root()).output();
    let listed = git.ok().filter(|o| o.status.success()).map(|o| {
        let names = String::from_utf8_lossy(&o.stdout).into_owned();
        names.split('\0').filter(|n| !n.is_empty()).map(|n| root().join(n)).collect()
    });
    listed.unwrap_or_else(|| {
        let parts = ["src", "tests", "signatures", "fixtures"];
        parts.iter().flat_map(|p| support::files(&root().join(p))).collect()
    })
}

#[test]
fn no_file_is_large() {
    let size = |p: &PathBuf| fs::metadata(p).map_or(0, |m| m.len());
    let large = repository().into_iter().filter(|p| size(p) > BLOB_BYTES);
    none(large.map(|p| format!("{}: {} bytes", p.display(), size(&p))).collect(), "256 KiB a file");
}

#[test]
fn every_fixture_is_used_by_a_test() {
    let mut known = String::new();
    let tests = support::files(&root().join("tests/it"));
    for path in signatures().into_values().chain(tests) {
        known.push_str(&fs::read_to_string(path).expect("tests are UTF-8"));
    }
    let mut found = Vec::new();
    for kind in ["incidents", "healthy", "formats"] {
        let names = support::folders(kind).iter().map(|p| support::name(p)).collect::<Vec<_>>();
        let used = |n: &&String| known.contains(&format!("{kind}/{n}"));
        found.extend(names.iter().filter(|n| !used(n)).map(|n| format!("fixtures/{kind}/{n}")));
    }
    none(found, "a fixture that no test names is dead");
}

#[test]
fn every_area_is_compiled() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).expect("main.rs is there");
    let names = support::files(&root().join("tests/it"));
    let names = names.iter().map(|p| support::name(p));
    let stems = names.filter_map(|n| n.strip_suffix(".rs").map(str::to_owned));
    let forgotten = stems.filter(|s| s != "main" && !main.contains(&format!("mod {s};")));
    none(forgotten.collect(), "main.rs does not name");
}
