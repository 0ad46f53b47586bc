//! One row of pg_stat_activity: as it is read, and as it is kept. Rows come by the million and differ
//! in little: what many of them share ([`SessionShape`]) is kept once, a row is 72 bytes.

use super::raw::FileId;
use super::text::Text;
use crate::model::Micros;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One row of pg_stat_activity; `None` where the column is empty or missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSession {
    pub file: FileId,
    pub line: u64,
    /// Database server as the file names it.
    pub server: Text,
    /// Time of the snapshot; inferred if the file has no such column.
    pub at: Micros,
    /// Number of the snapshot within the file.
    pub snapshot: u32,
    pub pid: i64,
    pub leader_pid: Option<i64>,
    pub database: Text,
    pub user: Text,
    pub application: Text,
    pub client_addr: Text,
    pub backend_start: Option<Micros>,
    pub xact_start: Option<Micros>,
    pub query_start: Option<Micros>,
    pub state_change: Option<Micros>,
    pub wait_start: Option<Micros>,
    pub wait_event_type: Text,
    pub wait_event: Text,
    pub state: Text,
    pub backend_type: Text,
    /// Statement with literals and comments removed.
    pub query: Text,
    /// The statement as it was written, where the user asked for literals; empty otherwise.
    pub written: Text,
    /// Leading comment's tag, e.g. `metabase: weekly_price_position`.
    pub query_tag: Text,
    /// Pids from pg_blocking_pids; `None` when the export has no such column.
    pub blocked_by: Option<Vec<i64>>,
    /// Oldest transaction whose rows the session may still see (32 bits, wraps around).
    pub backend_xmin: Option<u32>,
    /// Mode and relation of the lock that is waited for, where the export joins pg_locks.
    pub wait_mode: Text,
    pub wait_relation: Text,
}

/// What rows have in common while a session does the same: who it is, what it runs and waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionShape {
    pub server: Text,
    pub pid: i64,
    pub leader_pid: Option<i64>,
    pub database: Text,
    pub user: Text,
    pub application: Text,
    pub client_addr: Text,
    pub backend_start: Option<Micros>,
    pub wait_event_type: Text,
    pub wait_event: Text,
    pub state: Text,
    pub backend_type: Text,
    pub query: Text,
    pub written: Text,
    pub query_tag: Text,
    pub blocked_by: Option<Vec<i64>>,
    pub wait_mode: Text,
    pub wait_relation: Text,
    client: bool,
    waits_for_lock: bool,
    number: Number,
}

/// Tells one copy of a shape from another: what it is beside is no part of what a shape says.
#[derive(Clone, Copy, Debug, Default)]
struct Number(u32);

impl PartialEq for Number {
    fn eq(&self, _: &Number) -> bool {
        true
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The number of the next copy. Numbers are dense, so that what is known per shape stands in a list.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl SessionShape {
    /// A copy that rows share.
    pub fn kept(mut self) -> Arc<SessionShape> {
        self.number = Number(NEXT.fetch_add(1, Ordering::Relaxed));
        Arc::new(self)
    }

    /// The same with other blockers.
    pub fn with_blockers(&self, pids: Vec<i64>) -> SessionShape {
        SessionShape { blocked_by: Some(pids), ..self.clone() }.looked_at()
    }

    /// The same with the start of its session moved.
    pub fn moved(&self, by: Micros) -> SessionShape {
        SessionShape { backend_start: self.backend_start.map(|t| t + by), ..self.clone() }
    }

    fn looked_at(mut self) -> SessionShape {
        self.client = self.backend_type.is_empty() || self.backend_type == "client backend";
        self.waits_for_lock = self.wait_event_type.eq_ignore_ascii_case("lock")
            || self.wait_event_type.is_empty() && self.blocked_by.iter().any(|b| !b.is_empty());
        self
    }
}

impl From<RawSession> for SessionShape {
    fn from(s: RawSession) -> SessionShape {
        let shape = SessionShape {
            server: s.server,
            pid: s.pid,
            leader_pid: s.leader_pid,
            database: s.database,
            user: s.user,
            application: s.application,
            client_addr: s.client_addr,
            backend_start: s.backend_start,
            wait_event_type: s.wait_event_type,
            wait_event: s.wait_event,
            state: s.state,
            backend_type: s.backend_type,
            query: s.query,
            written: s.written,
            query_tag: s.query_tag,
            blocked_by: s.blocked_by,
            wait_mode: s.wait_mode,
            wait_relation: s.wait_relation,
            client: false,
            waits_for_lock: false,
            number: Number::default(),
        };
        shape.looked_at()
    }
}

/// Stands for a time that is not known.
const UNKNOWN: Micros = Micros::MIN;

/// One row as it is kept; it behaves as its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    shape: Arc<SessionShape>,
    /// Time of the snapshot; inferred if the file has no such column.
    pub at: Micros,
    pub file: FileId,
    /// Number of the snapshot within the file.
    pub snapshot: u32,
    line: u32,
    /// 0, which no transaction has, where it is not known.
    xmin: u32,
    xact_start: Micros,
    query_start: Micros,
    state_change: Micros,
    wait_start: Micros,
    /// What every pass over all rows asks of the shape stands in the row: shapes lie far apart.
    number: Number,
    client: bool,
    waits_for_lock: bool,
    blocked: bool,
}

/// When something began, in the order of the columns.
pub struct Starts {
    pub xact: Option<Micros>,
    pub query: Option<Micros>,
    pub state: Option<Micros>,
    pub wait: Option<Micros>,
}

impl Session {
    /// A row of a file: its line, snapshot time, and what is its own.
    pub fn new(
        shape: Arc<SessionShape>,
        (file, line): (FileId, u64),
        at: Micros,
        starts: &Starts,
        backend_xmin: Option<u32>,
    ) -> Session {
        let kept = |t: Option<Micros>| t.unwrap_or(UNKNOWN);
        Session {
            shape,
            at,
            file,
            snapshot: 0,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            xmin: backend_xmin.unwrap_or(0),
            xact_start: kept(starts.xact),
            query_start: kept(starts.query),
            state_change: kept(starts.state),
            wait_start: kept(starts.wait),
            number: Number::default(),
            client: false,
            waits_for_lock: false,
            blocked: false,
        }
        .with_shape()
    }

