//! What the columns of a table of spans are, by the names that exporters give them.
//! In: a column's name. Out: its role, how well it fits, and the unit that the name holds.

/// What a column says of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    Trace,
    Span,
    Parent,
    Service,
    /// An id of a configuration database, where no service is named.
    Component,
    Name,
    Kind,
    Start,
    End,
    Duration,
    /// A status code or its name.
    Status,
    /// True, or a message, on a span that failed.
    Failed,
    /// A map of resource attributes.
    Resource,
    /// A map of the span's attributes.
    Attributes,
    /// Lists of maps with the attributes of the span's events.
    Events,
    /// One attribute of the resource.
    OneResource,
    /// One attribute of the span.
    OneAttribute,
    #[default]
    Unused,
}

/// Names of columns, the ones that fit best first. Names are compared as [`normal`] writes them.
const NAMES: [(Role, &[&str]); 12] = [
    (Role::Trace, &["trace_id", "traceid", "trace.trace_id", "trace.id", "trace_trace_id"]),
    (Role::Span, &["span_id", "spanid", "trace.span_id", "span.id", "trace_span_id"]),
    (
        Role::Parent,
        &[
            "parent_span_id",
            "parentspanid",
            "trace.parent_id",
            "trace.parent_span_id",
            "parent_id",
            "parentid",
            "parent.id",
            "trace_parent_id",
            "parent_span",
        ],
    ),
    (
        Role::Service,
        &[
            "service.name",
            "service_name",
            "servicename",
            "resource_string_service_name",
            "resource.service.name",
            "service",
            "entity.name",
        ],
    ),
    (Role::Component, &["cmdb_id", "component_id", "ci_id"]),
    (
        Role::Name,
        &[
            "span_name",
            "spanname",
            "span.name",
            "name",
            "operation_name",
            "operationname",
            "operation",
            "resource_name",
        ],
    ),
    (Role::Kind, &["span_kind", "spankind", "span.kind", "kind_string", "kind", "meta.span_kind"]),
    (
        Role::Status,
        &[
            "status_code",
            "statuscode",
            "status.code",
            "otel.status_code",
            "status_code_string",
            "status",
        ],
    ),
    (Role::Failed, &["error", "has_error", "haserror", "is_error", "failed"]),
    (
        Role::Resource,
        &[
            "resourceattributes",
            "resource_attributes",
            "resource.attributes",
            "resources_string",
            "resource_tags_map",
            "resource",
        ],
    ),
    (
        Role::Attributes,
        &[
            "spanattributes",
            "span_attributes",
            "attributes",
            "attributes_string",
            "attributes_number",
            "attributes_bool",
            "stringtagmap",
            "numbertagmap",
            "tags",
            "data",
        ],
    ),
    (Role::Events, &["events.attributes", "events"]),
];

/// Names of durations and of times, without the unit that may follow them.
const UNITED: [(Role, &[&str]); 3] = [
    (Role::Duration, &["duration", "span_duration", "elapsed", "latency"]),
    (
        Role::Start,
        &[
            "start_time",
            "starttime",
            "start_timestamp",
            "start",
            "started_at",
            "timestamp",
            "@timestamp",
            "time",
            "_time",
            "ts",
        ],
    ),
    (Role::End, &["end_time", "endtime", "end_timestamp", "end", "ended_at", "finish_time"]),
];

/// Units as they end a column's name, in microseconds.
const UNITS: [(&str, f64); 21] = [
    ("ns", 1e-3),
    ("nano", 1e-3),
    ("nanos", 1e-3),
    ("nanoseconds", 1e-3),
    ("unixnano", 1e-3),
    ("unix_nano", 1e-3),
    ("us", 1.0),
    ("µs", 1.0),
    ("micro", 1.0),
    ("micros", 1.0),
    ("microseconds", 1.0),
    ("ms", 1e3),
    ("milli", 1e3),
    ("millis", 1e3),
    ("milliseconds", 1e3),
    ("in_ms", 1e3),
    ("s", 1e6),
    ("sec", 1e6),
    ("secs", 1e6),
    ("seconds", 1e6),
    ("in_seconds", 1e6),
];

/// First parts of attribute names that say something about errors, callees and identity.
const RESOURCE: [&str; 5] = ["service.", "k8s.", "host.", "hostname", "container."];
const SPAN: [&str; 14] = [
    "http.",
    "rpc.",
    "db.",
    "messaging.",
    "server.",
    "net.",
    "network.",
    "peer.",
    "url.",
    "error.",
    "exception.",
    "otel.",
    "service.peer.",
    "fault",
];

/// A column's role; of several columns with one role the one of the least `rank` counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    pub role: Role,
    pub rank: usize,
    /// Microseconds in one unit of a duration, if the name says.
    pub unit: Option<f64>,
    /// Name of the attribute, for [`Role::OneResource`] and [`Role::OneAttribute`].
    pub attribute: String,
}

