//! A session as reports name it, and the service it belongs to.

use crate::ingest::raw::Session;
use crate::ingest::{sql, verbs};
use crate::telemetry::{Telemetry, service_of};
use serde::Serialize;

/// Longest statement that is shown, in characters.
const QUERY_CHARS: usize = 200;

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Who {
    /// 0 for a prepared transaction, which has no process.
    pub pid: i64,
    pub application: String,
    /// The service of the other telemetry that it belongs to, and how that is known.
    pub service: Option<String>,
    pub service_by: Option<&'static str>,
    pub user: String,
    pub database: String,
    pub client: String,
    pub backend: String,
    pub state: String,
    /// Without literals unless the user asked for them, cut.
    pub query: String,
    pub fingerprint: String,
    pub tag: String,
    /// `file:line` of the row; empty where the export has none for it.
    pub place: String,
}

impl Who {
    /// Names a session.
    pub(super) fn of(s: &Session, telemetry: &Telemetry) -> Who {
        let (service, service_by) = service(s, telemetry).unzip();
        let path = telemetry.files.get(s.file as usize).map_or("", |f| f.path.as_str());
        let shown = if s.written.is_empty() { &s.query } else { &s.written };
        let hidden = verbs::is_hidden(&s.query);
        Who {
            pid: s.pid,
            application: s.application.to_string(),
            service,
            service_by,
            user: s.user.to_string(),
            database: s.database.to_string(),
            client: s.client_addr.to_string(),
            backend: s.backend_type.to_string(),
            state: s.state.to_string(),
            query: shown.chars().take(QUERY_CHARS).collect(),
            fingerprint: if hidden { String::new() } else { sql::fingerprint(&s.query) },
            tag: s.query_tag.to_string(),
            place: if s.line() > 0 { format!("{path}:{}", s.line()) } else { String::new() },
        }
    }
}

/// The service of a session by its name, and how it is known.
pub(super) fn service(s: &Session, telemetry: &Telemetry) -> Option<(String, &'static str)> {
    let (id, by) = service_of(&telemetry.graph, s)?;
    Some((telemetry.graph.entity(id).name.clone(), by))
}
