//! The program from outside: exit codes, messages, outputs, looks.

use super::support::{Run, Scratch, finish, fixture, items, program, root, rootline, text};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use unicode_width::UnicodeWidthStr;

const INCIDENT: &str = "fixtures/incidents/pool-exhaustion";
const ESC: char = '\u{1b}';

/// Asserts an exit code, and words of the message in their order.
fn fails(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(run.code, code, "{}{}", run.out, run.err);
    let mut rest = run.err.as_str();
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("no `{word}` in: {}", run.err));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn help_lists_every_exit_code() {
    let run = rootline(&["--help"]);
    assert_eq!(run.code, 0);
    for code in 0..=5 {
        assert!(run.out.contains(&format!("\n  {code}  ")), "{code} in {}", run.out);
    }
    assert_eq!(rootline(&[]).code, 2);
    assert!(rootline(&["--version"]).out.starts_with("rootline "));
}

#[test]
fn a_folder_that_is_not_there_or_empty_is_a_usage_error() {
    fails(&rootline(&["diagnose", "no/such/folder"]), 2, &["error: no/such/folder", "no such"]);
    let empty = Scratch::new();
    fails(&rootline(&["diagnose", &empty.arg()]), 2, &["error: ", "no files", "hint: put exports"]);
}

#[test]
fn a_folder_of_photos_is_named_as_such() {
    let jpeg =
        Scratch::with(&[("beach.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"), ("b.jpg", b"\xff\xd8\xff")]);
    let run = rootline(&["diagnose", &jpeg.arg()]);
    fails(&run, 2, &["error: ", "none of 2 files", "JPEG picture", "hint: ", "--formats"]);
    let png = Scratch::with(&[("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")]);
    fails(&rootline(&["diagnose", &png.arg()]), 2, &["PNG picture"]);
}

#[test]
fn an_argument_that_is_not_known_is_a_usage_error() {
    fails(&rootline(&["diagnose", INCIDENT, "--bogus"]), 2, &["--bogus"]);
    fails(&rootline(&["diagnos", INCIDENT]), 2, &["diagnos", "diagnose"]);
    fails(&rootline(&["diagnose", INCIDENT, "--width", "7"]), 2, &["--width", "40"]);
    fails(&rootline(&["inspect"]), 2, &["no folder given", "hint: "]);
}

#[test]
fn fail_on_turns_a_verdict_into_an_exit_code() {
    let on =
        |verdict: &str, folder: &str| rootline(&["diagnose", folder, "-q", "--fail-on", verdict]);
    assert_eq!(on("confirmed", INCIDENT).code, 4);
    assert_eq!(on("likely", INCIDENT).code, 4);
    assert_eq!(on("likely", "fixtures/healthy/pool-exhaustion-before").code, 0);
}

#[test]
fn strict_data_stops_at_input_that_was_left_out() {
    let strict = |folder: &str| rootline(&["diagnose", folder, "-q", "--strict-data"]).code;
    assert_eq!(strict(INCIDENT), 0);
    assert_eq!(strict("fixtures/formats/broken/ragged.csv"), 5);
    let mixed = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
    mixed.file("beach.jpg", b"\xff\xd8\xff\xe0");
    assert_eq!(strict(&mixed.arg()), 5);
}

#[test]
fn strict_data_stops_at_a_file_that_is_cut_off_or_answers_with_an_error() {
    let packed = super::support::bytes("incidents/pool-exhaustion/prometheus/raw/redis.json.gz");
    let error = super::support::bytes("formats/prometheus/error.json");
    let broken = b"[window]\nincidents = 1\n".to_vec();
    let half = packed[..packed.len() / 2].to_vec();
    let files = [("cut.json.gz", half), ("error.json", error), ("incident.toml", broken)];
    let passed = files.iter().filter(|(name, content)| {
        let folder = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
        folder.file(name, content);
        rootline(&["diagnose", &folder.arg(), "-q", "--strict-data"]).code != 5
    });
    let passed: Vec<&str> = passed.map(|f| f.0).collect();
    assert!(passed.is_empty(), "not noticed by --strict-data: {passed:?}");
}

#[test]
fn explain_shows_a_hypothesis_of_a_folder() {
    let run = rootline(&["explain", "H1", INCIDENT]);
    assert_eq!(run.code, 0, "{}", run.err);
    for word in ["H1", "long-running-query-blocking", "13305", "pg_cancel_backend"] {
        assert!(run.out.contains(word), "{word} in {}", run.out);
    }
    fails(&rootline(&["explain", "H99", INCIDENT]), 2, &["\"H99\"", "hint: ", "H1 to H"]);
    fails(&rootline(&["explain", "bad-deploy", INCIDENT]), 2, &["bad-deploy", "it was rejected"]);
}

