//! One binary of integration tests, one module per area.

mod cli;
mod determinism;
mod fixtures;
mod formats_signals;
mod hostile;
mod invariants;
mod pool_exhaustion;
mod readers;
mod readme;
mod source;
mod support;
