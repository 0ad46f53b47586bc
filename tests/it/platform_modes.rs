//! The recorded incidents of network, platform and change without the input that decides, or with
//! another one: the claim must go with its evidence.

use super::support::{Scratch, diagnosed, fixture, gunzip, gzip, items, text};
use serde_json::Value;
use std::fs;

/// The hypothesis of a signature, if it is one.
fn hypothesis<'a>(d: &'a Value, signature: &str) -> Option<&'a Value> {
    items(&d["hypotheses"]).iter().find(|h| text(&h["signature"]) == signature)
}

/// A recording without some of its files.
fn without(incident: &str, files: &[&str]) -> Value {
    let folder = fixture(&format!("incidents/{incident}"));
    let copy = Scratch::copy(&folder, |p| files.iter().any(|f| p.ends_with(f)));
    diagnosed(copy.path())
}

#[test]
fn without_the_deciding_input_the_claim_is_not_made() {
    let cases: [(&str, &str, &[&str]); 6] = [
        ("dns-latency", "dns-latency", &["dns.json.gz", "unbound.json.gz"]),
        ("network-latency", "network-latency", &["server.json.gz", "shop-spans.jsonl.gz"]),
        (
            "telemetry-blind-spot",
            "telemetry-blind-spot",
            &["shop-spans.jsonl.gz", "client.json.gz"],
        ),
        ("clock-skew", "clock-skew", &["shop-spans.jsonl.gz"]),
        ("config-or-flag-change", "config-or-flag-change", &["changes.jsonl"]),
        (
            "restarting-service",
            "restarting-service",
            &["kube.json.gz", "process.json.gz", "events.json"],
        ),
    ];
    for (incident, signature, files) in cases {
        let whole = without(incident, &[]);
        assert!(hypothesis(&whole, signature).is_some(), "{incident}: not even with everything");
        let d = without(incident, files);
        assert!(hypothesis(&d, signature).is_none(), "{incident} without {files:?}");
    }
}

#[test]
fn a_certificate_with_days_left_speaks_against_expiry() {
    let folder = fixture("incidents/certificate-expired");
    let copy = Scratch::copy(&folder, |p| p.ends_with("probe.json.gz"));
    let stored = fs::read(folder.join("prometheus/probe.json.gz")).expect("it is there");
    let mut probe: Value = serde_json::from_slice(&gunzip(&stored)).expect("JSON");
    let mut moved = 0;
    for series in probe["data"]["result"].as_array_mut().expect("series") {
        if text(&series["metric"]["__name__"]) != "probe_ssl_earliest_cert_expiry" {
            continue;
        }
        for sample in series["values"].as_array_mut().expect("samples") {
            let end: f64 = text(&sample[1]).parse().expect("a number");
            sample[1] = Value::from((end + 3.0 * 86_400.0).to_string());
            moved += 1;
        }
    }
    assert!(moved > 10, "{moved} samples of the expiry");
    copy.file("prometheus/probe.json.gz", &gzip(probe.to_string().as_bytes()));
    let d = diagnosed(copy.path());
    let found = hypothesis(&d, "certificate-expired").expect("the handshakes still fail");
    let says = |e: &Value| text(&e["said"]).starts_with("its certificate ends");
    let against = |e: &Value| says(e) && e["nats"].as_f64().is_some_and(|n| n < 0.0);
    let all = [items(&found["evidence"]), items(&found["against"])].concat();
    assert!(all.iter().any(against), "{all:#?}");
}

#[test]
fn a_hanging_third_party_leaves_our_side_exonerated() {
    let d = without("third-party-hang", &[]);
    let found = hypothesis(&d, "third-party-hang").expect("it matches");
    let said = items(&found["evidence"]).iter().map(|e| text(&e["said"])).collect::<Vec<_>>();
    assert!(said.iter().any(|s| s.contains("exonerated")), "{said:#?}");
    let reasons: Vec<&str> = items(&d["reasons"]).iter().map(text).collect();
    assert!(reasons.iter().any(|r| r.contains("cannot be proven")), "{reasons:#?}");
}