/// A column's name in lower case, what separates its words as `_`.
pub fn normal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            ' ' | '-' | '(' | ')' | '$' | '/' | '_' if out.is_empty() || out.ends_with('_') => {
                // `_time` keeps its own.
                if c == '_' && out.is_empty() {
                    out.push('_');
                }
            }
            ' ' | '-' | '(' | ')' | '$' | '/' => out.push('_'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

/// What the column of that name is; a dotted name may be an entry of a map of attributes.
pub fn meaning(name: &str) -> Meaning {
    let plain = normal(name);
    if let Some((role, rank, unit)) = by_name(&plain) {
        return Meaning { role, rank, unit, attribute: String::new() };
    }
    let lower = name.to_lowercase();
    // The longest name of a map counts: `resource.attributes` before `resource`.
    let map = lower.match_indices('.').rev().find_map(|(at, _)| {
        let (role, ..) = by_name(&normal(&lower[..at]))?;
        let one = match role {
            Role::Resource => Role::OneResource,
            Role::Attributes | Role::Events => Role::OneAttribute,
            _ => return None,
        };
        // An event's entry is told by its end, for its list may have any depth.
        let inner = &lower[at + 1..];
        match role {
            Role::Events => inner.ends_with("exception.type").then_some((one, "exception.type")),
            _ => Some((one, inner)),
        }
    });
    let begins = |with: &[&str]| with.iter().any(|p| lower.starts_with(p));
    let (role, attribute) = match map {
        Some((role, inner)) => (role, inner.to_owned()),
        None if lower.starts_with("service.peer.") => (Role::OneAttribute, lower),
        None if begins(&RESOURCE) => (Role::OneResource, lower),
        None if begins(&SPAN) => (Role::OneAttribute, lower),
        None => (Role::Unused, String::new()),
    };
    Meaning { role, attribute, ..Meaning::default() }
}

fn by_name(plain: &str) -> Option<(Role, usize, Option<f64>)> {
    let named = NAMES.iter().find_map(|(role, names)| {
        let rank = names.iter().position(|n| *n == plain)?;
        Some((*role, rank, None))
    });
    named.or_else(|| {
        UNITED.iter().find_map(|(role, names)| {
            names.iter().enumerate().find_map(|(rank, base)| {
                let rest = plain.strip_prefix(base)?.trim_start_matches(['_', '.']);
                let unit = UNITS.iter().find(|(u, _)| *u == rest).map(|(_, f)| *f);
                (rest.is_empty() || unit.is_some()).then_some((*role, rank, unit))
            })
        })
    })
}

/// Says whether columns of these names make a table of spans: ids, a start and a length.
pub fn is_spans<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut has = [false; 4];
    for role in names.map(|n| meaning(n).role) {
        match role {
            Role::Trace => has[0] = true,
            Role::Span => has[1] = true,
            Role::Start => has[2] = true,
            Role::Duration | Role::End => has[3] = true,
            _ => {}
        }
    }
    has == [true; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_in_every_spelling() {
        let role = |name| meaning(name).role;
        for name in ["TraceId", "trace_id", "trace.trace_id", "Trace ID", "traceID"] {
            assert_eq!(role(name), Role::Trace, "{name}");
        }
        assert_eq!(role("resource_string_service$$name"), Role::Service);
        assert_eq!(role("Links.TraceId"), Role::Unused);
        assert_eq!(role("k8s.pod.name"), Role::OneResource);
        let entry = meaning("SpanAttributes.http.response.status_code");
        assert_eq!(entry.role, Role::OneAttribute);
        assert_eq!(entry.attribute, "http.response.status_code");
        assert_eq!(meaning("Events.Attributes.exception.type").attribute, "exception.type");
        assert_eq!(meaning("resource.attributes.service.name").attribute, "service.name");
        assert_eq!(role("Events.Attributes.exception.message"), Role::Unused);
        assert_eq!(role("Events.Timestamp"), Role::Unused);
    }

    #[test]
    fn units_are_read_from_names() {
        let unit = |name| (meaning(name).role, meaning(name).unit);
        assert_eq!(unit("duration_ms"), (Role::Duration, Some(1e3)));
        assert_eq!(unit("Duration (us)"), (Role::Duration, Some(1.0)));
        assert_eq!(unit("durationNano"), (Role::Duration, Some(1e-3)));
        assert_eq!(unit("duration_s"), (Role::Duration, Some(1e6)));
        assert_eq!(unit("Duration"), (Role::Duration, None));
        assert_eq!(unit("startTimeUnixNano").0, Role::Start);
        assert_eq!(unit("timeout").0, Role::Unused);
    }

    #[test]
    fn a_log_with_ids_is_no_table_of_spans() {
        let spans = ["trace_id", "span_id", "timestamp", "duration_ms"];
        assert!(is_spans(spans.into_iter()));
        assert!(!is_spans(["trace_id", "span_id", "timestamp", "message"].into_iter()));
        assert!(!is_spans(["trace_id", "timestamp", "duration_ms"].into_iter()));
    }
}
