//! What the labels of a series say besides whom it is about: failed or not, how calls ended, pool,
//! route and the like. In: labels. Out: parts of what the series measures.

use super::series::Run;
use crate::ingest::raw::RawSeries;
use crate::signals::View;
use crate::telemetry::Class;
use std::collections::BTreeSet;

/// Label values that mark failed requests, besides 5xx codes.
const FAILED: [&str; 14] = [
    "error",
    "failure",
    "failed",
    "server_error",
    "fail",
    "UNAVAILABLE",
    "INTERNAL",
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "Unavailable",
    "Internal",
    "Unknown",
    "DeadlineExceeded",
    "DATA_LOSS",
];

/// Statuses by which a server refuses more requests.
const RATE_LIMITED: [&str; 4] = ["429", "RESOURCE_EXHAUSTED", "ResourceExhausted", "throttled"];

/// Numbers of gRPC's codes that are a server's fault.
const GRPC_FAILED: [u32; 6] = [2, 4, 12, 13, 14, 15];

impl Run<'_> {
    /// Whether a status label marks failures or successes.
    pub(super) fn class(&self, series: &RawSeries, view: View) -> Class {
        let get = |n: &String| series.labels.get(n);
        let present: Vec<(&String, &String)> = self
            .table
            .label_names("status")
            .iter()
            .filter_map(|n| get(n).map(|v| (n, v)))
            .filter(|(_, v)| !v.is_empty())
            .collect();
        let failed = |(n, v): &(&String, &String)| {
            let code = v.parse::<u32>().unwrap_or(0);
            let is_type = n.contains("error");
            let grpc = n.contains("grpc") || n.starts_with("rpc");
            let grpc = grpc && GRPC_FAILED.contains(&code);
            let client_fault = view == View::Client && (400..500).contains(&code);
            (500..600).contains(&code)
                || client_fault
                || is_type
                || grpc
                || FAILED.contains(&v.as_str())
                || (v.len() == 3 && v.to_lowercase().starts_with("5x"))
                || (n.ends_with("class") && v.as_str() == "5")
        };
        match () {
            () if present.iter().any(failed) => Class::Failed,
            () if present.is_empty() => Class::All,
            () => Class::Good,
        }
    }

    /// Says whether a status label means "too many requests".
    pub(super) fn rate_limited(&self, series: &RawSeries) -> bool {
        let names = self.table.label_names("status").iter();
        names.filter_map(|n| series.labels.get(n)).any(|v| RATE_LIMITED.contains(&v.as_str()))
    }

    /// How the calls that a series counts ended: what its error says, else its status.
    pub(super) fn outcome(&self, series: &RawSeries) -> Option<String> {
        if series.labels.is_empty() {
            return None;
        }
        let mut labels: Vec<&String> = self.table.label_names("status").iter().collect();
        labels.sort_by_key(|n| !n.contains("error"));
        let values = labels.into_iter().filter_map(|n| series.labels.get(n));
        values.filter_map(|v| self.table.outcome(v)).next().map(str::to_owned)
    }

    /// Labels that are neither identity nor status: pool, route, database and the like.
    pub(super) fn dims(&self, series: &RawSeries, state_labels: &[String]) -> String {
        if series.labels.is_empty() {
            return String::new();
        }
        let parts = [
            "service", "instance", "host", "callee", "caller", "member", "status", "version",
            "tenant",
        ];
        let taken: BTreeSet<&str> =
            parts.iter().flat_map(|p| self.table.label_names(p)).map(String::as_str).collect();
        let extra = ["le", "server", "datid", "namespace", "statistic"];
        let rest = series.labels.iter().filter(|(k, _)| {
            !taken.contains(k.as_str())
                && !extra.contains(&k.as_str())
                && !state_labels.iter().any(|l| folded(l) == folded(k))
        });
        rest.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
    }
}

/// Value of the first of these labels that a series has.
pub(super) fn one_of(series: &RawSeries, names: &[&str]) -> Option<String> {
    names.iter().find_map(|n| by_name(series, n)).map(str::to_owned)
}

/// A label's value, its name written with dots or with underscores.
pub(super) fn by_name<'s>(series: &'s RawSeries, name: &str) -> Option<&'s str> {
    let exact = series.labels.get(name);
    let same = |(k, _): &(&String, &String)| folded(k) == folded(name);
    exact.or_else(|| series.labels.iter().find(same).map(|(_, v)| v)).map(String::as_str)
}

fn folded(name: &str) -> String {
    name.replace('.', "_").to_lowercase()
}
