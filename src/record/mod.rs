//! How to take recordings that tell most: the statements to run. In: a server's name and the distance
//! of the snapshots. Out: a script for psql, to be read before it is run. Nothing is run here.

/// The script with `@SERVER@` and `@EVERY@` still in it.
const POSTGRES: &str = include_str!("postgres.sql");

/// What a script is made for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Begins the names of the files; the server is called by it.
    pub server: String,
    /// Seconds between snapshots.
    pub every: u32,
}

/// The psql script that records the sessions of a PostgreSQL server, 13 to 18.
pub fn postgres(plan: &Plan) -> String {
    POSTGRES.replace("@SERVER@", &plan.server).replace("@EVERY@", &plan.every.to_string())
}
