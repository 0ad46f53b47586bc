//! The lists of the sessions' report: waits, pools, holders, statements, processes.

use super::page::{Most, Page, pad};
use super::sessions::{named, picture, shortened};
use super::{number, sparkline};
use crate::forensics::{PoolRow, Server, StatementRow, States};
use crate::time;

const WAITS: Most = (8, 8);
const EVENTS: usize = 3;
const POOLS: Most = (8, 8);
const HOLDERS: Most = (4, 4);
const STATEMENTS: Most = (6, 6);
const WORKERS: Most = (8, 8);

/// Wait event types over time, and their events.
pub(super) fn waits(page: &mut Page, s: &Server) {
    page.heading("WAITS OF BUSY SESSIONS");
    if s.waits.is_empty() {
        page.line("   no client session was busy");
        return;
    }
    let width = picture(page, 58);
    let head = ["type", "", "mean", "most", "share"];
    page.line(&format!(
        "   {} {} {:>5} {:>5} {:>6}  events",
        pad(head[0], 10),
        pad(head[1], width),
        head[2],
        head[3],
        head[4]
    ));
    let shown = page.limit(WAITS, s.waits.len());
    for w in &s.waits[..shown] {
        let line = sparkline::line(&w.cells, s.recorded, width, page.style.ascii);
        let events: Vec<String> = w
            .events
            .iter()
            .take(EVENTS)
            .map(|(e, share)| format!("{} {:.0} %", page.clean(e), share * 100.0))
            .collect();
        let numbers = format!(
            "{:>5} {:>5} {:>6}",
            number::number(w.mean),
            w.peak,
            format!("{:.0} %", w.share * 100.0)
        );
        let first = format!("   {} {line} {numbers}  ", pad(&page.clean(&w.kind), 10));
        match page.width >= 80 {
            true => page.wrap(&first, &" ".repeat(12), &events.join(", ")),
            false => {
                page.line(&first);
                page.wrap("     ", "       ", &events.join(", "));
            }
        }
    }
    page.more("   ", s.waits.len() - shown, " types");
}

fn states(s: &States) -> String {
    let all = [
        (s.active, "active"),
        (s.waiting, "waiting"),
        (s.idle, "idle"),
        (s.idle_in_transaction, "idle in transaction"),
        (s.unknown, "state not shown"),
    ];
    let said: Vec<String> =
        all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// Connections by application and client.
pub(super) fn pools(page: &mut Page, s: &Server) {
    let p = &s.pools;
    let limit = match (p.max_connections, p.reserved) {
        (Some(max), Some(kept)) => format!(
            " of max_connections {} ({} reserved): {}",
            number::number(max),
            number::number(kept),
            share(p.peak_share)
        ),
        (Some(max), None) => {
            format!(" of max_connections {}: {}", number::number(max), share(p.peak_share))
        }
        _ => "; max_connections is not known (export pg_settings)".to_owned(),
    };
    page.heading("CONNECTIONS");
    let text = format!("most {} at {}{limit}", p.peak, time::clock(p.peak_at));
    page.wrap("   ", "     ", &text);
    let text = format!("at {}: {}", time::clock(s.shown_at), states(&p.shown));
    page.wrap("   ", "     ", &text);
    let width = picture(page, 70);
    let shown = page.limit(POOLS, p.applications.len());
    let names = p.applications[..shown].iter().map(|a| page.clean(&a.application).chars().count());
    let widest = names.max().unwrap_or(0).clamp(8, 20);
    for a in &p.applications[..shown] {
        let name = shortened(page, &page.clean(&a.application), widest);
        let line = sparkline::line(&a.total, s.recorded, width, page.style.ascii);
        let first = format!("   {} {line} {:>4}  ", pad(&name, widest), a.peak);
        let text = pool_text(page, a);
        page.wrap(&first, &" ".repeat(widest + 5), &text);
    }
    page.more("   ", p.applications.len() - shown, " applications");
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "?".to_owned(), |s| format!("{:.0} %", s * 100.0))
}

