//! The terminal report as people see it: real fixtures at every width and in every mode, against
//! snapshots that are reviewed as pictures, and the rules that hold for every fixture.

use super::support::{Run, folders, name, rootline};
use unicode_width::UnicodeWidthStr;

/// What a terminal shows at once; the report's own aim is the same.
const SCREEN: usize = 60;
/// Lines of the longest report: long commands and a chain of six are not cut.
const MOST: usize = 64;
const WIDTHS: [&str; 5] = ["60", "80", "100", "160", "200"];
/// Verdicts, data and mechanisms of every kind, all but one recorded from real systems.
const SHOWN: [&str; 4] = [
    "incidents/pool-exhaustion",
    "incidents/cache-stampede",
    "incidents/telemetry-blind-spot",
    "healthy/healthy-peak",
];

fn screen(folder: &str, args: &[&str]) -> String {
    let mut all = vec!["diagnose", folder];
    all.extend(args);
    let Run { code, out, err } = rootline(&all);
    assert_eq!((code, err.as_str()), (0, ""), "{folder} {args:?}");
    // The catalogue's hash changes with every signature.
    match out.split_whitespace().last() {
        Some(hash) if !args.contains(&"-q") => out.replace(hash, "000000000000"),
        _ => out,
    }
}

fn check(snapshot: &str, screen: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(snapshot, screen);
    });
}

#[test]
fn every_width_looks_as_reviewed() {
    for folder in SHOWN {
        for width in WIDTHS {
            let screen = screen(&format!("fixtures/{folder}"), &["--width", width]);
            check(&format!("screen_{}_{width}", folder.replace('/', "_")), &screen);
        }
    }
}

#[test]
fn every_mode_looks_as_reviewed() {
    let folder = "fixtures/incidents/pool-exhaustion";
    for (mode, args) in [
        ("color", &["--width", "100", "--color", "always"][..]),
        ("ascii", &["--width", "100", "--ascii"]),
        ("ascii_60", &["--width", "60", "--ascii"]),
        ("quiet", &["-q"]),
        ("quiet_60", &["-q", "--width", "60"]),
        ("verbose", &["-v", "--width", "100"]),
    ] {
        check(&format!("screen_mode_{mode}"), &screen(folder, args));
    }
    // A pipe of 100 columns is what a terminal of 100 columns shows without colour.
    assert_eq!(screen(folder, &[]), screen(folder, &["--width", "100", "--color", "never"]));
}

#[test]
fn a_report_is_one_screen_with_the_verdict_and_first_aid_at_its_top() {
    let (mut found, mut long) = (Vec::new(), 0);
    for folder in folders("incidents").iter().chain(&folders("healthy")) {
        let screen = screen(&folder.display().to_string(), &["--width", "100"]);
        let lines: Vec<&str> = screen.lines().collect();
        let at = |what: &str| lines.iter().position(|l| l.starts_with(what));
        let verdict = at(" VERDICT").expect("there is a verdict");
        let aid = at(" MITIGATE FIRST").or(at(" IF YOU MUST ACT NOW"));
        let evidence = at(" DECISIVE EVIDENCE");
        let ordered = evidence.is_none_or(|e| aid.is_some_and(|a| verdict < a && a < e));
        long += usize::from(lines.len() > SCREEN);
        if lines.len() > MOST || verdict > 11 || !ordered {
            found.push(format!("{}: {} lines, verdict at {verdict}", name(folder), lines.len()));
        }
    }
    assert!(found.is_empty(), "not a screen to read at night:\n  {}", found.join("\n  "));
    assert!(long <= 9, "{long} reports of about a hundred are longer than a screen");
}

#[test]
fn evidence_points_to_a_file_and_a_time() {
    let screen = screen("fixtures/incidents/pool-exhaustion", &["--width", "160"]);
    let evidence = screen.split("DECISIVE EVIDENCE").nth(1).expect("there is evidence");
    let evidence = evidence.split("\n\n").next().unwrap_or_default();
    assert!(evidence.contains("pg/replica_pg_stat_activity.csv.gz:730 @20:10:00"), "{evidence}");
    let widest = screen.lines().filter(|l| !l.contains("SELECT")).map(|l| l.width()).max();
    assert!(widest <= Some(160), "{widest:?}");
}
