//! The statements of `postgres.sql`, for psql to run and for our own connection.

/// The script with `@SERVER@` and `@EVERY@` still in it.
const POSTGRES: &str = include_str!("postgres.sql");

/// The whole script.
pub fn whole(server: &str, every_s: u32) -> String {
    POSTGRES.replace("@SERVER@", server).replace("@EVERY@", &every_s.to_string())
}

/// What is between two texts; the script is ours, and a test finds every part.
fn between(from: &str, to: &str) -> &'static str {
    let begin = POSTGRES.find(from).map_or(0, |at| at + from.len());
    let rest = &POSTGRES[begin..];
    rest[..rest.find(to).unwrap_or(rest.len())].trim()
}

/// The statements that make the session read-only and short.
pub fn session() -> String {
    let all = POSTGRES.lines().filter(|l| l.starts_with("SET "));
    all.collect::<Vec<_>>().join("\n")
}

/// The query for the settings.
pub fn settings() -> String {
    between("pg_settings.csv\n", ";").to_owned()
}

/// The query for the sessions.
pub fn sessions() -> String {
    between("pg_stat_activity.csv\n", "\\watch").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_those_of_the_script() {
        assert_eq!(session().lines().count(), 6);
        assert!(session().contains("default_transaction_read_only = on"));
        assert!(session().contains("statement_timeout = '2s'"));
        assert!(settings().starts_with("SELECT now()") && settings().ends_with(')'));
        assert!(sessions().starts_with("WITH waiting") && sessions().ends_with("ORDER BY 3"));
        let whole = whole("main", 2);
        assert!(whole.contains(&sessions()) && !whole.contains('@'));
    }
}
