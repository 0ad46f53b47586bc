//! Secrets that stand in commands and configuration where no sign of assignment is: behind short
//! options of well-known programs, in elements of XML, beside the name that another attribute tells.

use super::Redactor;
use super::edit::{Edit, Value, value_end};
use super::keys::{self, Class};

/// Programs with the option that their password follows, and whether it is one word with it.
const PASSWORDS: [(&str, &str, bool); 15] = [
    ("mysql", "-p", true),
    ("mariadb", "-p", true),
    ("sshpass", "-p", false),
    ("sshpass", "-p", true),
    ("docker login", "-p", false),
    ("podman login", "-p", false),
    ("az login", "-p", false),
    ("cqlsh", "-p", false),
    ("sqlcmd", "-P", false),
    ("bcp ", "-P", false),
    ("ipmitool", "-P", false),
    ("snmp", "-c", false),
    ("redis-cli", "-a", false),
    ("mongo", "-p", false),
    ("ldapsearch", "-w", false),
];
/// Programs whose user follows `-u` or `-U`.
const CLIENTS: [&str; 8] =
    ["mysql", "mariadb", "mongo", "psql", "pg_dump", "docker login", "podman login", "az login"];
/// Bytes before an option in which its program is looked for.
const COMMAND_MAX: usize = 512;
/// Bytes of an element of XML that is looked at.
const ELEMENT_MAX: usize = 16 << 10;
/// Bytes before `value=` in which the name beside it is looked for.
const BESIDE_MAX: usize = 256;

impl Redactor {
    /// A short option and what belongs to it; gives the offset behind that.
    pub(super) fn option(&mut self, edit: &mut Edit, from: usize, to: usize) -> Option<usize> {
        let (text, bytes) = (edit.text, edit.text.as_bytes());
        let word = &text[from..to];
        if !word.starts_with('-') || word.starts_with("--") {
            return None;
        }
        // `-p'secret'`: the quote ends the word.
        let joined = matches!(bytes.get(to), Some(b'"' | b'\'')) && matches!(word, "-p" | "-u");
        let to = if joined { to - 1 } else { to };
        let behind = (joined || bytes.get(to) == Some(&b' ')).then(|| {
            let quote = bytes.get(to + 1).filter(|b| matches!(b, b'"' | b'\''));
            let value =
                Value { at: to + 1 + usize::from(quote.is_some()), quote: quote.map(|q| (*q, 0)) };
            (value.at, value_end(text, value, Class::Secret))
        });
        let has = |program: &str| text[line_begin(text, from)..from].contains(program);
        if let Some((at, end)) = behind.filter(|_| matches!(word, "-u" | "-U")) {
            let who = &text[at..end];
            if who.contains(':') && !who.contains("//") {
                self.userinfo(edit, at, end);
                return Some(end);
            }
            if !CLIENTS.iter().any(|c| has(c)) {
                return None;
            }
            let token = self.user(who)?;
            edit.put(at, end, &token);
            return Some(end);
        }
        let (_, option, within) = PASSWORDS.iter().find(|(program, option, within)| {
            let longer = word.len() > option.len() || joined;
            word.starts_with(option) && *within == longer && has(program)
        })?;
        let (at, end) = if *within && !joined { (from + option.len(), to) } else { behind? };
        let token = self.secret(&text[at..end])?;
        edit.put(at, end, &token);
        Some(end)
    }

    /// The lines below a key of YAML that hold its value: `secret: |`, `passwords:` with a list. `at` is
    /// where a value on its own line would begin.
    pub(super) fn block(&mut self, edit: &mut Edit, from: usize, at: usize) -> Option<usize> {
        let text = edit.text;
        let near = text.floor_char_boundary(at.saturating_add(COMMAND_MAX));
        let line_end = at + text.get(at..near)?.find('\n')?;
        let here = text[at..line_end].trim();
        if !here.is_empty() && !here.chars().all(|c| matches!(c, '|' | '>' | '-' | '+')) {
            return None;
        }
        let begin = line_begin(text, from);
        let indent = text[begin..from].len();
        let own = text[begin..from].chars().all(|c| c == ' ' || c == '-');
        let (mut end, mut next) = (line_end, line_end + 1);
        while own && next < text.len() {
            let over = text[next..].find('\n').map_or(text.len(), |p| next + p);
            let line = &text[next..over];
            let value = line.trim_start_matches([' ', '-']);
            let deeper = line.len() - line.trim_start().len() > indent
                || line.trim_start().starts_with("- ");
            // What has a colon is a key with a value of its own.
            if value.trim().is_empty() || !deeper || here.is_empty() && value.contains(':') {
                break;
            }
            let at = over - value.len();
            if let Some(token) = self.secret(value.trim_end()) {
                edit.put(at, at + value.trim_end().len(), &token);
            }
            (end, next) = (over, over + 1);
        }
        (end > line_end).then_some(end)
    }

    /// The text of an element of XML whose name says that it is private.
    pub(super) fn element(&mut self, edit: &mut Edit, from: usize, to: usize) -> Option<usize> {
        let text = edit.text;
        if from == 0 || text.as_bytes()[from - 1] != b'<' {
            return None;
        }
        let name = text[from..to].rsplit(':').next()?;
        let class = keys::class(name);
        if !matches!(class, Class::Secret | Class::Header | Class::User) {
            return None;
        }
        let near = text.floor_char_boundary(to.saturating_add(ELEMENT_MAX));
        let open = to + text[to..near].find('>')? + 1;
        let end = open + text[open..near].find('<')?;
        let whole = text[end..].starts_with("</") && !text[..open].ends_with("/>");
        let value = text[open..end].trim();
        if !whole || value.is_empty() {
            return None;
        }
        let at = open + text[open..end].find(value)?;
        if let Some(new) = self.classed(class, value) {
            edit.put(at, at + value.len(), &new);
        }
        Some(end)
    }
}

/// Where the line of an offset begins, or where it is no longer looked at.
fn line_begin(text: &str, at: usize) -> usize {
    let near = text.floor_char_boundary(at.saturating_sub(COMMAND_MAX));
    text[near..at].rfind('\n').map_or(near, |p| near + p + 1)
}

/// What `name="password"` says of the `value="…"` that begins at an offset, or in YAML the line
/// `- name: PASSWORD` of the line `value: …`.
pub(super) fn told_beside(text: &str, from: usize, quoted: bool) -> Class {
    let begin = line_begin(text, from);
    if begin > 0 && text.as_bytes()[begin - 1] == b'\n' && text[begin..from].trim().is_empty() {
        let above = &text[line_begin(text, begin - 1)..begin - 1];
        let name = above.trim().trim_start_matches("- ").strip_prefix("name:");
        return name
            .map_or(Class::Other, |name| keys::class(name.trim().trim_matches(['"', '\''])));
    }
    if !quoted {
        return Class::Other;
    }
    let begin = text.floor_char_boundary(from.saturating_sub(BESIDE_MAX));
    let before = &text[begin..from];
    let tag = before.rfind(['<', '{', '\n']).map_or(before, |p| &before[p + 1..]);
    let named =
        ["key=", "name=", "Key=", "Name="].iter().filter_map(|n| Some(tag.rfind(n)? + n.len()));
    let Some(at) = named.max() else { return Class::Other };
    let name = tag[at..].trim_start_matches(['"', '\'']);
    keys::class(name.split(['"', '\'']).next().unwrap_or_default())
}