fn pool_text(page: &Page, a: &PoolRow) -> String {
    let dot = page.glyphs.dot;
    let mut parts = vec![states(&a.at_peak)];
    parts.extend(a.pool_size.map(|n| format!("pool size {}", number::number(n))));
    let known: Vec<&str> =
        a.clients.iter().map(|c| c.client.as_str()).filter(|c| !c.is_empty()).collect();
    match (known.as_slice(), a.clients.first()) {
        ([], _) | (_, None) => {}
        ([one], _) => parts.push(format!("from {}", page.clean(one))),
        (many, Some(most)) => {
            let most = format!("{} ({})", page.clean(&most.client), most.peak);
            parts.push(format!("from {} clients, most {most}", many.len()));
        }
    }
    let service = a.service.as_ref().filter(|s| **s != a.application);
    parts.extend(service.map(|s| format!("service {}", page.clean(s))));
    parts.join(dot)
}

/// Who keeps old row versions alive.
pub(super) fn xmin(page: &mut Page, s: &Server) {
    if s.xmin.is_empty() {
        return;
    }
    page.heading(&format!("OLDEST XMIN AT {}", time::clock(s.shown_at)));
    let dot = page.glyphs.dot;
    let shown = page.limit(HOLDERS, s.xmin.len());
    for x in &s.xmin[..shown] {
        let age = x.age_s.map_or_else(String::new, |a| format!("{dot}open {}", time::duration(a)));
        let behind = number::count(x.behind as usize, "transaction");
        let state = page.clean(&x.who.state);
        let text =
            format!("{}{dot}xmin {}, {behind} back{age}{dot}{state}", named(page, &x.who), x.xmin);
        page.wrap("   - ", "     ", text.trim_end_matches(dot));
    }
    page.more("     ", s.xmin.len() - shown, "");
}

/// Transactions that stayed open, statements that run, prepared transactions.
pub(super) fn open(page: &mut Page, s: &Server) {
    let dot = page.glyphs.dot;
    if !s.transactions.is_empty() {
        page.heading("OLDEST TRANSACTIONS");
        let shown = page.limit(HOLDERS, s.transactions.len());
        for t in &s.transactions[..shown] {
            let idle = match t.idle_s > 0.0 {
                true => format!(", idle for {} of it", time::duration(t.idle_s)),
                false => String::new(),
            };
            let idle = if t.waits { ", waiting for a lock".to_owned() } else { idle };
            let text = format!(
                "{}{dot}open {} when last seen at {}{idle}{dot}{}",
                named(page, &t.who),
                time::duration(t.age_s),
                time::clock(t.last),
                shortened(page, &page.clean(&t.who.query), page.width),
            );
            page.wrap("   - ", "     ", text.trim_end_matches(dot));
        }
        page.more("     ", s.transactions.len() - shown, "");
    }
    if !s.running.is_empty() {
        page.heading(&format!("LONGEST RUNNING AT {}", time::clock(s.shown_at)));
        let shown = page.limit(HOLDERS, s.running.len());
        for r in &s.running[..shown] {
            let wait = if r.wait.is_empty() { "running" } else { &r.wait };
            let text = format!(
                "{}{dot}{}{dot}{}{dot}{}",
                named(page, &r.who),
                time::duration(r.age_s),
                page.clean(wait),
                shortened(page, &page.clean(&r.who.query), page.width),
            );
            page.wrap("   - ", "     ", text.trim_end_matches(dot));
        }
        page.more("     ", s.running.len() - shown, "");
    }
    for p in &s.prepared {
        let gid = if p.gid.is_empty() { "whose name is not shown" } else { &p.gid };
        let since =
            p.prepared.map_or_else(String::new, |t| format!("{dot}since {}", time::clock(t)));
        let text = format!("{}{since}{dot}up to {} behind it", page.clean(gid), p.victims);
        page.wrap("   prepared transaction: ", "     ", &text);
    }
}

/// What sessions ran.
pub(super) fn statements(page: &mut Page, s: &Server) {
    if s.statements.is_empty() {
        return;
    }
    page.heading("STATEMENTS BY TIME TAKEN");
    let shown = page.limit(STATEMENTS, s.statements.len());
    let hidden_new = s.statements[shown..].iter().filter(|x| x.new == Some(true)).count();
    for x in &s.statements[..shown] {
        one_statement(page, s, x);
    }
    page.more("   ", s.statements.len() - shown, " statements");
    if hidden_new > 0 {
        page.wrap("   ", "     ", &format!("{hidden_new} of these were not seen before"));
    }
}

