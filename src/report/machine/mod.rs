//! Outputs for other programs: lines of JSON, SARIF, JUnit, DOT and Mermaid. What comes from the data
//! is escaped as each format wants it.

mod graph;
mod junit;
mod ndjson;
mod sarif;

pub use graph::{dot, graph_text, mermaid};
pub use junit::junit;
pub use ndjson::ndjson;
pub use sarif::sarif;