    fn with_shape(mut self) -> Session {
        self.number = self.shape.number;
        self.client = self.shape.client;
        self.waits_for_lock = self.shape.waits_for_lock;
        self.blocked = self.shape.blocked_by.iter().any(|b| !b.is_empty());
        self
    }

    /// Gives it another shape.
    pub fn reshape(&mut self, shape: Arc<SessionShape>) {
        *self = Session { shape, ..self.clone() }.with_shape();
    }

    /// What it shares with other rows.
    pub fn shape(&self) -> &Arc<SessionShape> {
        &self.shape
    }

    /// A client's backend, or any row of an export without backend types.
    #[inline]
    pub fn is_client(&self) -> bool {
        self.client
    }

    /// It waits for a heavyweight lock: by its event, or, where events are hidden, because it has
    /// blockers.
    #[inline]
    pub fn waits_for_lock(&self) -> bool {
        self.waits_for_lock
    }

    /// Some session is said to block it.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Line of the file; lines behind 2^32 are said to be that one.
    #[inline]
    pub fn line(&self) -> u64 {
        u64::from(self.line)
    }

    /// When its transaction began.
    #[inline]
    pub fn xact_start(&self) -> Option<Micros> {
        known(self.xact_start)
    }

    /// When its statement began, or the last one of an idle session did.
    #[inline]
    pub fn query_start(&self) -> Option<Micros> {
        known(self.query_start)
    }

    /// Since when it is in its state.
    #[inline]
    pub fn state_change(&self) -> Option<Micros> {
        known(self.state_change)
    }

    /// Since when it waits for its lock.
    #[inline]
    pub fn wait_start(&self) -> Option<Micros> {
        known(self.wait_start)
    }

    /// Oldest transaction whose rows it may still see.
    #[inline]
    pub fn backend_xmin(&self) -> Option<u32> {
        (self.xmin != 0).then_some(self.xmin)
    }

    /// Moves its own times; those of its shape stay.
    pub fn shift(&mut self, by: Micros) {
        if self.at != 0 {
            self.at += by;
        }
        let starts = [
            &mut self.xact_start,
            &mut self.query_start,
            &mut self.state_change,
            &mut self.wait_start,
        ];
        for start in starts.into_iter().filter(|t| **t != UNKNOWN) {
            *start += by;
        }
    }

    /// Number of its shape, the same for rows that share one copy.
    #[inline]
    pub fn shape_id(&self) -> usize {
        self.number.0 as usize
    }
}

#[inline]
fn known(t: Micros) -> Option<Micros> {
    (t != UNKNOWN).then_some(t)
}

impl Deref for Session {
    type Target = SessionShape;

