//! The sheet a text report is written on: wraps at words, honours the width, paints marks.

use super::{Style, Verbosity, clean};
use crate::diagnosis::{EvidenceState, Verdict};
use unicode_width::UnicodeWidthStr;

/// The signs a report draws with.
pub(super) struct Glyphs {
    pub dot: &'static str,
    pub arrow: &'static str,
    pub dash: &'static str,
    pub ellipsis: &'static str,
    pub near: &'static str,
    pub times: &'static str,
    pub root: &'static str,
    pub down: &'static str,
    pub tee: &'static str,
    pub corner: &'static str,
    pub pipe: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    dot: " · ",
    arrow: " → ",
    dash: "–",
    ellipsis: "…",
    near: "±",
    times: "×",
    root: "● ",
    down: "▼ ",
    tee: "├▶ ",
    corner: "└▶ ",
    pipe: "│",
};

const ASCII: Glyphs = Glyphs {
    dot: " | ",
    arrow: " -> ",
    dash: "-",
    ellipsis: "...",
    near: "+-",
    times: "x",
    root: "* ",
    down: "v ",
    tee: "+> ",
    corner: "+> ",
    pipe: "|",
};

/// How many of something are shown, and how many where the report is long.
pub(super) type Most = (usize, usize);

/// Lines that count as one screen.
pub(super) const SCREEN: usize = 60;

/// Lines of the footer, which come last.
const FOOTER: usize = 3;

/// How much of everything a page shows, when it is not to show all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Density {
    Roomy,
    Tight,
    /// What one cannot do without.
    Bare,
    /// Not even that of what the chain tells as well.
    Least,
}

/// The end of a paragraph is set no further to the right than this, where it fits.
const NEAR: usize = 120;

/// A colour, always beside a word or a sign that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Red,
    Green,
    Yellow,
}

/// A paragraph: prefixes, text, an end that is set to the right, and what is painted.
#[derive(Clone, Copy, Default)]
pub(super) struct Flow<'a> {
    pub first: &'a str,
    pub rest: &'a str,
    pub text: &'a str,
    pub tail: &'a str,
    /// The first place where this stands in the paragraph is painted.
    pub painted: Option<(&'a str, Paint)>,
}

/// A text report while it is being written.
pub(super) struct Page {
    pub style: Style,
    pub width: usize,
    pub glyphs: &'static Glyphs,
    density: Density,
    out: String,
}

impl Page {
    /// Starts an empty page; a `tight` one shows less of everything.
    pub(super) fn new(style: &Style, tight: bool) -> Page {
        Page::dense(style, if tight { Density::Tight } else { Density::Roomy })
    }

    /// Starts an empty page of a density.
    pub(super) fn dense(style: &Style, density: Density) -> Page {
        let glyphs = if style.ascii { &ASCII } else { &UNICODE };
        let width = style.width.clamp(40, 200);
        Page { style: *style, width, glyphs, density, out: String::new() }
    }

    /// Says whether the page has become longer than a screen.
    pub(super) fn is_long(&self) -> bool {
        self.out.lines().count() > SCREEN - FOOTER
    }

    /// Gives the text, with one line feed at its end.
    pub(super) fn finish(self) -> String {
        let mut out = self.out.trim_end().to_owned();
        out.push('\n');
        out
    }

    /// A string of the data, safe to show.
    pub(super) fn clean(&self, data: &str) -> String {
        clean::prose(data.trim(), self.style.ascii)
    }

    /// How many of `total` are shown: all with -v, less on a tight page.
    ///
    /// A tight page shows a single one that is left rather than saying that there is one.
    pub(super) fn limit(&self, most: Most, total: usize) -> usize {
        let least = match self.density {
            _ if self.verbose() => return total,
            Density::Roomy => return total.min(most.0),
            Density::Tight => most.1,
            // A little more than half of it.
            Density::Bare if most.1 > 0 => 1 + most.1 / 2,
            Density::Least if most.1 > 0 => 1 + most.1 / 3,
            Density::Bare | Density::Least => 0,
        };
        // Tight only: a page that is shorter yet has no room for that.
        let last = total == least + 1 && self.density == Density::Tight;
        total.min(if last { most.0 } else { least })
    }

    /// Says whether less of everything is shown.
    pub(super) fn is_tight(&self) -> bool {
        self.density > Density::Roomy && !self.verbose()
    }

    /// Says whether only what one cannot do without is shown.
    pub(super) fn is_bare(&self) -> bool {
        self.density >= Density::Bare && !self.verbose()
    }

    /// Says whether what is told twice is told once.
    pub(super) fn is_least(&self) -> bool {
        self.density == Density::Least && !self.verbose()
    }

