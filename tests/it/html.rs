//! The HTML report: whole, self-contained, the same in every run.

use super::support::{Scratch, fixture, rootline};
use std::collections::BTreeSet;

/// The report of an incident.
fn report(name: &str) -> String {
    let folder = fixture(name);
    let run = rootline(&["diagnose", "--format", "html", &folder.to_string_lossy()]);
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// Values of an attribute in a page of our own, where all are in double quotes.
pub fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(start.as_str()).skip(1).filter_map(|p| p.split('"').next()).collect()
}

/// Every link leads to a place on the page, and every place has one name.
pub fn links_resolve(page: &str) {
    let ids = attributes(page, "id");
    let places: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(places.len(), ids.len(), "an id stands twice");
    let links = attributes(page, "href");
    assert!(!links.is_empty());
    for link in links {
        let to = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads away"));
        assert!(places.contains(to), "nothing is called {to}");
    }
}

#[test]
fn a_page_needs_nothing_from_elsewhere_and_its_links_resolve() {
    for name in ["incidents/pool-exhaustion", "healthy/cache-single-flight"] {
        let page = report(name);
        for word in
            ["<script", "http:", "https:", " src=", "url(http", "@import", "<link", " onload"]
        {
            assert!(!page.contains(word), "{name}: {word}");
        }
        links_resolve(&page);
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn a_page_shows_the_chain_the_charts_the_graph_and_the_hashes() {
    let page = report("incidents/pool-exhaustion");
    let count = |what: &str| page.matches(what).count();
    assert!(page.contains(">CONFIRMED<") && page.contains("SELECT pg_cancel_backend(13305)"));
    // Its first hypothesis has ten pieces of evidence, all but two seen over some time.
    let first = page.split("id=\"evidence\"").nth(1).and_then(|p| p.split("id=\"graph\"").next());
    let first = first.expect("both sections are there");
    let pieces = attributes(first, "id").into_iter().filter(|i| i.starts_with('E')).count();
    assert_eq!((pieces, first.matches("class=\"plot").count()), (10, 8));
    for part in
        ["class=\"inc\"", "class=\"band\"", "class=\"mark\"", "class=\"cap\"", "class=\"run\""]
    {
        assert!(first.contains(part), "{part}");
    }
    assert_eq!(count("class=\"box cause\""), 1);
    assert!(count("class=\"box chain\"") >= 4 && count("class=\"edge hurt\"") >= 3);
    assert!(page.contains("class=\"heat\"") && page.contains("class=\"forest\""));
    assert!(page.contains("pid 13305 · metabase"));
    let hashes = page.split("<span class=\"mono\">").skip(1);
    let whole = hashes.filter(|h| h.split('<').next().is_some_and(|t| t.len() == 64)).count();
    assert!(whole > 10, "{whole} hashes");
}

#[test]
fn a_page_is_the_same_in_every_run_and_a_file_is_kept() {
    let folder = fixture("incidents/pool-exhaustion");
    let scratch = Scratch::new();
    let file = scratch.path().join("a.html").to_string_lossy().into_owned();
    let args = ["diagnose", "-q", "-o", &file, &folder.to_string_lossy()];
    assert_eq!(rootline(&args).code, 0);
    let written = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(written, report("incidents/pool-exhaustion"));
    let again = rootline(&args);
    assert!(again.code == 2 && again.err.contains("--force"), "{}", again.err);
}
