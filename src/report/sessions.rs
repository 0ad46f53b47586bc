//! The sessions of PostgreSQL servers as text: forest, waits, pools, what holds old rows, statements,
//! what to end first, what is not known.

use super::page::{Flow, Most, Page, pad};
use super::{Style, Verbosity, number, session_lists as lists, sparkline};
use crate::diagnosis::{Span, Spark};
use crate::forensics::{Forensics, Node, RootRow, Server, StepKind, Tree, Who};
use crate::time;
use unicode_width::UnicodeWidthStr;

const TREES: Most = (4, 4);
const NODES: Most = (12, 12);
const ROOTS: Most = (5, 5);
const GAPS: Most = (5, 5);
/// Least and usual columns of a picture over time.
const PICTURE: (usize, usize) = (12, 48);

/// Writes the whole answer.
pub fn sessions(f: &Forensics, style: &Style) -> String {
    let mut page = Page::new(style, false);
    for server in &f.servers {
        page.blank();
        header(&mut page, server);
        forest(&mut page, server);
        if style.verbosity != Verbosity::Quiet {
            over_time(&mut page, server);
            lists::waits(&mut page, server);
            lists::pools(&mut page, server);
            lists::xmin(&mut page, server);
            lists::open(&mut page, server);
            lists::statements(&mut page, server);
            lists::workers(&mut page, server);
            lists::log(&mut page, server);
        }
        mitigation(&mut page, server);
        if style.verbosity != Verbosity::Quiet {
            unknown(&mut page, server);
        }
    }
    if !f.gaps.is_empty() && style.verbosity != Verbosity::Quiet {
        page.heading("GAPS");
        let shown = page.limit(GAPS, f.gaps.len());
        for g in &f.gaps[..shown] {
            let line = g.line.map_or_else(String::new, |l| format!(":{l}"));
            let file = g.file.as_deref().map_or_else(String::new, |f| format!("{f}{line}: "));
            let text = page.clean(&format!("{file}{}", g.what));
            page.wrap("   - ", "     ", &text);
        }
        page.more("     ", f.gaps.len() - shown, "");
    }
    page.finish()
}

fn header(page: &mut Page, s: &Server) {
    let dot = page.glyphs.dot;
    let kind = if s.standby { "standby" } else { "server" };
    let mut parts = vec![
        format!("{} ({kind})", page.clean(&s.name)),
        number::count(s.snapshots, "snapshot"),
        number::count(s.rows, "row"),
    ];
    parts.extend(s.every_s.map(|e| format!("every {}", number::pause(e))));
    parts.push(stretch(page, &s.recorded));
    page.wrap(" ", "   ", &parts.join(dot));
    if let (Some(before), Some(during)) = (&s.baseline, &s.incident) {
        let text =
            format!("incident {}{dot}before it {}", stretch(page, during), stretch(page, before));
        page.wrap(" ", "   ", &text);
    }
}

/// `2026-11-20 20:06:39–20:14:02 UTC`.
fn stretch(page: &Page, s: &Span) -> String {
    let date = time::date(s.from);
    let (from, to) = (time::clock(s.from), time::beside(s.to, s.from));
    format!("{date} {from}{}{to} UTC", page.glyphs.dash)
}

/// `checkout (pid 4711, app@shop from 10.0.0.5)`.
pub(super) fn named(page: &Page, w: &Who) -> String {
    let name = [&w.application, &w.user, &w.backend].into_iter().find(|n| !n.is_empty());
    let name = name.map_or_else(|| "session".to_owned(), |n| page.clean(n));
    if w.pid == 0 {
        return "prepared transaction".to_owned();
    }
    let service = w.service.as_ref().filter(|s| **s != w.application);
    let service = service.map_or_else(String::new, |s| format!(" of {}", page.clean(s)));
    format!("{name}{service} (pid {})", w.pid)
}

/// `app@shop from 10.0.0.5`.
fn origin(page: &Page, w: &Who) -> String {
    let user = if w.user.is_empty() { "?" } else { &w.user };
    let client = if w.client.is_empty() { "local" } else { &w.client };
    page.clean(&format!("{user}@{} from {client}", w.database))
}

