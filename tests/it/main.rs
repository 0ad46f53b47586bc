//! One binary of integration tests, one module per area.

mod cli;
mod damaged;
mod determinism;
mod fixtures;
mod formats_aws;
mod formats_grafana;
mod formats_misc;
mod formats_pg;
mod formats_platform;
mod formats_prom;
mod formats_signals;
mod formats_traces;
mod hostile;
mod invariants;
mod pool_exhaustion;
mod readers;
mod readme;
mod source;
mod support;
