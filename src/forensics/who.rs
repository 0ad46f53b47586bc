//! A session as reports name it, and the service it belongs to.

use crate::ingest::raw::RawSession;
use crate::ingest::{sql, verbs};
use crate::model::EntityKind;
use crate::telemetry::Telemetry;
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
    /// Without literals, cut.
    pub query: String,
    pub fingerprint: String,
    pub tag: String,
    /// `file:line` of the row; empty where the export has none for it.
    pub place: String,
}

impl Who {
    /// Names a session.
    pub(super) fn of(s: &RawSession, telemetry: &Telemetry) -> Who {
        let (service, service_by) = service(s, telemetry).unzip();
        let path = telemetry.files.get(s.file as usize).map_or("", |f| f.path.as_str());
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
            query: s.query.chars().take(QUERY_CHARS).collect(),
            fingerprint: if hidden { String::new() } else { sql::fingerprint(&s.query) },
            tag: s.query_tag.to_string(),
            place: if s.line > 0 { format!("{path}:{}", s.line) } else { String::new() },
        }
    }
}

/// The service of a session: by its application's name, its client's address, its user.
///
/// An address or a user names a service only where the other telemetry knows it as one's own.
pub(super) fn service(s: &RawSession, telemetry: &Telemetry) -> Option<(String, &'static str)> {
    let graph = &telemetry.graph;
    let named = |name: &str| {
        let id = graph.find(name).filter(|_| !name.is_empty())?;
        let owner = graph.entity(graph.owner(id));
        (owner.kind == EntityKind::Service).then(|| owner.name.clone())
    };
    let by_application = || named(&s.application).map(|n| (n, "application_name"));
    let by_client = || named(&s.client_addr).map(|n| (n, "client_addr"));
    let by_user = || named(&s.user).map(|n| (n, "user"));
    by_application().or_else(by_client).or_else(by_user)
}
