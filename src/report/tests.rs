//! What every text report must hold, checked on one incident made by hand.

use super::*;
use crate::diagnosis::{Diagnosis, Verdict};
use crate::model::Unit;
use unicode_width::UnicodeWidthStr;

fn style(width: usize) -> Style {
    Style { width, ..Style::default() }
}

/// Every kind of text report of one diagnosis.
fn all(d: &Diagnosis, style: Style) -> Vec<String> {
    let mut out = Vec::new();
    for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose] {
        for explain in [false, true] {
            out.push(text(d, &Style { verbosity, explain, ..style }));
        }
    }
    out.extend(d.hypotheses.iter().map(|h| hypothesis(d, h, &style)));
    out
}

fn place(report: &str, what: &str) -> usize {
    report.find(what).unwrap_or_else(|| panic!("no {what:?} in\n{report}"))
}

/// Strings as bad data would have them, in every field that comes from data.
fn hostile() -> Diagnosis {
    const BAD: &str = "x\u{1b}[31mred\u{1b}[0m\r\n\u{202e}desrever\u{7}größe→漢字";
    let mut d = sample::diagnosis();
    d.title = Some(BAD.to_owned());
    d.window.how = BAD.to_owned();
    d.inputs[0].reader = BAD.to_owned();
    d.reasons[0] = BAD.to_owned();
    d.impact[0].said = BAD.to_owned();
    d.impact[0].entity.name = BAD.repeat(4);
    d.catalog.hash = BAD.to_owned();
    let h = &mut d.hypotheses[0];
    h.id = BAD.to_owned();
    h.headline = BAD.repeat(9).replace(' ', "");
    h.title = BAD.to_owned();
    h.signature = Some(BAD.to_owned());
    h.code = Some(BAD.to_owned());
    h.entity.name = BAD.to_owned();
    h.entity.service = "other".to_owned();
    h.facts.insert(BAD.to_owned(), BAD.to_owned());
    h.evidence[0].id = BAD.to_owned();
    h.evidence[0].said = BAD.to_owned();
    h.evidence[1].said = String::new();
    h.evidence[1].name = BAD.to_owned();
    h.evidence[1].nats = f64::NAN;
    h.chain[1].entity.name = BAD.to_owned();
    h.chain[1].said = BAD.to_owned();
    h.chain[1].evidence = vec![BAD.to_owned(); 9];
    h.chain[0].after = Some(BAD.to_owned());
    h.terms[0].name = BAD.to_owned();
    h.terms[0].nats = f64::INFINITY;
    h.discriminators[0].question = BAD.to_owned();
    h.mitigation[2].command = Some(BAD.to_owned());
    h.mitigation[2].on = Some(BAD.to_owned());
    if let Some(source) = &mut h.evidence[0].source {
        source.file = BAD.repeat(5);
    }
    d.hypotheses[1].probability = f64::NAN;
    d.timeline[0].said = BAD.to_owned();
    d.timeline[1].at = i64::MIN;
    d.timeline[2].at = i64::MAX;
    d.gaps[0].file = Some(BAD.to_owned());
    d.gaps[1].what = BAD.to_owned();
    d.skipped[0].missing = vec![BAD.to_owned()];
    d.rejected[0].reason = BAD.to_owned();
    d
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut wide = sample::diagnosis();
    // A command is never broken or cut, so commands are left out here.
    for action in wide.hypotheses.iter_mut().flat_map(|h| &mut h.mitigation) {
        action.command = None;
    }
    let mut bad = hostile();
    for h in &mut bad.hypotheses {
        h.mitigation.clear();
        h.discriminators.iter_mut().for_each(|c| c.command = None);
    }
    wide.hypotheses[0].discriminators[0].command = None;
    for d in [wide, bad] {
        for width in [0, 40, 47, 60, 79, 80, 100, 160, 200, 9999] {
            for ascii in [false, true] {
                for report in all(&d, Style { ascii, ..style(width) }) {
                    for line in report.lines() {
                        let limit = width.clamp(40, 200);
                        assert!(line.width() <= limit, "{width}: {line}\n{report}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_command_stands_whole_on_its_own_line() {
    let d = sample::diagnosis();
    for width in [40, 60, 100] {
        let report = text(&d, &style(width));
        for action in &d.hypotheses[0].mitigation {
            if let Some(command) = &action.command {
                assert!(report.lines().any(|l| l.trim() == command), "{report}");
            }
        }
    }
}

#[test]
fn ascii_writes_nothing_but_ascii() {
    for d in [sample::diagnosis(), hostile(), sample::empty()] {
        for width in [60, 100] {
            for report in all(&d, Style { ascii: true, ..style(width) }) {
                assert!(report.is_ascii(), "{report}");
            }
        }
    }
}

#[test]
fn control_characters_of_the_data_never_come_out() {
    for d in [sample::diagnosis(), hostile()] {
        for report in all(&d, style(100)) {
            let bad = report.chars().find(|c| *c != '\n' && clean::is_hazard(*c));
            assert_eq!(bad, None, "{report}");
        }
        let text = json(&d);
        assert!(!text.chars().any(|c| c != '\n' && clean::is_hazard(c)));
        let back: serde_json::Value = serde_json::from_str(&text).expect("json writes JSON");
        let title = back["title"].as_str().map(str::to_owned);
        assert_eq!(title, d.title);
    }
}

#[test]
fn color_only_adds_escapes() {
    let d = sample::diagnosis();
    let plain = text(&d, &style(100));
    let mut colored = text(&d, &Style { color: true, ..style(100) });
    assert_ne!(plain, colored);
    for code in ["\u{1b}[1;31m", "\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[1m", "\u{1b}[0m"] {
        colored = colored.replace(code, "");
    }
    assert_eq!(plain, colored);
}

#[test]
fn the_verdict_stands_before_evidence_and_first_aid_before_prevention() {
    let verbose = Style { verbosity: Verbosity::Verbose, ..style(100) };
    let order = [
        "INCIDENT",
        "CONFIRMED",
        "MITIGATE FIRST",
        "pg_cancel_backend(13305)",
        "CAUSAL CHAIN",
        "DECISIVE EVIDENCE",
        "COMPETING HYPOTHESES",
        "NEXT CHECKS",
        "statement_timeout",
        "TIMELINE",
        "DATA QUALITY",
        "rootline explain H1 FOLDER",
    ];
    for style in [style(100), verbose] {
        let report = text(&sample::diagnosis(), &style);
        // Prevention is not for the night: a full screen leaves it to -v.
        let shown = order
            .iter()
            .filter(|what| style.verbosity == Verbosity::Verbose || **what != "statement_timeout");
        let places: Vec<usize> = shown.map(|what| place(&report, what)).collect();
        assert!(places.is_sorted(), "{report}");
    }
}

#[test]
fn healthy_prints_no_cause() {
    let mut d = sample::diagnosis();
    d.verdict = Verdict::Healthy;
    for explain in [false, true] {
        for verbosity in [Verbosity::Quiet, Verbosity::Normal] {
            let report = text(&d, &Style { verbosity, ..style(100) });
            assert!(report.contains("HEALTHY: nothing in this data needs a cause"), "{report}");
            for no in ["metabase (pid", "MITIGATE", "CHAIN", "COMPETING", "pg_cancel"] {
                assert!(!report.contains(no), "{explain} {no}\n{report}");
            }
        }
    }
}

#[test]
fn inconclusive_says_so_first() {
    let mut d = sample::diagnosis();
    d.verdict = Verdict::Inconclusive;
    let report = text(&d, &style(100));
    assert!(place(&report, "INCONCLUSIVE: no explanation") < place(&report, "metabase"));
    assert!(report.contains("IF YOU MUST ACT NOW"), "{report}");
}

#[test]
fn quiet_is_the_verdict_and_the_first_thing_to_do() {
    let quiet = Style { verbosity: Verbosity::Quiet, ..style(100) };
    let report = text(&sample::diagnosis(), &quiet);
    assert!(report.starts_with("CONFIRMED: A 3m32s query"), "{report}");
    assert!(report.contains("pg_cancel_backend") && report.lines().count() <= 6, "{report}");
}

#[test]
fn nothing_is_written_without_panic() {
    let mut d = sample::empty();
    for verdict in [Verdict::Healthy, Verdict::Inconclusive, Verdict::Likely, Verdict::Confirmed] {
        d.verdict = verdict;
        assert_eq!(all(&d, style(80)).len(), 6);
    }
    let mut d = sample::diagnosis();
    d.window.incident = d.window.baseline;
    for link in &mut d.hypotheses[0].chain {
        if let Some(spark) = &mut link.spark {
            spark.axis.to = spark.axis.from;
            spark.cells.clear();
            spark.before = Some(f64::NAN);
            spark.unit = Unit::Instant;
        }
    }
    assert!(!all(&d, style(100)).is_empty());
}

#[test]
fn verbose_leaves_nothing_out() {
    let mut d = sample::diagnosis();
    d.gaps.extend(d.gaps.clone());
    let verbose = Style { verbosity: Verbosity::Verbose, ..style(100) };
    let normal = text(&d, &style(100));
    assert!(
        normal.contains("DATA QUALITY 1 of") && normal.contains("-v shows everything"),
        "{normal}"
    );
    let report = text(&d, &verbose);
    assert!(!report.contains("(-v)") && !report.contains("DATA QUALITY 1"), "{report}");
    for s in &d.skipped {
        assert!(report.contains(&s.signature));
    }
}