fn forest(page: &mut Page, s: &Server) {
    let b = &s.blocking;
    page.heading(&format!("BLOCKING AT {} ({})", time::clock(s.shown_at), s.shown_why));
    if b.trees.is_empty() && b.circles.is_empty() {
        page.line("   nobody waits for another session");
    }
    let shown = page.limit(TREES, b.trees.len());
    for tree in &b.trees[..shown] {
        one_tree(page, tree);
    }
    page.more("   ", b.trees.len() - shown, " roots");
    for c in &b.circles {
        let names: Vec<String> = c.members.iter().map(|w| named(page, w)).collect();
        let text = format!("deadlock, or behind one: {}", names.join(", "));
        page.wrap("   ", "     ", &text);
    }
}

fn one_tree(page: &mut Page, t: &Tree) {
    let dot = page.glyphs.dot;
    let mut parts = vec![named(page, &t.root)];
    if t.root.pid != 0 {
        parts.push(origin(page, &t.root));
        let state = if t.root.state.is_empty() { "state not shown" } else { &t.root.state };
        let still = t.still_s.map_or_else(String::new, |s| format!(" {}", time::duration(s)));
        parts.push(format!("{}{still}", page.clean(state)));
    }
    parts.extend(t.age_s.map(|a| format!("transaction {}", time::duration(a))));
    parts.push(format!("{} behind it", t.victims));
    let first = format!("   {}", page.glyphs.root);
    page.wrap(&first, "     ", &parts.join(dot));
    statement(page, "     ", &t.root);
    let shown = page.limit(NODES, t.nodes.len());
    for n in &t.nodes[..shown] {
        node(page, n);
    }
    page.more("       ", t.nodes.len() - shown, " groups behind it");
}

fn statement(page: &mut Page, indent: &str, w: &Who) {
    let tag = if w.tag.is_empty() { String::new() } else { format!("/* {} */ ", w.tag) };
    let text = page.clean(&format!("{tag}{}", w.query));
    if text.is_empty() {
        return;
    }
    let text = shortened(page, &text, 2 * page.width.saturating_sub(indent.len() + 8));
    let print =
        if w.fingerprint.is_empty() { String::new() } else { format!("{} ", w.fingerprint) };
    page.wrap(indent, &format!("{indent}  "), &format!("{print}{text}"));
}

/// A text cut to so many columns.
pub(super) fn shortened(page: &Page, text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let sign = page.glyphs.ellipsis;
    let room = most.saturating_sub(sign.width());
    let mut out: String = text.chars().take(room).collect();
    while out.width() > room {
        out.pop();
    }
    format!("{out}{sign}")
}

fn node(page: &mut Page, n: &Node) {
    let dot = page.glyphs.dot;
    let indent = "  ".repeat(n.depth.min(8)) + "   ";
    let first = format!("{indent}{}", page.glyphs.corner);
    let who = match n.pids.len() {
        1 => named(page, &n.who),
        many => {
            let pids: Vec<String> = n.pids.iter().take(3).map(i64::to_string).collect();
            let more = if many > 3 { format!(", {}", page.glyphs.ellipsis) } else { String::new() };
            let name = if n.who.application.is_empty() { &n.who.user } else { &n.who.application };
            let times = page.glyphs.times;
            format!("{many} {times} {} (pids {}{more})", page.clean(name), pids.join(", "))
        }
    };
    let mut parts = vec![who];
    if !n.wait.is_empty() {
        parts.push(format!("waits for {}", page.clean(&n.wait)));
    }
    if !n.relation.is_empty() || !n.mode.is_empty() {
        let on = page.clean(format!("{} {}", n.mode, n.relation).trim());
        parts.push(if n.mode.is_empty() { format!("on {on}") } else { on });
    }
    if let Some(waited) = n.waited_s {
        let most = if n.exact { "" } else { "at most " };
        parts.push(format!("{most}{}", time::duration(waited)));
    }
    if n.blocked_by.len() > 1 {
        parts.push(format!("behind {} sessions", n.blocked_by.len()));
    }
    if n.inferred {
        parts.push("INFERRED".to_owned());
    }
    page.wrap(&first, &format!("{indent}     "), &parts.join(dot));
    statement(page, &format!("{indent}   "), &n.who);
}

