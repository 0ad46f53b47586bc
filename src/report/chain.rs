//! The causal chain: a tree of links, each with its onset, its picture and its numbers.

use super::number;
use super::page::{Flow, Glyphs, Most, Page, pad, wrapped};
use super::sparkline;
use crate::diagnosis::{ChainLink, Diagnosis, Hypothesis, Span, Verdict};
use crate::time;
use unicode_width::UnicodeWidthStr;

const LINKS: Most = (15, 15);
/// Deeper branches are not indented further.
const DEPTH: usize = 4;
/// Columns of the pictures: fewer say nothing, more do not help.
const PICTURE: std::ops::RangeInclusive<usize> = 12..=60;
/// Below this width a link takes three lines instead of two.
const NARROW: usize = 80;
/// From this width on a link takes one line.
const WIDE: usize = 140;
/// Columns that a sentence beside a picture has at least.
const SENTENCE: usize = 40;

/// One link, ready to be set.
struct Row<'a> {
    link: &'a ChainLink,
    /// Tree, name, role.
    left: String,
    when: String,
    values: String,
    said: String,
    /// The other columns say it as well.
    is_told: bool,
    /// What stands before the second line.
    rest: String,
}

/// The chain of a hypothesis, on one shared time axis.
pub(super) fn section(page: &mut Page, d: &Diagnosis, h: &Hypothesis) {
    if h.chain.is_empty() {
        return;
    }
    let sure = matches!(d.verdict, Verdict::Likely | Verdict::Confirmed);
    let title = if sure { "CAUSAL CHAIN" } else { "POSSIBLE CHAIN" };
    let rows = rows(page, h);
    let shown = page.limit(LINKS, rows.len());
    let left_out = rows.len() - shown;
    let title = &page.title(title, shown, rows.len());
    let rows = &rows[..shown];
    let axis = sparkline::shared_axis(rows.iter().filter_map(|r| r.link.spark.as_ref()));
    let widest = |of: fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let left = widest(|r| r.left.width());
    let when = widest(|r| r.when.width());
    let values = widest(|r| r.values.width()).max(caption(page).width());
    let room = page.width.saturating_sub(1 + left + 2 + when + 2 + 2 + values);
    match axis {
        Some(axis) if page.width >= NARROW && room >= *PICTURE.start() => {
            let most = match page.width >= WIDE {
                true => room.saturating_sub(SENTENCE + 2),
                false => room,
            };
            let width = most.clamp(*PICTURE.start(), *PICTURE.end());
            wide(page, d, title, rows, axis, [left, when, width, values]);
        }
        _ => narrow(page, d, title, rows, axis, values),
    }
    page.more("   ", left_out, " links");
}

/// What stands above the numbers.
fn caption(page: &Page) -> String {
    format!("before{}during", page.glyphs.arrow)
}

