//! What Grafana and the alerting around it export: panel CSV, data frames, annotations, alerts.
//! In: CSV or JSON. Out: series, and events of kinds `alert`, `deploy`, `note` and the like.

pub mod alerts;
pub mod annotations;
mod cells;
pub mod csv;
pub mod frames;
mod legend;
mod sheet;
mod times;

/// A text without the query strings of its URLs: they hold tokens.
fn without_queries(text: &str) -> String {
    let cut = |word: &str| match word.split_once('?') {
        Some((before, _)) if before.contains("://") => before.to_owned(),
        _ => word.to_owned(),
    };
    text.split_whitespace().map(cut).collect::<Vec<_>>().join(" ")
}

/// Labels that name the service an alert or an annotation is about, the plainest first.
const SERVICE: [&str; 11] = [
    "service",
    "service_name",
    "service.name",
    "app",
    "application",
    "app_kubernetes_io_name",
    "deployment",
    "workload",
    "component",
    "container",
    "job",
];
/// Labels that name the thing itself.
const TARGET: [&str; 8] =
    ["pod", "instance", "node", "host", "hostname", "database", "datname", "queue"];

/// The first filled value among those of some label names.
fn first_of<'a>(names: &[&str], get: impl Fn(&str) -> Option<&'a str>) -> String {
    let found = names.iter().find_map(|n| get(n).filter(|v| !v.is_empty()));
    found.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_strings_are_cut_from_urls_only() {
        let text = "see https://wiki.example/run?token=s3cr3t why?\nok";
        assert_eq!(without_queries(text), "see https://wiki.example/run why? ok");
    }
}