    #[inline]
    fn deref(&self) -> &SessionShape {
        &self.shape
    }
}

impl Default for Session {
    fn default() -> Session {
        Session::from(RawSession::default())
    }
}

impl From<RawSession> for Session {
    fn from(raw: RawSession) -> Session {
        let starts = Starts {
            xact: raw.xact_start,
            query: raw.query_start,
            state: raw.state_change,
            wait: raw.wait_start,
        };
        let (place, at) = ((raw.file, raw.line), raw.at);
        let (snapshot, xmin) = (raw.snapshot, raw.backend_xmin);
        let shape = SessionShape::from(raw).kept();
        Session { snapshot, ..Session::new(shape, place, at, &starts, xmin) }
    }
}

impl From<&Session> for RawSession {
    fn from(s: &Session) -> RawSession {
        let shape = SessionShape::clone(&s.shape);
        RawSession {
            file: s.file,
            line: s.line(),
            server: shape.server,
            at: s.at,
            snapshot: s.snapshot,
            pid: shape.pid,
            leader_pid: shape.leader_pid,
            database: shape.database,
            user: shape.user,
            application: shape.application,
            client_addr: shape.client_addr,
            backend_start: shape.backend_start,
            xact_start: s.xact_start(),
            query_start: s.query_start(),
            state_change: s.state_change(),
            wait_start: s.wait_start(),
            wait_event_type: shape.wait_event_type,
            wait_event: shape.wait_event,
            state: shape.state,
            backend_type: shape.backend_type,
            query: shape.query,
            written: shape.written,
            query_tag: shape.query_tag,
            blocked_by: shape.blocked_by,
            backend_xmin: s.backend_xmin(),
            wait_mode: shape.wait_mode,
            wait_relation: shape.wait_relation,
        }
    }
}

/// Gives rows the shapes that `change` makes of theirs, each asked once; rows go on sharing them.
pub fn reshape(
    sessions: &mut [Session],
    mut change: impl FnMut(&SessionShape) -> Option<SessionShape>,
) {
    // By the dense numbers of shapes: rows come by the million.
    let mut known: Vec<Option<Option<Arc<SessionShape>>>> = Vec::new();
    for s in sessions {
        let at = s.shape_id();
        if at >= known.len() {
            known.resize_with(at + 1, || None);
        }
        let new = || change(s.shape()).map(SessionShape::kept);
        known[at].get_or_insert_with(new).iter().for_each(|shape| s.reshape(shape.clone()));
    }
}

/// Shapes that are remembered; more are kept apart.
const SHAPES: usize = 1 << 18;

/// Gives equal shapes one copy.
#[derive(Default)]
pub struct Shapes(HashSet<Arc<SessionShape>>);

impl Shapes {
    /// The one copy of a shape.
    pub fn share(&mut self, shape: SessionShape) -> Arc<SessionShape> {
        if let Some(known) = self.0.get(&shape) {
            return known.clone();
        }
        let own = shape.kept();
        if self.0.len() >= SHAPES {
            self.0.clear();
        }
        self.0.insert(own.clone());
        own
    }
}

/// What is worked out once for all rows that share a copy of a shape.
pub struct PerShape<'a, T> {
    known: Vec<Option<T>>,
    rows: PhantomData<&'a Session>,
}

impl<T> Default for PerShape<'_, T> {
    fn default() -> Self {
        PerShape { known: Vec::new(), rows: PhantomData }
    }
}

impl<'a, T> PerShape<'a, T> {
    /// What is known for a row, or what `make` finds out.
    #[inline]
    pub fn of(&mut self, s: &'a Session, make: impl FnOnce() -> T) -> &mut T {
        let at = s.shape_id();
        if at >= self.known.len() {
            self.known.resize_with(at + 1, || None);
        }
        self.known[at].get_or_insert_with(make)
    }

    /// All that is known, in no order.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.known.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RawSession {
        RawSession {
            file: 3,
            line: 9,
            at: 70,
            snapshot: 2,
            pid: 7,
            backend_start: Some(1),
            xact_start: Some(0),
            wait_start: Some(-5),
            state: "active".into(),
            blocked_by: Some(vec![8]),
            backend_xmin: Some(u32::MAX),
            ..RawSession::default()
        }
    }

    #[test]
    fn a_row_is_kept_whole_and_small() {
        assert_eq!(RawSession::from(&Session::from(row())), row());
        assert_eq!(RawSession::from(&Session::default()), RawSession::default());
        assert_eq!(size_of::<Session>(), 72);
    }

    #[test]
    fn times_move_and_unknown_ones_stay_unknown() {
        let mut s = Session::from(row());
        s.shift(10);
        assert_eq!((s.at, s.xact_start(), s.query_start()), (80, Some(10), None));
        assert_eq!((s.wait_start(), s.backend_start), (Some(5), Some(1)));
        assert_eq!(s.moved(10).backend_start, Some(11));
    }

    #[test]
    fn clients_and_waiters_are_known_by_their_shape() {
        let of = |backend: &str, event: &str, blockers: Option<Vec<i64>>| {
            let s = Session::from(RawSession {
                backend_type: backend.into(),
                wait_event_type: event.into(),
                blocked_by: blockers,
                ..RawSession::default()
            });
            (s.is_client(), s.waits_for_lock())
        };
        assert_eq!(of("", "", None), (true, false));
        assert_eq!(of("client backend", "LOCK", None), (true, true));
        assert_eq!(of("walsender", "", Some(vec![1])), (false, true));
        assert_eq!(of("client backend", "IO", Some(vec![1])), (true, false));
        let mut s = Session::default();
        s.reshape(s.with_blockers(vec![4]).kept());
        assert!(s.waits_for_lock() && s.is_blocked());
    }

    #[test]
    fn equal_shapes_share_one_copy() {
        let mut shapes = Shapes::default();
        let mut of = |pid| shapes.share(RawSession { pid, ..RawSession::default() }.into());
        assert!(Arc::ptr_eq(&of(1), &of(1)) && !Arc::ptr_eq(&of(1), &of(2)));
    }
}
