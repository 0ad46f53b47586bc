//! One binary of integration tests, one module per area.

#[cfg(target_os = "linux")]
mod bounds;
mod checklist;
mod cli;
mod damaged;
mod determinism;
mod evaluation;
mod feature_properties;
mod feature_reference;
mod fixtures;
mod forests;
mod forests_degraded;
mod formats_aws;
mod formats_grafana;
mod formats_misc;
mod formats_pg;
mod formats_platform;
mod formats_prom;
mod formats_signals;
mod formats_time;
mod formats_traces;
mod hostile;
mod html;
mod inspect;
mod invariants;
mod matrix;
#[cfg(feature = "mcp")]
mod mcp;
mod new_signature;
mod platform_modes;
mod pool_exhaustion;
mod readers;
mod readme;
mod robustness;
mod same_data;
mod same_metrics;
mod same_metrics_written;
mod same_sessions;
mod same_spans;
mod same_spans_written;
mod scaffold;
mod screens;
mod site;
mod source;
mod support;
mod triage;
