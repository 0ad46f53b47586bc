//! ClickHouse's literals of maps and arrays, as its CSV and TSV write them, and JSON objects in a
//! cell. In: a cell. Out: the pairs of every map in it.

use serde_json::Value;

/// Deepest nesting that is gone into.
const DEPTH: usize = 8;

/// The pairs of every map in a literal, in order; what stands behind a defect is left out and the
/// second value is `false`.
pub fn pairs(cell: &str) -> (Vec<(String, String)>, bool) {
    let text = cell.trim();
    if text.starts_with("{\"") || text.starts_with("[{\"") {
        let mut out = Vec::new();
        let whole = serde_json::from_str::<Value>(text).map(|v| flatten("", &v, &mut out)).is_ok();
        return (out, whole);
    }
    let mut reader = Reader { text, at: 0, pairs: Vec::new() };
    let whole = text.is_empty() || (reader.value(0).is_some() && reader.at == text.len());
    (reader.pairs, whole)
}

/// Hands out the plain values inside a JSON value, each under its dotted path.
pub fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Null => return,
        Value::Object(map) => {
            for (key, inner) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, inner, out);
            }
            return;
        }
        // A list of maps (events) gives its entries; a list of plain values says nothing here.
        Value::Array(list) => {
            list.iter().filter(|v| v.is_object()).for_each(|v| flatten(path, v, out));
            return;
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    out.push((path.to_owned(), text));
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    pairs: Vec<(String, String)>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte` and white space before it.
    fn eat(&mut self, byte: u8) -> bool {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A map, an array or a plain value; `None` at a defect.
    fn value(&mut self, depth: usize) -> Option<String> {
        if depth > DEPTH {
            return None;
        }
        match () {
            () if self.eat(b'{') => self.items(b'}', depth),
            () if self.eat(b'[') => self.items(b']', depth),
            () if self.peek() == Some(b'\'') => self.quoted(),
            () => self.word(),
        }
    }

    fn items(&mut self, close: u8, depth: usize) -> Option<String> {
        if self.eat(close) {
            return Some(String::new());
        }
        loop {
            let key = self.value(depth + 1)?;
            if close == b'}' {
                let value = self.eat(b':').then(|| self.value(depth + 1))??;
                self.pairs.push((key, value));
            }
            if self.eat(close) {
                return Some(String::new());
            }
            self.eat(b',').then_some(())?;
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let rest = &self.text[self.at + 1..];
        let mut out = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += at + 2;
                    return Some(out);
                }
                '\\' => out.push(unescaped(chars.next()?.1)),
                c => out.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let len = rest.find([',', ':', '}', ']']).unwrap_or(rest.len());
        self.at += len;
        (len > 0).then(|| rest[..len].trim().to_owned())
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '0' => '\0',
        c => c,
    }
}

/// A cell of a tab-separated file without its escapes; `\N` is nothing.
pub fn tsv_cell(cell: &str) -> String {
    if cell == "\\N" {
        return String::new();
    }
    // Maps and arrays escape inside their own quotes, not again for the file.
    if !cell.contains('\\') || cell.starts_with("{'") || cell.starts_with('[') {
        return cell.to_owned();
    }
    let mut out = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(unescaped)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cell: &str) -> Vec<(String, String)> {
        let (pairs, whole) = pairs(cell);
        assert!(whole, "{cell}");
        pairs
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn maps_are_read_with_their_escapes() {
        assert_eq!(found("{'a':'b, }\\' \\\\','n':5}"), [pair("a", "b, }' \\"), pair("n", "5")]);
        assert_eq!(found("[{'a':'1'},{'a':'2\\n'}]"), [pair("a", "1"), pair("a", "2\n")]);
        assert_eq!(found("['2026-11-20 20:10:00','x']"), []);
        assert_eq!(found("{}"), []);
        assert_eq!(found("[]"), []);
        assert_eq!(found("{\"a\":{\"b\":true}}"), [pair("a.b", "true")]);
    }

    #[test]
    fn a_literal_cut_anywhere_keeps_what_stands_before() {
        let text = "[{'a':'b\\'','c':'d'},{'é':7}]";
        for cut in (1..text.len()).filter(|c| text.is_char_boundary(*c)) {
            let (pairs, whole) = pairs(&text[..cut]);
            assert!(!whole && pairs.len() <= 3, "{}", &text[..cut]);
        }
        assert!(!pairs(&"[".repeat(1000)).1);
    }

    #[test]
    fn cells_between_tabs_lose_their_escapes() {
        assert_eq!(tsv_cell("it\\'s \\\\ a\\nb\\t"), "it's \\ a\nb\t");
        assert_eq!(tsv_cell("\\N"), "");
        assert_eq!(tsv_cell("{'a':'\\''}"), "{'a':'\\''}");
    }
}
