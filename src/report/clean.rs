//! Strings of the data, made safe to show: what could steer a terminal becomes visible text.

pub(super) use crate::error::is_hazard;

/// Replaces hazards by escapes and, in `ascii`, everything beyond ASCII by its look-alike or `?`.
pub(super) fn prose(data: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(data.len());
    for c in data.chars() {
        match c {
            c if is_hazard(c) => escape(c, &mut out),
            c if c.is_ascii() || !ascii => out.push(c),
            c => out.push_str(look_alike(c)),
        }
    }
    out
}

/// Like [`prose`], but nothing is replaced by something that would still run as another command.
pub(super) fn command(data: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(data.len());
    for c in data.trim().chars() {
        match is_hazard(c) || (ascii && !c.is_ascii()) {
            true => escape(c, &mut out),
            false => out.push(c),
        }
    }
    out
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
    }
}

fn look_alike(c: char) -> &'static str {
    match c {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => " ",
        '‐' | '‑' | '–' | '−' => "-",
        '—' => "--",
        '→' => "->",
        '←' => "<-",
        '…' => "...",
        '·' | '•' => "*",
        '×' => "x",
        '≥' => ">=",
        '≤' => "<=",
        '±' => "+-",
        '≈' => "~",
        '‘' | '’' => "'",
        '“' | '”' | '„' => "\"",
        'µ' | 'μ' => "u",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_becomes_visible() {
        assert_eq!(prose("a\u{1b}[31mred\r\n\t", false), "a\\x1b[31mred\\r\\n\\t");
        assert_eq!(prose("x\u{202e}y\u{9b}z\u{7f}", false), "x\\u{202e}y\\x9bz\\x7f");
        assert_eq!(prose("größe → 5", false), "größe → 5");
    }

    #[test]
    fn ascii_keeps_the_meaning_of_signs_and_drops_the_rest() {
        assert_eq!(prose("größe → 5 µs ± 1", true), "gr??e -> 5 us +- 1");
    }

    #[test]
    fn a_command_is_escaped_rather_than_changed() {
        assert_eq!(command(" drop größe\n", true), "drop gr\\xf6\\xdfe");
        assert_eq!(command("a\nb", false), "a\\nb");
    }
}
