//! The JSON Schema of an answer, of the same types that write it.

use super::Diagnosis;
use schemars::generate::SchemaSettings;

/// The schema (draft 2020-12) as indented JSON; the same text for the same build. Fields may be added
/// without a new version: a reader ignores those that it does not know.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Diagnosis>();
    let mut out = serde_json::to_string_pretty(&schema).expect("a schema has string keys only");
    out.push('\n');
    out
}