    /// A title that says how much of a list is shown, where no line under it does.
    pub(super) fn title(&self, title: &str, shown: usize, total: usize) -> String {
        match self.is_bare() && shown < total {
            true => format!("{title} {shown} of {total}"),
            false => title.to_owned(),
        }
    }

    /// Says whether everything is to be told.
    pub(super) fn verbose(&self) -> bool {
        self.style.verbosity == Verbosity::Verbose
    }

    /// Leaves a blank line and writes the title of a section.
    pub(super) fn heading(&mut self, title: &str) {
        self.blank();
        self.flow(Flow { first: " ", rest: "   ", text: title, ..Flow::default() });
        self.embolden(title);
    }

    /// Makes the words in capitals that begin a title bold where they stand last; so is a title found.
    pub(super) fn embolden(&mut self, title: &str) {
        let is_small = |w: &&str| w.chars().any(|c| !c.is_ascii_uppercase());
        let words: Vec<&str> = title.split(' ').take_while(|w| !is_small(w)).collect();
        let words = words.join(" ");
        if let (true, Some(at)) = (self.style.color && !words.is_empty(), self.out.rfind(&words)) {
            self.out.replace_range(at..at + words.len(), &format!("\u{1b}[1m{words}\u{1b}[0m"));
        }
    }

    /// Leaves a blank line, unless there is one or the page is empty.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Writes a line as it stands; one that is too long is wrapped.
    pub(super) fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if line.width() <= self.width {
            self.out.push_str(line);
            self.out.push('\n');
        } else {
            let indent = " ".repeat((line.len() - line.trim_start().len()).min(self.width / 3));
            let rest = format!("{indent}  ");
            let text = line.trim_start();
            self.flow(Flow { first: &indent, rest: &rest, text, ..Flow::default() });
        }
    }

    /// Writes a line as it stands, and what belongs to its right end where that fits.
    pub(super) fn flow_line(&mut self, line: &str, tail: &str) {
        let line = line.trim_end();
        let room = self.width.min(NEAR.max(line.width() + 2 + tail.width()));
        match room.checked_sub(line.width() + tail.width()) {
            Some(room) if room >= 2 && !tail.is_empty() => {
                self.line(&format!("{line}{}{tail}", " ".repeat(room)));
            }
            _ => self.line(line),
        }
    }

    /// Writes a paragraph without a tail.
    pub(super) fn wrap(&mut self, first: &str, rest: &str, text: &str) {
        self.flow(Flow { first, rest, text, ..Flow::default() });
    }

    /// Writes a paragraph.
    pub(super) fn flow(&mut self, flow: Flow<'_>) {
        let mut lines = wrapped(flow.first, flow.rest, flow.text, self.width);
        if !flow.tail.is_empty() {
            let last = lines.last().map_or(0, |l| l.width());
            let used = last + 2 + flow.tail.width();
            let near = self.width.min(NEAR).checked_sub(used);
            match near.or(self.width.checked_sub(used)) {
                Some(room) if !lines.is_empty() => {
                    let end = lines.len() - 1;
                    lines[end].push_str(&" ".repeat(room + 2));
                    lines[end].push_str(flow.tail);
                }
                _ => lines.extend(wrapped(flow.rest, flow.rest, flow.tail, self.width)),
            }
        }
        let mut text = String::new();
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if let (true, Some((sign, paint))) = (self.style.color, flow.painted) {
            text = text.replacen(sign, &painted(sign, paint), 1);
        }
        self.out.push_str(&text);
    }

    /// Writes a command whole, on a line of its own.
    pub(super) fn command(&mut self, indent: &str, command: &str) {
        let command = clean::command(command, self.style.ascii);
        self.out.push_str(&format!("{indent}{command}\n"));
    }

    /// Cuts a path or the like at its left end to what is left after a paragraph, or to a line.
    ///
    /// The first of `tails` that fits is taken whole; with -v nothing is cut.
    pub(super) fn tail(&self, flow: &Flow<'_>, tails: &[String]) -> String {
        const LEAST: usize = 26;
        let lines = wrapped(flow.first, flow.rest, flow.text, self.width);
        let used = lines.last().map_or(0, |l| l.width()) + 2;
        let room = self.width.saturating_sub(used);
        let own_line = self.width.saturating_sub(flow.rest.width());
        let fits = |room: usize| tails.iter().find(|t| t.width() <= room).cloned();
        match (fits(room), tails.last()) {
            (Some(tail), _) => tail,
            (None, None) => String::new(),
            (None, Some(_)) if self.verbose() => tails[0].clone(),
            (None, Some(tail)) if room >= LEAST => self.cut(tail, room),
            (None, Some(tail)) => fits(own_line).unwrap_or_else(|| self.cut(tail, own_line)),
        }
    }

    /// The right end of a text, in `room` columns.
    fn cut(&self, text: &str, room: usize) -> String {
        let room = room.saturating_sub(self.glyphs.ellipsis.width());
        let starts = text.char_indices().map(|(i, _)| i);
        let kept = starts.map(|i| &text[i..]).find(|end| end.width() <= room);
        format!("{}{}", self.glyphs.ellipsis, kept.unwrap_or_default())
    }

    /// Says how many were left out; nothing when none were or the title says it.
    pub(super) fn more(&mut self, indent: &str, left: usize, what: &str) {
        if left > 0 && !self.is_bare() {
            let text = self.left_out(left, what);
            self.wrap(indent, indent, &text);
        }
    }

    /// That more were left out; empty when none were.
    pub(super) fn left_out(&self, left: usize, what: &str) -> String {
        match left {
            0 => String::new(),
            _ if self.is_bare() => String::new(),
            _ => format!("{} and {left} more{what} (-v)", self.glyphs.ellipsis),
        }
    }

    /// The sign of a piece of evidence and its colour.
    pub(super) fn mark(&self, state: EvidenceState) -> (&'static str, Paint) {
        let ascii = self.style.ascii;
        match state {
            EvidenceState::Present => (if ascii { "[x]" } else { "✔" }, Paint::Green),
            EvidenceState::Absent => (if ascii { "[ ]" } else { "✘" }, Paint::Red),
            EvidenceState::Unobservable => (if ascii { "[?]" } else { "?" }, Paint::Yellow),
        }
    }
}