/// Columns of a picture that leaves `taken` columns for words.
pub(super) fn picture(page: &Page, taken: usize) -> usize {
    page.width.saturating_sub(taken).clamp(PICTURE.0, PICTURE.1)
}

fn over_time(page: &mut Page, s: &Server) {
    let b = &s.blocking;
    if b.snapshots == 0 {
        return;
    }
    let share = format!("{} of {}", b.snapshots, number::count(s.snapshots, "snapshot"));
    page.heading(&format!("BLOCKING OVER TIME (somebody waits in {share})"));
    let width = picture(page, 34);
    let rows: [(&str, &Spark, String); 4] = [
        ("waiting", &b.waiting, format!("most {}", b.most_waiting)),
        ("roots", &b.roots, number::count(b.blockers.len(), "session")),
        ("depth", &b.depth, format!("most {}", b.deepest)),
        ("longest", &b.waited_s, time::duration(b.longest_s)),
    ];
    for (name, spark, said) in rows {
        let line = sparkline::line(spark, s.recorded, width, page.style.ascii);
        page.line(&format!("   {} {line}  {said}", pad(name, 8)));
    }
    if let Some(during) = s.incident {
        let ruler = sparkline::ruler(s.recorded, during, width, page.style.ascii);
        page.line(&format!("   {} {ruler}  incident", pad("", 8)));
    }
    let shown = page.limit(ROOTS, b.blockers.len());
    for r in &b.blockers[..shown] {
        root_row(page, r);
    }
    page.more("   ", b.blockers.len() - shown, " roots");
}

fn root_row(page: &mut Page, r: &RootRow) {
    let dot = page.glyphs.dot;
    let dash = page.glyphs.dash;
    let mut parts = vec![
        named(page, &r.who),
        format!("{}{dash}{}", time::clock(r.first), time::clock(r.last)),
        format!("root in {} ({:.0} %)", number::count(r.snapshots, "snapshot"), r.share * 100.0),
        format!("up to {} behind it, depth {}", r.victims, r.depth),
        format!("they waited up to {}", time::duration(r.waited_s)),
    ];
    let on = format!("{} {}", r.mode, r.relation);
    if !on.trim().is_empty() {
        parts.push(page.clean(&format!("for {}", on.trim())));
    }
    parts.extend(r.through.as_ref().map(|t| format!("through the {} process", page.clean(t))));
    if r.inferred {
        parts.push("INFERRED".to_owned());
    }
    page.wrap("   - ", "     ", &parts.join(dot));
}

fn mitigation(page: &mut Page, s: &Server) {
    if s.mitigation.is_empty() {
        return;
    }
    page.heading(
        "TO END THE WAITING (cancel before terminate; each command hits that session only)",
    );
    for (n, step) in s.mitigation.iter().enumerate() {
        let kind = match step.kind {
            StepKind::Check => "look",
            StepKind::Cancel => "cancel",
            StepKind::Terminate => "terminate",
            StepKind::Leave => "leave it",
        };
        let pid = if step.pid == 0 { String::new() } else { format!(" pid {}", step.pid) };
        let on = match step.command {
            Some(_) => format!(" (run on {}):", page.clean(&step.on)),
            None => String::new(),
        };
        let text = format!("{kind}{pid}: {}{on}", page.clean(&step.said));
        page.wrap(&format!("   {} ", n + 1), "     ", &text);
        if let Some(command) = &step.command {
            page.command("       ", command);
        }
        if let Some(lost) = &step.rolls_back {
            let text = format!("rolls back: {}", page.clean(lost));
            page.wrap("     ", "       ", &text);
        }
        if let Some(then) = &step.expect {
            page.wrap("     ", "       ", &format!("then: {}", page.clean(then)));
        }
    }
}

fn unknown(page: &mut Page, s: &Server) {
    if s.unknown.is_empty() {
        return;
    }
    page.heading("NOT KNOWN FROM THIS EXPORT");
    for what in &s.unknown {
        let text = page.clean(what);
        page.flow(Flow { first: "   ? ", rest: "     ", text: &text, ..Flow::default() });
    }
}
