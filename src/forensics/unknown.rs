//! What cannot be known from the export of one server, said plainly, with what would tell it.

use super::View;
use crate::ingest::raw::{PerShape, Session};
use crate::ingest::verbs;
use crate::time;

/// Distance of snapshots above which what lives for less is mostly missed, seconds.
const COARSE_S: f64 = 5.0;
/// Share of hidden or unnamed rows that is worth a line.
const SOME: f64 = 0.05;

/// A line per thing that is not known.
pub(super) fn unknown(view: &View) -> Vec<String> {
    let mut out = Vec::new();
    let facts = Facts::of(view);
    let any = |has: fn(&Session) -> bool| facts.shapes.iter().any(|(s, _)| has(s));
    // Times are each row's own; where they are shown at all, the first rows do.
    let shown = |has: fn(&Session) -> bool| view.rows().any(has);
    let mut say = |missing: bool, what: &str| {
        if missing {
            out.push(what.to_owned());
        }
    };
    say(
        view.snapshots.len() == 1,
        "one snapshot only: who waits now is known, how long it lasts and what came before is not",
    );
    say(
        !any(|s| s.blocked_by.is_some()),
        "who blocks whom: no column of pg_blocking_pids(pid); a blocker is named only where a \
         single session can be the one, and marked as inferred",
    );
    say(
        !shown(|s| s.wait_start().is_some()) && any(|s| s.wait_event_type == "Lock"),
        "since when a lock is waited for: no waitstart from pg_locks (PostgreSQL 14 and later); \
         waits are bounded by the start of the statement",
    );
    say(
        !any(|s| !s.wait_mode.is_empty()) && view.telemetry.locks.is_empty(),
        "lock modes, and the relation where a statement names several: no pg_locks",
    );
    say(
        !any(|s| !s.wait_event_type.is_empty()),
        "what sessions wait for: no column wait_event_type; all active sessions count as running",
    );
    say(
        !any(|s| s.backend_start.is_some()),
        "whether a pid is still the same session: no backend_start; no command to end one is given",
    );
    say(!shown(|s| s.xact_start().is_some()), "how old transactions are: no xact_start is shown");
    say(
        !shown(|s| s.backend_xmin().is_some()),
        "who keeps dead rows from being removed: no backend_xmin; the oldest open transactions \
         are the best guess",
    );
    say(
        !any(|s| !s.backend_type.is_empty()),
        "which rows are clients: no backend_type; all are taken as clients",
    );
    say(
        !any(|s| !s.client_addr.is_empty()),
        "from where sessions come: no client_addr (local connections have none)",
    );
    if let Some(what) = prepared(view) {
        out.push(what);
    }
    shares(&facts, &mut out);
    if let Some(step) = super::every(&view.times).filter(|s| *s > COARSE_S) {
        let step = time::duration(step);
        out.push(format!("what lasts for less than {step}, the distance of the snapshots"));
    }
    out
}

/// Several prepared transactions of which one is waited for.
fn prepared(view: &View) -> Option<String> {
    let now = view.now();
    let count = now.rows.iter().filter(|s| s.pid == 0).count();
    let waited = view.edges[view.shown].blockers.values().any(|b| b.contains(&0));
    (count > 1 && waited).then(|| {
        format!(
            "which of {count} prepared transactions is waited for: pg_blocking_pids calls all of \
             them 0; pg_locks of the waiter's transactionid beside pg_prepared_xacts.transaction \
             tells it"
        )
    })
}

/// How many rows there are of each shape, with one of them.
struct Facts<'a> {
    shapes: Vec<(&'a Session, usize)>,
}

impl<'a> Facts<'a> {
    fn of(view: &View<'a>) -> Facts<'a> {
        let mut shapes: PerShape<(&Session, usize)> = PerShape::default();
        for s in view.rows() {
            shapes.of(s, || (s, 0)).1 += 1;
        }
        Facts { shapes: shapes.all().copied().collect() }
    }
}

/// What some rows hide.
fn shares(facts: &Facts, out: &mut Vec<String>) {
    let count = |has: &dyn Fn(&Session) -> bool| -> usize {
        facts.shapes.iter().filter(|(s, _)| s.is_client() && has(s)).map(|(_, n)| n).sum()
    };
    let clients = count(&|_| true).max(1) as f64;
    let share = |has: &dyn Fn(&Session) -> bool| count(has) as f64 / clients;
    let mut say = |missing: bool, what: &str| {
        if missing {
            out.push(what.to_owned());
        }
    };
    let states = share(&|s| s.state.is_empty());
    say(
        states > SOME,
        &format!(
            "what {:.0} % of the client rows do: their state is hidden from the user who took the \
         snapshots (grant pg_read_all_stats)",
            states * 100.0
        ),
    );
    let hidden = share(&|s| verbs::is_hidden(&s.query));
    say(
        hidden > SOME,
        &format!(
            "what {:.0} % of the client rows run: their statement is empty or hidden",
            hidden * 100.0
        ),
    );
    let unnamed = share(&|s| s.application.is_empty());
    say(
        unnamed > SOME,
        &format!(
            "which program {:.0} % of the client rows belong to: no application_name is set; they \
         stand under their user",
            unnamed * 100.0
        ),
    );
}
