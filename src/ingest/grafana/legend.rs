//! Names of series in column headers, and of panels in file names. In: text as Grafana writes it.
//! Out: a metric name and labels where the text is a selector, else the text itself.

use std::collections::BTreeMap;

/// A name and the labels that could be had from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// Reads `name{a="b", c="d"}`; `None` for anything else.
///
/// A label whose key is missing is the name (`{"http.requests", job="api"}`).
pub fn selector(text: &str) -> Option<Named> {
    let text = text.trim();
    let open = text.find('{')?;
    let mut rest = text[open + 1..].strip_suffix('}')?.trim();
    let mut named = Named { name: text[..open].trim().to_owned(), ..Named::default() };
    // Grafana's own legends write values as they are, those of Prometheus with escapes.
    let plain = rest.contains("__name__=") || text[..open].ends_with(' ');
    if rest.is_empty() && named.name.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (key, behind) = match rest.starts_with('"') {
            true => value(rest, plain)?,
            false => {
                let (key, behind) = rest.split_once('=')?;
                (key.trim().to_owned(), behind.trim_start())
            }
        };
        let behind = behind.strip_prefix('=').unwrap_or(behind).trim_start();
        match behind.starts_with('"') {
            true if !rest.starts_with('"') && (key.is_empty() || !key.chars().all(is_key)) => {
                return None;
            }
            true => {
                let (v, behind) = value(behind, plain)?;
                named.labels.insert(key, v);
                rest = behind;
            }
            false if rest.starts_with('"') => {
                named.name = key;
                rest = behind;
            }
            false => return None,
        }
        rest = rest.trim_start().trim_start_matches(',').trim_start();
    }
    if let Some(name) = named.labels.remove("__name__") {
        named.name = name;
    }
    Some(named)
}