fn one_statement(page: &mut Page, s: &Server, x: &StatementRow) {
    let dot = page.glyphs.dot;
    let width = picture(page, 70);
    let line = sparkline::line(&x.sessions, s.recorded, width, page.style.ascii);
    let before = x.before.map_or_else(|| "?".to_owned(), number::number);
    let arrow = page.glyphs.arrow.trim();
    let mut parts = vec![
        format!("{before} {arrow} {} sessions", number::number(x.during)),
        format!("most {}", x.peak),
        format!("age {}", time::duration(x.age_s)),
    ];
    if x.lock_share >= 0.05 {
        parts.push(format!("{:.0} % wait for locks", x.lock_share * 100.0));
    }
    if x.io_share >= 0.05 {
        parts.push(format!("{:.0} % wait for storage", x.io_share * 100.0));
    }
    if x.new == Some(true) {
        parts.push("NEW".to_owned());
    }
    let first = format!("   {} {line} ", page.clean(&x.fingerprint));
    page.wrap(&first, "     ", &parts.join(dot));
    let tag = if x.tag.is_empty() { String::new() } else { format!("/* {} */ ", x.tag) };
    let text = shortened(page, &page.clean(&format!("{tag}{}", x.query)), 2 * page.width - 20);
    page.wrap("     ", "       ", &text);
}

/// Processes that are no client's, and what replay waited for.
pub(super) fn workers(page: &mut Page, s: &Server) {
    let dot = page.glyphs.dot;
    if !s.workers.is_empty() {
        page.heading("SERVER PROCESSES AT WORK");
        let shown = page.limit(WORKERS, s.workers.len());
        for w in &s.workers[..shown] {
            let age = w.age_s.map_or_else(String::new, |a| format!("{dot}{}", time::duration(a)));
            let leader = w.leader.map_or_else(String::new, |l| format!("{dot}of pid {l}"));
            let guard =
                if w.wraparound { format!("{dot}TO PREVENT WRAPAROUND") } else { String::new() };
            let wait = page.clean(&w.wait);
            let text = format!(
                "{}: {}{leader}{age}{dot}{wait}{guard}{dot}{}",
                page.clean(&w.kind),
                named(page, &w.who),
                page.clean(&w.who.query),
            );
            page.wrap("   - ", "     ", text.trim_end_matches(dot));
        }
        page.more("     ", s.workers.len() - shown, "");
    }
    if !s.conflicts.is_empty() {
        page.heading("REPLAY WAITED FOR READERS");
        for c in &s.conflicts {
            let text = format!(
                "{} in {}, {}{}{}",
                page.clean(&c.event),
                number::count(c.snapshots, "snapshot"),
                time::clock(c.first),
                page.glyphs.dash,
                time::clock(c.last)
            );
            page.wrap("   - ", "     ", &text);
        }
    }
}

/// What the server's log says.
pub(super) fn log(page: &mut Page, s: &Server) {
    if s.log.is_empty() {
        return;
    }
    page.heading("SERVER LOG");
    let dot = page.glyphs.dot;
    for l in &s.log {
        let dash = page.glyphs.dash;
        let times = format!("{}{dash}{}", time::clock(l.span.from), time::clock(l.span.to));
        let mut parts = vec![number::count(l.lines, "line"), times];
        parts.push(most(page, &l.applications));
        parts.extend(l.waited_s.map(|w| format!("waited up to {}", time::duration(w))));
        let names = [most(page, &l.modes), most(page, &l.relations)];
        parts.extend(names.into_iter().filter(|n| !n.is_empty()));
        let held: Vec<String> =
            l.holders.iter().take(EVENTS).map(|(w, n)| format!("{} {n}", named(page, w))).collect();
        if !held.is_empty() {
            parts.push(format!("held by {}", held.join(", ")));
        }
        parts.push(page.clean(&l.place));
        let text = format!("{}{dot}{}", page.clean(&l.said), parts.join(dot));
        page.wrap("   - ", "     ", &text);
    }
}

/// The most frequent names with their numbers: `orders 3, report 1`.
fn most(page: &Page, names: &std::collections::BTreeMap<String, usize>) -> String {
    let mut all: Vec<(&String, &usize)> = names.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let said: Vec<String> =
        all.iter().take(EVENTS).map(|(name, n)| format!("{} {n}", page.clean(name))).collect();
    said.join(", ")
}
