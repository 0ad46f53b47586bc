//! A review as Markdown. What comes from the data is escaped: it makes no heading, link, image, table
//! cell, HTML or mention of its own.

use super::super::clean;
use super::{Item, OPEN, Review, Section, Table};
use crate::diagnosis::Diagnosis;

/// Writes the review.
pub(super) fn write(r: &Review, d: &Diagnosis) -> String {
    let mut out = format!("# {}\n\n{}.\n", text(&r.title), r.status);
    for s in &r.sections {
        section(&mut out, s);
    }
    out.push_str("\n## Evidence\n\n");
    for s in &r.appendix {
        let anchor = s.id.to_lowercase();
        out.push_str(&format!(
            "- <a id=\"{anchor}\"></a>**{}** {} — {}\n",
            s.id,
            text(&s.said),
            text(&s.place)
        ));
    }
    out.push_str("\n### Files\n\n| File | SHA-256 |\n| --- | --- |\n");
    for i in &d.inputs {
        out.push_str(&format!("| {} | {} |\n", text(&i.path), text(&i.sha256)));
    }
    let (tool, hash) = (&d.tool, text(&d.catalog.hash));
    out.push_str(&format!("\n{} {}, catalogue {hash}.\n\n", tool.name, tool.version));
    for s in &r.appendix {
        out.push_str(&format!("[{}]: #{}\n", s.id, s.id.to_lowercase()));
    }
    out
}

fn section(out: &mut String, s: &Section) {
    out.push_str(&format!("\n## {}\n\n", s.title));
    for i in &s.items {
        item(out, i);
    }
    if let Some(t) = &s.table {
        table(out, t);
    }
}

fn item(out: &mut String, i: &Item) {
    let said = text(&i.said);
    match i.open {
        true => out.push_str(&format!("- **{OPEN}**: {said}\n")),
        false => out.push_str(&format!("- {said}{}\n", ids(&i.rests_on))),
    }
    if let Some(command) = &i.command {
        let command = clean::command(command, false);
        let fence = fence(&command);
        out.push_str(&format!("\n  {fence}\n  {command}\n  {fence}\n\n"));
    }
}

/// More backticks than the text holds in a row, at least three.
fn fence(text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}

fn ids(ids: &[String]) -> String {
    ids.iter().map(|i| format!(" [{i}]")).collect()
}

fn table(out: &mut String, t: &Table) {
    if t.rows.is_empty() {
        return;
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = t.head.iter().map(|h| (*h).to_owned()).collect();
    out.push('\n');
    out.push_str(&line(&head));
    out.push_str(&line(&vec!["---".to_owned(); head.len()]));
    for r in &t.rows {
        let cells = r.cells.iter().map(|c| c.as_deref().map_or(format!("**{OPEN}**"), text));
        let cells: Vec<String> = cells.chain([ids(&r.rests_on).trim().to_owned()]).collect();
        out.push_str(&line(&cells));
    }
}

/// Escapes whatever Markdown or HTML could take for more than text.
pub(in crate::report) fn text(data: &str) -> String {
    let clean = clean::prose(data.trim(), false);
    let mut out = String::with_capacity(clean.len());
    let mut before = ' ';
    for (i, c) in clean.chars().enumerate() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A reference written out makes no mention of a person or team.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // No list within the item, and no link out of an address.
            '-' | '+' | '=' if i == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if before.is_ascii_digit() && i < 10 => {
                out.push('\\');
                out.push(c);
            }
            ':' if before.is_ascii_alphabetic() => out.push_str("&#58;"),
            c => out.push(c),
        }
        before = c;
    }
    // `www.` alone makes a link as well.
    out.replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_make_no_markdown() {
        assert_eq!(text("<b>*x*|y</b>"), "&lt;b&gt;\\*x\\*\\|y&lt;/b&gt;");
        assert_eq!(text("1. a\n# b"), "1\\. a\\n\\# b".replace("\\n", "\\\\n"));
        assert_eq!(text("see https://x"), "see https&#58;//x");
        assert_eq!(text("- a ![i](u) @all"), "\\- a \\!\\[i\\](u) &#64;all");
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(fence("a"), "```");
    }
}
