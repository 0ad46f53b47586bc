//! The JSON Schema of a signature file, for editors. In: the types of the catalogue. Out: text.

use super::SignatureFile;

/// The schema as indented JSON; the same text for the same build.
pub fn schema() -> String {
    let schema = schemars::schema_for!(SignatureFile);
    serde_json::to_string_pretty(&schema).expect("a schema has string keys only")
}

impl schemars::JsonSchema for super::Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, or the name of a parameter.",
            "anyOf": [
                { "type": "number" },
                { "type": "string", "pattern": r"^\$[a-z][a-z0-9_]*$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_the_keys_and_refuses_others() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["properties"]["evidence"].is_object());
        assert!(schema["$defs"]["EvidenceRule"]["properties"]["where"].is_object());
        assert!(schema["$defs"]["Value"]["anyOf"].is_array());
        assert!(schema["properties"].get("path").is_none(), "the loader's own field");
    }
}