/// Reads a quoted value; gives it and what stands behind its closing quote.
fn value(text: &str, plain: bool) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut out = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if !plain => match chars.next()?.1 {
                'n' => out.push('\n'),
                c @ ('"' | '\\') => out.push(c),
                other => out.extend(['\\', other]),
            },
            '"' if closes(&inner[at + 1..], plain) => return Some((out, &inner[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

/// Says whether a quote ends its value, by what stands behind it: unescaped values may hold quotes.
fn closes(behind: &str, plain: bool) -> bool {
    let behind = behind.trim_start();
    let label = |rest: &str| {
        let (key, value) = rest.trim_start().split_once('=')?;
        Some(!key.is_empty() && key.chars().all(is_key) && value.starts_with('"'))
    };
    !plain || behind.is_empty() || behind.strip_prefix(',').and_then(label) == Some(true)
}

/// Characters of a label's key.
fn is_key(c: char) -> bool {
    c.is_alphanumeric() || "_.:-/".contains(c)
}

/// The panel's title in `<title>-data[-as-<transformation>]-<time>.csv`, unless it is the default.
pub fn title(file: &str) -> Option<&str> {
    const DEFAULT: [&str; 4] = ["", "Panel Title", "New panel", "Explore"];
    let (title, rest) = file.rsplit_once("-data")?;
    let own = rest.starts_with("-as-")
        || rest.starts_with('.')
        || rest.strip_prefix('-').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    (own && !DEFAULT.contains(&title.trim())).then(|| title.trim())
}

/// Headers that name nothing: Grafana's own names of a value without labels.
pub fn is_nameless(header: &str) -> bool {
    let stem = header.trim().split([' ', '#', '-']).next().unwrap_or_default();
    let default = header.trim().ends_with("-series") || stem.eq_ignore_ascii_case("value");
    default && header.trim().len() <= "Value #AA".len() || header.trim().is_empty()
}

/// The query that a nameless header stands for: `A` in `Value #A` and in `A-series`.
fn query_of(header: &str) -> Option<&str> {
    let header = header.trim();
    header.split_once('#').map(|(_, id)| id).or_else(|| header.strip_suffix("-series"))
}

/// Says whether a text has the form of a metric's name of several words (`queue_depth`).
fn is_metric(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
    text.contains(['_', ':', '.']) && text.chars().all(legal)
}

/// The name and labels of a column; `true` when the panel's title is part of the name.
///
/// A selector gives both; a column without a name is called by the title, and one with another
/// legend by both, for a legend alone (`checkout`, `p99`) says only half of what is measured.
pub fn of_header(header: &str, title: Option<&str>) -> (Named, bool) {
    let named = selector(header);
    let (own, labels) = match named {
        Some(n) => (n.name, n.labels),
        None if is_nameless(header) => {
            let id = query_of(header).map(|id| ("refId".to_owned(), id.to_owned()));
            (String::new(), id.into_iter().collect())
        }
        None => (header.trim().to_owned(), BTreeMap::new()),
    };
    let recovered = !labels.is_empty() && !own.is_empty();
    match title {
        Some(t) if own.is_empty() => (Named { name: t.to_owned(), labels }, true),
        Some(t) if !recovered && !is_metric(&own) => {
            (Named { name: format!("{own}: {t}"), labels }, true)
        }
        _ => (Named { name: own, labels }, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<String>) {
        let n = selector(text).unwrap_or_else(|| panic!("{text} is a selector"));
        (n.name, n.labels.iter().map(|(k, v)| format!("{k}={v}")).collect())
    }

    #[test]
    fn selectors_give_their_name_and_labels() {
        let cases: [(&str, &str, &[&str]); 8] = [
            (r#"up{instance="h1", job="api"}"#, "up", &["instance=h1", "job=api"]),
            (r#"{__name__="up", instance="h1"}"#, "up", &["instance=h1"]),
            (r#"usage {host="web-1"}"#, "usage", &["host=web-1"]),
            (r#"{instance="h1"}"#, "", &["instance=h1"]),
            (
                r#"a{m="say \"hi\", \\o/", p="/x{y=\"z\"}"}"#,
                "a",
                &[r#"m=say "hi", \o/"#, r#"p=/x{y="z"}"#],
            ),
            (r#"{__name__="a", p="C:\new", q="a "b", c"}"#, "a", &[r"p=C:\new", r#"q=a "b", c"#]),
            (r#"{"http.requests", "k8s.pod"="p1"}"#, "http.requests", &["k8s.pod=p1"]),
            ("up{}", "up", &[]),
        ];
        for (text, name, labels) in cases {
            assert_eq!(
                read(text),
                (name.to_owned(), labels.iter().map(|l| (*l).to_owned()).collect())
            );
        }
    }

    #[test]
    fn other_legends_are_no_selectors() {
        for text in ["p1", "cart {v2}", "{}", "{a=b}", "{a=\"b", "a{b=\"c\"} > 1", "", "}{", "{\"a"]
        {
            assert_eq!(selector(text), None, "{text}");
        }
    }

    #[test]
    fn titles_are_found_in_file_names() {
        assert_eq!(
            title("CPU usage-data-as-joinbyfield-2026-11-20 20_10_00.csv"),
            Some("CPU usage")
        );
        assert_eq!(title("CPU-data-2026-11-20 20:10:00.csv"), Some("CPU"));
        assert_eq!(title("big-data-lake-data-2026-11-20 20_10_00.csv"), Some("big-data-lake"));
        for none in ["Panel Title-data-2026-11-20.csv", "cart-database.csv", "raw.csv"] {
            assert_eq!(title(none), None, "{none}");
        }
    }

    #[test]
    fn a_title_names_what_has_no_name() {
        let name = |h: &str, t| of_header(h, t).0.name;
        assert_eq!(name("Value", Some("CPU usage")), "CPU usage");
        assert_eq!(name("Value #A", Some("CPU usage")), "CPU usage");
        let two = of_header("Value #B", Some("CPU usage")).0.labels;
        assert_eq!(two.get("refId").map(String::as_str), Some("B"));
        assert_eq!(name("checkout", Some("Latency p99")), "checkout: Latency p99");
        assert_eq!(name("queue_depth", Some("Queues")), "queue_depth");
        assert_eq!(name("up{a=\"b\"}", Some("Health")), "up");
        assert_eq!(name("{a=\"b\"}", Some("Health")), "Health");
        assert_eq!(name("checkout", None), "checkout");
        assert_eq!(name("Value", None), "");
        assert_eq!(name("Valued customers", Some("x")), "Valued customers: x");
    }
}
