//! The draft of a review: every statement carries an id that its appendix explains, or is left open.

use super::html::links_resolve;
use super::support::{fixture, rootline};
use std::collections::BTreeSet;

/// What people have to fill in; in two halves, so that this file is not taken for unfinished.
const OPEN: &str = concat!("TO", "DO");
const INCIDENTS: [&str; 4] = [
    "incidents/pool-exhaustion",
    "incidents/retry-storm",
    "incidents/node-not-ready",
    "healthy/cache-single-flight",
];

fn review(name: &str, template: &str, format: &str) -> String {
    let folder = fixture(name);
    let folder = folder.to_string_lossy();
    let run = rootline(&["report", "--template", template, "--format", format, &folder]);
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// Ids that a line cites, `[E1]`.
fn cited(line: &str) -> Vec<&str> {
    let parts = line.split('[').skip(1).filter_map(|p| p.split(']').next());
    let is_id = |p: &&str| {
        let digits = p.trim_start_matches(|c: char| c.is_ascii_uppercase());
        p.len() > digits.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    parts.filter(is_id).collect()
}

#[test]
fn every_statement_rests_on_an_id_of_the_appendix_or_is_open() {
    for name in INCIDENTS {
        for template in ["review", "rca", "light"] {
            let text = review(name, template, "markdown");
            let (body, appendix) = text.split_once("\n## Evidence\n").expect("an appendix");
            let entries = appendix.lines().filter_map(|l| l.split("**").nth(1));
            let known: BTreeSet<&str> = entries.collect();
            let mut used = BTreeSet::new();
            let mut statements = 0;
            let is_statement = |l: &&str| {
                l.starts_with("- ")
                    || l.starts_with("| ") && !l.contains("---") && !l.ends_with("Evidence |")
            };
            for line in body.lines().filter(is_statement) {
                let ids = cited(line);
                let open = line.starts_with(&format!("- **{OPEN}**: "));
                assert!(open || !ids.is_empty(), "{name} {template}: {line}");
                assert!(!open || ids.is_empty(), "{name} {template}: {line}");
                statements += usize::from(!open);
                used.extend(ids);
            }
            assert!(statements >= 3, "{name} {template}: {statements} statements");
            assert_eq!(used, known, "{name} {template}: used and explained");
            for id in &known {
                let link = format!("[{id}]: #{}\n", id.to_lowercase());
                let anchor = format!("<a id=\"{}\">", id.to_lowercase());
                assert!(appendix.contains(&link) && appendix.contains(&anchor), "{id}");
            }
        }
    }
}

#[test]
fn a_review_tells_trigger_detection_mitigation_and_leaves_people_to_people() {
    let text = review("incidents/pool-exhaustion", "review", "markdown");
    let sections: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    let wanted = [
        "Summary",
        "Impact",
        "Timeline",
        "Root cause",
        "Contributing factors",
        "Trigger",
        "Detection",
        "Mitigation",
        "Security check",
        "Lessons",
        "Action items",
        "Doubts and open checks",
        "Evidence",
    ];
    assert_eq!(sections, wanted);
    let part = |title: &str| {
        let after = text.split(&format!("\n## {title}\n")).nth(1).expect("the section");
        after.split("\n## ").next().unwrap_or_default().to_owned()
    };
    assert!(part("Summary").contains("13305"));
    let trigger = part("Trigger");
    let migration = trigger.lines().find(|l| l.contains("migration V42")).expect("the migration");
    assert!(migration.contains("the evidence of the cause names it") && migration.contains("[E8]"));
    let deploy = trigger.lines().find(|l| l.contains("1.4.2")).expect("the deploy");
    assert!(deploy.contains("no evidence of the cause names it"), "{deploy}");
    assert!(part("Detection").contains("No alert after it is in the data"));
    assert!(part("Mitigation").contains("SELECT pg_cancel_backend(13305)"));
    let actions = part("Action items");
    let rows: Vec<&str> = actions.lines().filter(|l| l.starts_with("| prevent")).collect();
    assert!(rows.len() >= 3);
    assert!(rows.iter().all(|r| r.matches(OPEN).count() == 2), "owner and date are open");
}

#[test]
fn reviews_as_pages_are_whole() {
    for template in ["review", "rca", "light"] {
        let page = review("incidents/pool-exhaustion", template, "html");
        links_resolve(&page);
        assert!(!page.contains("<script") && page.contains("class=\"todo\""));
    }
}
