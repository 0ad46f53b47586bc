//! What to end first, with commands that hit only the session that was seen.
//!
//! A command names the pid and the backend's start: a pid that another session has by now is left
//! alone. Nobody who waits for somebody else is ever ended: that frees nothing and loses work.

use super::{View, Who, ago};
use crate::features::blocking::{PREPARED, RootBlocker};
use crate::ingest::raw::Session;
use crate::ingest::verbs;
use crate::time;
use serde::Serialize;

/// Roots that are dealt with; those that come and go are many and no command helps.
const MOST: usize = 3;

/// What is lost where nothing was written.
const READS_ONLY: &str = "it only reads: nothing is lost but its result";

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Look first: reads only.
    Check,
    /// End the statement; the session lives on.
    Cancel,
    /// End the session.
    Terminate,
    /// Nothing is to be ended, and why.
    Leave,
}

/// One step for one root.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub kind: StepKind,
    pub pid: i64,
    pub said: String,
    /// To be run on this server.
    pub on: String,
    pub command: Option<String>,
    /// What is undone by it.
    pub rolls_back: Option<String>,
    pub expect: Option<String>,
}

/// Steps for the roots of the snapshot shown, and for those that stayed.
pub(super) fn steps(view: &View, roots: &[RootBlocker]) -> Vec<Step> {
    let now = view.now().at;
    let waits = |pid: &i64| view.edges[view.shown].blockers.contains_key(pid);
    let own = |r: &&RootBlocker| {
        r.stays() && r.first_seen <= now && r.last_seen >= now && !waits(&r.session.pid)
    };
    let mut steps = Vec::new();
    let chosen: Vec<&RootBlocker> = roots.iter().filter(own).take(MOST).collect();
    for root in &chosen {
        of_root(view, root, &mut steps);
    }
    if chosen.is_empty() && !roots.is_empty() {
        let many = roots.len();
        steps.push(step(
            view,
            StepKind::Leave,
            &roots[0].session,
            format!(
                "no session stays at the root here ({many} were one at some time): ending one only \
             makes room for the next; shorten what they hold the lock for, or take load off"
            ),
        ));
    }
    steps
}

fn step(view: &View, kind: StepKind, s: &Session, said: String) -> Step {
    let on = view.telemetry.graph.entity(view.database).name.clone();
    Step { kind, pid: s.pid, said, on, command: None, rolls_back: None, expect: None }
}

/// The row of a root when it was last seen.
fn last_row<'a>(view: &View<'a>, root: &'a RootBlocker) -> &'a Session {
    let same =
        |s: &&Session| s.pid == root.session.pid && s.backend_start == root.session.backend_start;
    let last = view.snapshots.iter().rev().find_map(|x| x.rows.iter().copied().find(same));
    last.unwrap_or(&root.session)
}

/// Says whether a root waits for somebody itself when it is last seen.
fn is_victim(view: &View, root: &RootBlocker) -> bool {
    let same =
        |s: &&Session| s.pid == root.session.pid && s.backend_start == root.session.backend_start;
    let snapshots = view.snapshots.iter().zip(&view.edges).rev();
    let mut seen = snapshots.filter(|(x, _)| x.rows.iter().copied().any(|s| same(&s)));
    seen.next().is_some_and(|(_, edges)| edges.blockers.contains_key(&root.session.pid))
}

fn of_root(view: &View, root: &RootBlocker, steps: &mut Vec<Step>) {
    let s = last_row(view, root);
    if s.pid == 0 || s.state == PREPARED {
        return steps.push(prepared(view, s));
    }
    let mut leave = |said: &str| steps.push(step(view, StepKind::Leave, s, said.to_owned()));
    if is_victim(view, root) {
        return leave("it waits for another session itself: ending it frees nobody");
    }
    match &*s.backend_type {
        "autovacuum worker" if verbs::autovacuum(&s.query) == "wraparound" => {
            return leave(
                "it vacuums to prevent wraparound: it must run to its end; cancel the schema \
                 change that waits for it instead",
            );
        }
        "" | "client backend" | "autovacuum worker" | "parallel worker" => {}
        other => {
            let said = format!("it is the server's {other} process, which is never ended by hand");
            return leave(&said);
        }
    }
    let Some(start) = s.backend_start else {
        return steps.push(check(view, s));
    };
    if root.inferred {
        let said = "nothing read says that it blocks: its part was inferred; look at its locks";
        let command = format!(
            "SELECT locktype, relation::regclass, mode, granted FROM pg_locks WHERE pid = {};",
            s.pid
        );
        let found = step(view, StepKind::Check, s, said.to_owned());
        steps.push(Step { command: Some(command), ..found });
    }
    let guard = format!(
        "FROM pg_stat_activity WHERE pid = {} AND backend_start = '{}';",
        s.pid,
        time::rfc3339(start)
    );
    let undone = if view.standby { READS_ONLY.to_owned() } else { undone(s) };
    let behind = root.victims;
    let expect = format!("the {behind} behind it go on; the longest waiter first takes the lock");
    if s.state == "active" || s.state.is_empty() {
        let said = "cancel its statement; the session stays connected".to_owned();
        let found = step(view, StepKind::Cancel, s, said);
        steps.push(Step {
            command: Some(format!("SELECT pg_cancel_backend(pid) {guard}")),
            rolls_back: Some(undone.clone()),
            expect: Some(expect.clone()),
            ..found
        });
    }
    let said = match s.state.starts_with("idle") {
        true => "end the session: it runs nothing that a cancel could stop",
        false => "only if it is still there after that: end the session",
    };
    let found = step(view, StepKind::Terminate, s, said.to_owned());
    steps.push(Step {
        command: Some(format!("SELECT pg_terminate_backend(pid) {guard}")),
        rolls_back: Some(undone),
        expect: Some(format!("{expect}; its client sees a closed connection")),
        ..found
    });
}

/// What is lost when a session's transaction ends.
fn undone(s: &Session) -> String {
    let age = ago(s.at, s.xact_start()).map(time::duration);
    let since = age.map_or_else(String::new, |age| format!(" of the last {age}"));
    match () {
        () if verbs::is_hidden(&s.query) => {
            format!("its whole transaction{since}; what it wrote is not shown")
        }
        () if verbs::writes(&s.query) || verbs::is_ddl(&s.query) => {
            format!("its whole transaction{since}, its writes too; the client must repeat it")
        }
        () if s.xact_start().is_some() && s.xact_start() != s.query_start() => {
            format!("its whole transaction{since}: what earlier statements wrote is not shown")
        }
        () => READS_ONLY.to_owned(),
    }
}

/// Without the backend's start no command is safe: look it up first.
fn check(view: &View, s: &Session) -> Step {
    let said = "the export does not show since when this pid is that session: look before acting";
    let command = format!(
        "SELECT pid, backend_start, xact_start, state, usename, application_name, query FROM \
         pg_stat_activity WHERE pid = {};",
        s.pid
    );
    Step { command: Some(command), ..step(view, StepKind::Check, s, said.to_owned()) }
}

fn prepared(view: &View, s: &Session) -> Step {
    let said = "a transaction prepared for two-phase commit holds the locks: find it, ask its \
                coordinator for the outcome, then COMMIT PREPARED or ROLLBACK PREPARED it";
    let command = "SELECT gid, prepared, owner, database FROM pg_prepared_xacts ORDER BY prepared;";
    let found = step(view, StepKind::Check, s, said.to_owned());
    Step { command: Some(command.to_owned()), ..found }
}

impl Step {
    /// Says whether the step is about this session.
    pub fn is_about(&self, who: &Who) -> bool {
        self.pid == who.pid
    }
}
