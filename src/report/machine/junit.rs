//! The tests of the catalogue as JUnit XML, for CI.

use super::super::clean;
use crate::selftest::TestResult;
use std::collections::BTreeMap;

/// Writes a suite per signature.
pub fn junit(results: &[TestResult]) -> String {
    let mut suites: BTreeMap<&str, Vec<&TestResult>> = BTreeMap::new();
    for r in results {
        suites.entry(&r.signature).or_default().push(r);
    }
    let failed = |all: &[&TestResult]| all.iter().filter(|r| r.failure.is_some()).count();
    let every: Vec<&TestResult> = results.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts =
        |all: &[&TestResult]| format!("tests=\"{}\" failures=\"{}\"", all.len(), failed(all));
    out.push_str(&format!("<testsuites name=\"catalogue\" {} errors=\"0\">\n", counts(&every)));
    for (name, all) in &suites {
        let name = xml(name);
        out.push_str(&format!("  <testsuite name=\"{name}\" {} errors=\"0\">\n", counts(all)));
        for r in all {
            let (test, fixture) = (xml(&r.name), xml(&r.fixture));
            out.push_str(&format!(
                "    <testcase classname=\"{name}\" name=\"{test} ({fixture})\""
            ));
            match &r.failure {
                None => out.push_str("/>\n"),
                Some(why) => {
                    let why = xml(why);
                    out.push_str(&format!(
                        ">\n      <failure message=\"{why}\"/>\n    </testcase>\n"
                    ));
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text inside a quoted attribute; hazards, which XML 1.0 cannot hold, become visible.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean::prose(text, false).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_text_is_escaped() {
        let test = |name: &str, failure: Option<&str>| TestResult {
            signature: "s".into(),
            name: name.into(),
            fixture: "f".into(),
            failure: failure.map(str::to_owned),
        };
        let out = junit(&[test("a", None), test("<b>\u{1b}\"", Some("x & y"))]);
        assert!(out.contains("<testsuites name=\"catalogue\" tests=\"2\" failures=\"1\""));
        assert!(out.contains("name=\"&lt;b&gt;\\x1b&quot; (f)\""), "{out}");
        assert!(out.contains("<failure message=\"x &amp; y\"/>"));
    }
}