/// The colour of a verdict.
pub(super) fn verdict_paint(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Healthy => Paint::Green,
        Verdict::Inconclusive | Verdict::Likely => Paint::Yellow,
        Verdict::Confirmed => Paint::Red,
    }
}

fn painted(sign: &str, paint: Paint) -> String {
    let code = match paint {
        Paint::Red => 31,
        Paint::Green => 32,
        Paint::Yellow => 33,
    };
    format!("\u{1b}[1;{code}m{sign}\u{1b}[0m")
}

/// Fills a string with blanks to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Breaks a text at words into lines of at most `width` columns, the prefixes included.
pub(super) fn wrapped(first: &str, rest: &str, text: &str, width: usize) -> Vec<String> {
    const ROOM: usize = 12;
    // A prefix that leaves no room is data out of shape: it becomes part of the text.
    if first.width() + ROOM > width || rest.width() + ROOM > width {
        let all = format!("{} {text}", first.trim());
        return wrapped("", "  ", &all, width.max(ROOM + 2));
    }
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut word = word;
        if !empty {
            let longer = format!("{line} {word}");
            if longer.width() <= width {
                line = longer;
                continue;
            }
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
        }
        while line.width() + word.width() > width {
            let (fits, left) = split(word, width - line.width());
            line.push_str(fits);
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            word = left;
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Splits a word that is too long: after a separator near the end, or where it must be.
fn split(word: &str, room: usize) -> (&str, &str) {
    let mut end = 0;
    let mut after_separator = 0;
    for (i, c) in word.char_indices() {
        let next = i + c.len_utf8();
        if end > 0 && word[..next].width() > room {
            break;
        }
        end = next;
        if "-/._:,=&".contains(c) && word[..next].width() * 2 > room {
            after_separator = next;
        }
    }
    let cut = if after_separator > 0 && end < word.len() { after_separator } else { end };
    word.split_at(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_words_with_a_hanging_indent() {
        let lines = wrapped(" - ", "   ", "one two three four five", 16);
        assert_eq!(lines, [" - one two three", "   four five"]);
        assert_eq!(wrapped(" - ", "   ", "", 20), [" - "]);
    }

    #[test]
    fn long_words_are_broken_after_separators() {
        assert_eq!(wrapped("", "", "pg-long-query-blocks", 14), ["pg-long-query-", "blocks"]);
        assert_eq!(wrapped("", "", &"x".repeat(20), 15), ["x".repeat(15), "x".repeat(5)]);
        for line in wrapped("  ", "  ", &"漢字".repeat(20), 15) {
            assert!(line.width() <= 15, "{line}");
        }
    }

    #[test]
    fn a_prefix_without_room_becomes_text() {
        for line in wrapped(&"p".repeat(50), &" ".repeat(50), "text of some length", 40) {
            assert!(line.width() <= 40, "{line}");
        }
    }
}