/// Two lines a link: all columns, then the sentence; the sentence beside them where it fits.
fn wide(
    page: &mut Page,
    d: &Diagnosis,
    title: &str,
    rows: &[Row<'_>],
    axis: Span,
    [left, when, width, values]: [usize; 4],
) {
    let column = 1 + left + 2 + when + 2;
    page.blank();
    let clocks = clocks(axis, width);
    page.line(&format!("{}{clocks}  {}", pad(&format!(" {title}"), column), caption(page)));
    page.embolden(title);
    let ruler = sparkline::ruler(axis, d.window.incident, width, page.style.ascii);
    if !ruler.is_empty() {
        let label = "incident shaded ";
        let indent = " ".repeat(column.saturating_sub(label.len()));
        let gaps = if has_gaps(rows, axis, width) { "  blank: no data" } else { "" };
        page.line(&format!("{indent}{label}{ruler}{gaps}"));
    }
    let beside = column + width + 2 + values + 2;
    for row in rows {
        let picture = match &row.link.spark {
            Some(spark) => sparkline::line(spark, axis, width, page.style.ascii),
            None => " ".repeat(width),
        };
        let (left, when) = (pad(&row.left, left), pad(&row.when, when));
        let columns = format!(" {left}  {when}  {picture}  {}", row.values);
        if row.is_told {
            let tail = ids(page, row);
            page.flow_line(&columns, &tail);
            continue;
        }
        match page.width.checked_sub(beside + SENTENCE) {
            Some(_) if page.width >= WIDE => said_beside(page, row, &pad(&columns, beside)),
            _ => {
                page.line(&columns);
                said(page, row);
            }
        }
    }
}

/// Three lines a link: name and onset, picture, sentence.
fn narrow(
    page: &mut Page,
    d: &Diagnosis,
    title: &str,
    rows: &[Row<'_>],
    axis: Option<Span>,
    values: usize,
) {
    let column = rows.iter().map(|r| r.rest.width()).max().unwrap_or(0) + 1;
    let room = page.width.saturating_sub(column + 2 + values);
    let axis = axis.filter(|_| room >= 8);
    let width = room.min(*PICTURE.end());
    match axis {
        None => page.heading(title),
        Some(axis) => {
            let gaps = if has_gaps(rows, axis, width) { ", blank: no data" } else { "" };
            page.heading(&format!("{title} (incident shaded{gaps}; {})", caption(page)));
            let ruler = sparkline::ruler(axis, d.window.incident, width, page.style.ascii);
            let indent = " ".repeat(column);
            page.line(&format!("{indent}{}", clocks(axis, width)));
            page.line(&format!("{indent}{ruler}"));
        }
    }
    for row in rows {
        let first = format!(" {}  ", row.left);
        let rest = format!(" {}", row.rest);
        let tail = if row.is_told { ids(page, row) } else { String::new() };
        let flow = Flow { first: &first, rest: &rest, text: &row.when, ..Flow::default() };
        page.flow(Flow { tail: &tail, ..flow });
        match (axis, &row.link.spark) {
            (Some(axis), Some(spark)) => {
                let picture = sparkline::line(spark, axis, width, page.style.ascii);
                let rest = pad(&format!(" {}", row.rest), column);
                page.line(&format!("{rest}{picture}  {}", row.values));
            }
            (_, None) => {}
            (None, Some(_)) => {
                let rest = format!(" {}", row.rest);
                page.wrap(&rest, &rest, &row.values);
            }
        }
        if !row.is_told {
            said(page, row);
        }
    }
}

/// Says whether a picture has a column in which nothing was recorded.
fn has_gaps(rows: &[Row<'_>], axis: Span, width: usize) -> bool {
    let sparks = rows.iter().filter_map(|r| r.link.spark.as_ref());
    sparks.into_iter().any(|s| sparkline::line(s, axis, width, false).contains(' '))
}

fn said(page: &mut Page, row: &Row<'_>) {
    let rest = format!(" {}", row.rest);
    let tail = ids(page, row);
    page.flow(Flow { first: &rest, rest: &rest, text: &row.said, tail: &tail, painted: None });
}

/// The sentence to the right of a link's columns.
fn said_beside(page: &mut Page, row: &Row<'_>, columns: &str) {
    let rest = pad(&format!(" {}", row.rest), columns.width());
    let text = format!("{}  {}", row.said, ids(page, row));
    let room = page.width - columns.width();
    for (n, line) in wrapped("", "", &text, room).iter().enumerate() {
        page.line(&format!("{}{line}", if n == 0 { columns } else { &rest }));
    }
}

/// The evidence of a link.
fn ids(page: &Page, row: &Row<'_>) -> String {
    const IDS: usize = 5;
    let ids = &row.link.evidence;
    let mut tail: Vec<String> = ids.iter().take(IDS).map(|id| page.clean(id)).collect();
    if ids.len() > IDS {
        tail.push(page.glyphs.ellipsis.to_owned());
    }
    tail.join(" ")
}

/// The word that is left of a sentence such as `latency 9 ms -> 3.4 s` beside its numbers.
fn brief(said: &str, told: bool) -> Option<String> {
    let (word, numbers) = said.split_once(' ')?;
    let numeric = numbers.starts_with(|c: char| c.is_ascii_digit()) && numbers.contains(" -> ");
    match (told, numeric) {
        (true, _) => Some(String::new()),
        (false, true) => Some(word.to_owned()),
        (false, false) => None,
    }
}

/// The first and last time of an axis, set to its two ends.
fn clocks(axis: Span, width: usize) -> String {
    let (from, to) = (time::clock(axis.from), time::clock(axis.to));
    match width.checked_sub(from.width() + to.width()) {
        Some(room) if room > 0 => format!("{from}{}{to}", " ".repeat(room)),
        _ => pad(&from, width),
    }
}

fn rows<'a>(page: &Page, h: &'a Hypothesis) -> Vec<Row<'a>> {
    let (g, links) = (page.glyphs, &h.chain);
    let places = tree(links, g);
    let origin = places.first().and_then(|(i, _, _)| links[*i].onset);
    let name = |(i, lead, _): &(usize, String, String)| {
        format!("{lead}{}", page.clean(&links[*i].entity.name))
    };
    let width = places.iter().map(|p| name(p).width()).max().unwrap_or(0).min(page.width / 3);
    let delayed = |link: &ChainLink| match (origin, link.onset) {
        (Some(from), Some(to)) => number::delay(from, to),
        _ => String::new(),
    };
    let later = places.iter().skip(1);
    let delays = later.map(|p| delayed(&links[p.0]).width()).max().unwrap_or(0);
    let mut rows = Vec::new();
    for (n, place) in places.iter().enumerate() {
        let link = &links[place.0];
        let delay = if n == 0 { String::new() } else { delayed(link) };
        let near = number::uncertainty(link.onset_uncertainty_s);
        let near = near.map_or(String::new(), |s| format!(" {}{s}", g.near));
        let when = link.onset.map_or("onset not seen".to_owned(), |at| {
            format!("{} {}{near}", time::clock(at), pad(&delay, delays)).trim_end().to_owned()
        });
        // The verdict has said it already.
        let told = link.said == h.headline && page.is_tight();
        let said = if told { "as the verdict says".to_owned() } else { page.clean(&link.said) };
        let brief = brief(&said, told).filter(|_| page.is_bare());
        rows.push(Row {
            is_told: brief.is_some(),
            link,
            said,
            left: format!("{}  {}", pad(&name(place), width), link.role.word()),
            when,
            values: format!("{} {}", values(link, g), brief.unwrap_or_default())
                .trim_end()
                .to_owned(),
            rest: place.2.clone(),
        });
    }
    rows
}

fn values(link: &ChainLink, g: &Glyphs) -> String {
    let Some(spark) = &link.spark else {
        return String::new();
    };
    let said = |v: Option<f64>| v.map_or("?".to_owned(), |v| number::value(v, spark.unit));
    match (spark.before, spark.during) {
        (None, None) => String::new(),
        (before, during) => format!("{}{}{}", said(before), g.arrow, said(during)),
    }
}

/// Orders links as a tree; for each its index, what stands before its name and under it.
///
/// A single follower stands under its cause without indent, several ones branch. Every link
/// comes out exactly once, even when `after` names nothing or goes round in a circle.
fn tree(links: &[ChainLink], g: &Glyphs) -> Vec<(usize, String, String)> {
    let mut followers = vec![Vec::new(); links.len()];
    let mut roots = Vec::new();
    for i in 0..links.len() {
        match parent(links, i) {
            Some(p) => followers[p].push(i),
            None => roots.push(i),
        }
    }
    let mut seen = vec![false; links.len()];
    let mut out = Vec::new();
    for start in roots.into_iter().chain(0..links.len()) {
        let mut stack = vec![(start, g.root.to_owned(), String::new())];
        while let Some((i, lead, under)) = stack.pop() {
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let next: Vec<usize> = followers[i].iter().copied().filter(|f| !seen[*f]).collect();
            let pipe = if next.is_empty() { "  " } else { &format!("{} ", g.pipe) };
            out.push((i, lead, format!("{under}{pipe}")));
            let deep = under.width() >= 3 * DEPTH;
            for (n, follower) in next.iter().enumerate().rev() {
                let last = n + 1 == next.len();
                let (lead, under) = match (next.len(), last) {
                    (1, _) => (format!("{under}{}", g.down), under.clone()),
                    (_, true) => (format!("{under}{}", g.corner), format!("{under}   ")),
                    _ => (format!("{under}{}", g.tee), format!("{under}{}  ", g.pipe)),
                };
                let under = if deep { under.trim_end().to_owned() } else { under };
                stack.push((*follower, lead, under));
            }
        }
    }
    out
}

/// The link that another one follows from: the nearest earlier one of that name, else a later one.
fn parent(links: &[ChainLink], i: usize) -> Option<usize> {
    let name = links[i].after.as_ref()?;
    let earlier = links[..i].iter().rposition(|l| &l.entity.name == name);
    earlier
        .or_else(|| links[i + 1..].iter().position(|l| &l.entity.name == name).map(|p| i + 1 + p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Style, sample};

    fn leads(after: &[(&str, Option<&str>)]) -> Vec<String> {
        let links: Vec<ChainLink> = after.iter().map(|(n, a)| sample::link(n, *a)).collect();
        let page = Page::new(&Style::default(), false);
        tree(&links, page.glyphs)
            .into_iter()
            .map(|(i, lead, _)| format!("{lead}{}", links[i].entity.name))
            .collect()
    }

    #[test]
    fn one_follower_goes_down_and_several_branch() {
        let links = [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", Some("b"))];
        assert_eq!(leads(&links), ["● a", "▼ b", "├▶ c", "└▶ d"]);
        let links = [("a", None), ("b", Some("a")), ("c", Some("a")), ("d", Some("b"))];
        assert_eq!(leads(&links), ["● a", "├▶ b", "│  ▼ d", "└▶ c"]);
    }

    #[test]
    fn circles_and_unknown_names_lose_no_link() {
        let links = [("a", Some("b")), ("b", Some("a")), ("c", Some("nobody"))];
        assert_eq!(leads(&links).len(), 3);
        assert_eq!(leads(&[("a", Some("a"))]), ["● a"]);
    }
}