#[test]
fn explain_shows_a_signature_without_a_folder() {
    let run = rootline(&["explain", "long-running-query-blocking"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("DB-0001") && run.out.contains("pg_cancel_backend"), "{}", run.out);
    let slip = rootline(&["explain", "long-runing-query-blocking"]);
    fails(&slip, 2, &["error: ", "hint: did you mean \"long-running-query-blocking\"?"]);
}

#[test]
fn the_catalogue_lists_shows_and_describes_itself() {
    let list = rootline(&["catalog", "list"]);
    let files = super::support::files(&root().join("signatures"));
    for file in files.iter().filter(|f| !f.ends_with("signals.toml")) {
        let id = super::support::name(file).replace(".toml", "");
        assert!(list.out.contains(&id), "{id} in {}", list.out);
    }
    let by_code = rootline(&["catalog", "show", "db-0001"]);
    assert_eq!(by_code.code, 0, "{}", by_code.err);
    assert_eq!(by_code.out, rootline(&["catalog", "show", "long-running-query-blocking"]).out);
    fails(&rootline(&["catalog", "show", "retry-strom"]), 2, &["did you mean \"retry-storm\"?"]);
    let schema = rootline(&["catalog", "schema"]).json();
    assert!(schema["$schema"].is_string() && schema["properties"]["evidence"].is_object());
}

#[test]
fn the_catalogue_is_free_of_errors() {
    let run = rootline(&["catalog", "lint"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains(" 0 errors"), "{}", run.out);
}

#[test]
fn the_tests_of_all_signatures_pass() {
    let run = rootline(&["catalog", "test"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains(" 0 failed"), "{}", run.out);
}

/// A copy of the signatures in which one file was changed.
fn catalogue_with(file: &str, from: &str, to: &str) -> Scratch {
    let copy = Scratch::copy(&root().join("signatures"), |p| p == "signals.toml");
    let path = copy.path().join(file);
    let old = fs::read_to_string(&path).expect("the signature is there");
    assert!(old.contains(from), "{file} has no {from}");
    fs::write(&path, old.replacen(from, to, 1)).expect("the copy can be written");
    copy
}

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_the_right_word() {
    let copy = catalogue_with("overload/retry-storm.toml", "\ntitle = ", "\ntitel = ");
    for command in [&["diagnose", INCIDENT][..], &["catalog", "lint"], &["catalog", "list"]] {
        let run = rootline(&[command, &["--signatures", &copy.arg()]].concat());
        fails(&run, 3, &["retry-storm.toml:7:1: ", "`titel`", "hint: did you mean `title`?"]);
    }
    let copy = catalogue_with("overload/retry-storm.toml", "\nmechanism = ", "\nmechanisms = ");
    let run = rootline(&["catalog", "lint", "--signatures", &copy.arg()]);
    fails(&run, 3, &["retry-storm.toml:", "`mechanisms`", "did you mean `mechanism`?"]);
}

#[test]
fn lint_and_test_of_a_broken_catalogue_exit_with_3() {
    let copy = catalogue_with(
        "overload/retry-storm.toml",
        "category = \"overload\"",
        "category = \"leak\"",
    );
    let run = rootline(&["catalog", "lint", "--signatures", &copy.arg()]);
    assert_eq!(run.code, 3, "{}", run.out);
    assert!(run.out.contains("error: ") && run.out.contains("retry-storm.toml"), "{}", run.out);
    let copy = catalogue_with(
        "contention/long-running-query-blocking.toml",
        "expect = \"match\"",
        "expect = \"no-match\"",
    );
    let run = rootline(&["catalog", "test", "--signatures", &copy.arg()]);
    assert_eq!(run.code, 3, "{}", run.out);
    assert!(run.out.contains("long-running-query-blocking"), "{}", run.out);
    let empty = Scratch::new();
    let run = rootline(&["catalog", "list", "--signatures", &empty.arg()]);
    fails(&run, 3, &["no signature files"]);
}

#[test]
fn an_output_file_is_written_whole() {
    let scratch = Scratch::new();
    let (json, txt) = (scratch.path().join("a.json"), scratch.path().join("a.txt"));
    let (json_arg, txt_arg) = (json.to_string_lossy(), txt.to_string_lossy());
    let run =
        rootline(&["diagnose", INCIDENT, "-o", &json_arg, "-o", &txt_arg, "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(fs::read_to_string(&json).expect("written"), run.out);
    assert_eq!(fs::read_to_string(&txt).expect("written"), rootline(&["diagnose", INCIDENT]).out);
    assert_eq!(fs::read_dir(scratch.path()).expect("there").count(), 2);
}

#[test]
fn an_output_file_is_not_overwritten_unless_forced() {
    let scratch = Scratch::with(&[("a.json", b"mine")]);
    let path = scratch.path().join("a.json");
    let arg = path.to_string_lossy();
    let run = rootline(&["diagnose", INCIDENT, "-o", &arg]);
    fails(&run, 2, &["a.json: the file exists", "hint: ", "--force"]);
    assert_eq!(fs::read(&path).expect("there"), b"mine");
    assert_eq!(run.out, "", "nothing is analysed in vain");
    let forced = rootline(&["diagnose", INCIDENT, "-q", "-o", &arg, "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert!(fs::read(&path).expect("there").starts_with(b"{"));
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing_behind() {
    let scratch = Scratch::with(&[("a.json/inside", b"mine")]);
    let path = scratch.path().join("a.json");
    let run = rootline(&["diagnose", INCIDENT, "--force", "-o", &path.to_string_lossy()]);
    fails(&run, 1, &["error: ", "a.json"]);
    let left: Vec<_> = fs::read_dir(scratch.path()).expect("there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let run = rootline(&[
        "diagnose",
        INCIDENT,
        "-o",
        &scratch.path().join("no/a.json").to_string_lossy(),
    ]);
    fails(&run, 1, &["error: ", "no/a.json"]);
}

#[test]
fn an_output_with_an_unknown_suffix_is_a_usage_error() {
    for name in ["a.docx", "a", "a.json.bak"] {
        fails(
            &rootline(&["diagnose", INCIDENT, "-o", name]),
            2,
            &["suffix", "hint: use one of .txt, .json"],
        );
        assert!(!root().join(name).exists());
    }
}

#[test]
fn an_output_inside_the_folder_is_no_input_of_the_next_run() {
    let folder = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
    let path = folder.path().join("answer.json");
    let arg = path.to_string_lossy();
    let args = ["diagnose", &folder.arg(), "--format", "json", "--force", "-o", &arg];
    let first = rootline(&args);
    let second = rootline(&args);
    assert_eq!((first.code, second.code), (0, 0), "{}", second.err);
    assert_eq!(first.out, second.out);
}

#[test]
fn an_output_inside_the_folder_is_known_however_its_path_is_written() {
    let folder = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
    let plain = rootline(&["diagnose", &folder.arg(), "--format", "json"]).out;
    folder.file("answer.json", plain.as_bytes());
    let here = |input: &str, output: &str| {
        let args = ["diagnose", input, "--format", "json", "--force", "-o", output];
        finish(program(&args).current_dir(folder.path())).out
    };
    assert!(here(".", "answer.json") == plain, "`.` and `answer.json`");
    assert!(here(&folder.arg(), "./answer.json") == plain, "an absolute and a relative path");
}

#[test]
fn an_earlier_answer_in_the_folder_is_no_export() {
    let folder = Scratch::copy(&fixture("incidents/pool-exhaustion"), |_| false);
    let plain = rootline(&["diagnose", &folder.arg(), "--format", "json"]).out;
    folder.file("answer.json", plain.as_bytes());
    let again = rootline(&["diagnose", &folder.arg(), "--format", "json"]).json();
    let own = items(&again["inputs"]).iter().find(|i| i["path"] == "answer.json");
    let reader = own.map_or("none", |i| text(&i["reader"]));
    assert_eq!(reader, "none", "the program's own report is read as an export");
}

#[test]
fn the_offline_page_of_a_signature_has_every_section_in_order() {
    let sections = [
        "MECHANISM",
        "IMPACT",
        "DETECTION",
        "CANNOT RUN WITHOUT",
        "EVIDENCE THAT MUST BE THERE",
        "EVIDENCE THAT HELPS",
        "EVIDENCE AGAINST IT",
        "NUMBERS",
        "IMMEDIATE ACTIONS",
        "SHOW THAT IT WORKED",
        "RECOVERY",
        "PREVENTION",
        "AFTER THE INCIDENT",
        "SECURITY CHECK",
        "FALSE POSITIVES",
        "TOLD APART BY",
        "LOOK-ALIKES AND RELATIVES",
        "TESTS",
        "REFERENCES",
    ];
    for width in ["100", "60"] {
        let run = rootline(&["explain", "long-running-query-blocking", "--width", width]);
        assert_eq!(run.code, 0, "{}", run.err);
        let at: Vec<Option<usize>> =
            sections.iter().map(|s| run.out.find(&format!("\n {s}"))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}\n{}", run.out);
        let most: usize = width.parse().expect("a number");
        let long = |l: &&str| l.chars().count() > most && !l.starts_with("       ");
        let long: Vec<&str> = run.out.lines().filter(long).collect();
        assert!(long.is_empty(), "{width}: {}", long.join("\n"));
    }
}

#[test]
fn only_a_terminal_gets_colours() {
    let plain = rootline(&["diagnose", INCIDENT]);
    assert!(!plain.out.contains(ESC), "a pipe gets no escapes");
    let no_color = finish(program(&["diagnose", INCIDENT]).env("NO_COLOR", "1"));
    assert_eq!(no_color.out, plain.out);
    let always = rootline(&["diagnose", INCIDENT, "--color", "always"]);
    assert!(always.out.contains(ESC));
    assert!(!rootline(&["diagnose", INCIDENT, "--color", "never"]).out.contains(ESC));
    let dumb = finish(program(&["diagnose", INCIDENT]).env("TERM", "dumb"));
    assert!(dumb.out.is_ascii() && !dumb.out.contains(ESC));
}

/// Commands that reports may print on a line of their own, however long.
fn commands() -> Vec<String> {
    let answer = rootline(&["diagnose", INCIDENT, "--format", "json"]).json();
    let parts = items(&answer["hypotheses"]).iter();
    let all = parts.flat_map(|h| items(&h["mitigation"]).iter().chain(items(&h["discriminators"])));
    all.map(|a| text(&a["command"]).to_owned()).filter(|c| !c.is_empty()).collect()
}

#[test]
fn ascii_is_ascii_in_every_report() {
    let reports = [
        &["diagnose", INCIDENT][..],
        &["diagnose", INCIDENT, "-v", "--explain"],
        &["explain", "H1", INCIDENT],
        &["inspect", INCIDENT],
        &["catalog", "list"],
        &["catalog", "show", "retry-storm"],
    ];
    for args in reports {
        let run = rootline(&[args, &["--ascii"]].concat());
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        let odd: Vec<&str> = run.out.lines().filter(|l| !l.is_ascii()).collect();
        assert!(odd.is_empty(), "{args:?}: {}", odd.join("\n"));
    }
}

#[test]
fn no_line_is_wider_than_asked_but_commands() {
    let commands = commands();
    for width in ["60", "40", "100"] {
        let limit: usize = width.parse().expect("a number");
        for args in [
            &["diagnose", INCIDENT][..],
            &["diagnose", INCIDENT, "-v"],
            &["explain", "H1", INCIDENT],
        ] {
            let run = rootline(&[args, &["--width", width]].concat());
            let is_command = |l: &str| commands.iter().any(|c| l.contains(c.as_str()));
            let wide = run.out.lines().filter(|l| l.width() > limit && !is_command(l));
            let wide: Vec<&str> = wide.collect();
            assert!(wide.is_empty(), "{args:?} at {width}:\n{}", wide.join("\n"));
        }
    }
}

#[test]
fn columns_of_the_environment_are_used_where_there_is_no_terminal() {
    let run = finish(program(&["diagnose", INCIDENT]).env("COLUMNS", "60"));
    assert_eq!(run.out, rootline(&["diagnose", INCIDENT, "--width", "60"]).out);
}

#[test]
fn quiet_is_short_and_verbose_is_long() {
    let lines = |flag: &[&str]| {
        let run = rootline(&[&["diagnose", INCIDENT], flag].concat());
        assert_eq!(run.err, "");
        run.out.lines().count()
    };
    let (quiet, normal, verbose) = (lines(&["-q"]), lines(&[]), lines(&["-v"]));
    assert!(quiet <= 8 && quiet < normal && normal < verbose, "{quiet} {normal} {verbose}");
    let healthy = rootline(&["diagnose", "fixtures/healthy/pool-exhaustion-before", "-q"]);
    assert!(healthy.out.lines().count() <= 2 && healthy.out.contains("HEALTHY"), "{}", healthy.out);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let args = ["diagnose", INCIDENT, "--format", "json"];
    let whole = rootline(&args).out.len();
    assert!(whole > 1 << 16, "the output fits into the pipe: this test would prove nothing");
    let mut child = program(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut out = BufReader::with_capacity(16, child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("one line comes");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert_eq!(message, "");
}

#[test]
fn inspect_accounts_for_every_file_and_every_format() {
    let run = rootline(&["inspect", INCIDENT]);
    assert_eq!(run.code, 0, "{}", run.err);
    let folder = root().join(INCIDENT);
    for file in super::support::files(&folder) {
        let inner = file.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
        assert_eq!(run.out.contains(&inner), inner != "truth.toml", "{inner} in {}", run.out);
    }
    let formats = rootline(&["inspect", "--formats"]);
    for reader in rootline::ingest::READERS {
        assert!(formats.out.contains(reader.name), "{} in {}", reader.name, formats.out);
    }
}
