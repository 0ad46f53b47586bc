//! What a normalised statement does, by its leading words. In: the text of `sql::normalize`, cut off
//! anywhere. Out: its verb, and whether it changes rows or the schema. It never parses.

/// Statements that change the schema. LOCK is none: it is told by the session that holds it.
const DDL: [&str; 9] = [
    "alter",
    "drop",
    "truncate",
    "reindex",
    "create",
    "cluster",
    "vacuum full",
    "refresh",
    "comment",
];
/// Statements that change rows.
const WRITES: [&str; 5] = ["update", "delete", "insert", "merge", "copy"];

/// What PostgreSQL shows in place of a statement to a user who may not see it.
const HIDDEN: &str = "<insufficient privilege>";

/// Says whether the text tells nothing: it is empty or hidden from the user who took it.
pub fn is_hidden(normalized: &str) -> bool {
    normalized.trim().is_empty() || normalized.contains(HIDDEN)
}

/// The verb in lower case, `update` also behind `WITH … UPDATE`; empty where it is not known.
pub fn verb(normalized: &str) -> String {
    if is_hidden(normalized) {
        return String::new();
    }
    let lower = normalized.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let first = words.next().unwrap_or_default();
    if first != "with" {
        return first.to_owned();
    }
    words.find(|w| WRITES[..4].contains(w)).unwrap_or("select").to_owned()
}

/// Says whether a statement changes the schema or takes a table for itself.
pub fn is_ddl(normalized: &str) -> bool {
    let lower = normalized.trim_start().to_lowercase();
    DDL.iter().any(|verb| lower.starts_with(verb))
}

/// Says whether a statement changes rows.
pub fn writes(normalized: &str) -> bool {
    WRITES.contains(&verb(normalized).as_str())
}

/// Why an autovacuum worker runs: `wraparound`, `vacuum` or `analyze`; empty for other sessions.
pub fn autovacuum(normalized: &str) -> &'static str {
    match normalized.strip_prefix("autovacuum: ") {
        Some(what) if what.contains("to prevent wraparound") => "wraparound",
        Some(what) if what.starts_with("ANALYZE") => "analyze",
        Some(_) => "vacuum",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_found_also_behind_with() {
        assert_eq!(verb("UPDATE t SET a = ?"), "update");
        assert_eq!(verb("with x as (select ?) delete from t using x"), "delete");
        assert_eq!(verb("WITH x AS (SELECT ?) SELECT * FROM x"), "select");
        assert_eq!((verb(""), verb("<insufficient privilege>")), (String::new(), String::new()));
        assert!(writes("copy t from stdin") && !writes("select ? for update"));
    }

    #[test]
    fn schema_changes_are_told_from_the_rest() {
        assert!(is_ddl("  ALTER TABLE t ADD COLUMN b text") && is_ddl("vacuum full t"));
        assert!(!is_ddl("VACUUM t") && !is_ddl("select alter from t") && !is_ddl(""));
    }

    #[test]
    fn autovacuum_says_why_it_runs() {
        assert_eq!(autovacuum("autovacuum: VACUUM public.t (to prevent wraparound)"), "wraparound");
        assert_eq!(autovacuum("autovacuum: VACUUM ANALYZE public.t"), "vacuum");
        assert_eq!(autovacuum("autovacuum: ANALYZE public.t"), "analyze");
        assert_eq!(autovacuum("VACUUM t"), "");
    }
}
