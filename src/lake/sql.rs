//! The rollup as SQL. In: a dialect and where the spans are. Out: one query for each table, or a
//! script with all of them; the dialects differ in three functions and in the columns they read.
//!
//! Everything that is joined or told apart is of one trace, so an engine moves each span once, by its
//! trace, as few bytes as there are (ids as binary); what then goes on is counted already. Spark is told
//! so by hints, which others take for comments.

use super::{Question, SLOTS, Table};

/// An engine's way to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Reads `otel_traces` as the OpenTelemetry exporter writes it.
    ClickHouse,
    /// Reads Parquet with the columns of [`COLUMNS`].
    Spark,
    /// Reads Parquet with the columns of [`COLUMNS`].
    DuckDb,
}

/// Columns that Parquet of spans has to have: ids as hexadecimal text, times in microseconds, and
/// `status_code` with `ERROR` where it failed.
pub const COLUMNS: [&str; 10] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "service_name",
    "span_name",
    "span_kind",
    "start_time_us",
    "duration_us",
    "status_code",
    "error_type",
];

impl Dialect {
    /// Number of binary digits of a whole number above 0. Not by a logarithm: that is off by one near
    /// powers of two, and differs between engines.
    fn digits(self, value: &str) -> String {
        match self {
            Dialect::ClickHouse => {
                format!("toInt64(length(trim(LEADING '0' FROM bin(toUInt64({value})))))")
            }
            Dialect::Spark | Dialect::DuckDb => format!("length(bin({value}))"),
        }
    }

    fn shifted(self, value: &str, by: &str) -> String {
        match self {
            Dialect::ClickHouse => format!("bitShiftRight({value}, {by})"),
            Dialect::Spark => format!("shiftright({value}, {by})"),
            Dialect::DuckDb => format!("({value} >> ({by}))"),
        }
    }

    fn whole(self, sum: &str) -> String {
        match self {
            Dialect::ClickHouse => format!("toInt64({sum})"),
            Dialect::Spark | Dialect::DuckDb => format!("CAST({sum} AS BIGINT)"),
        }
    }

    fn not_a_number(self, value: &str) -> String {
        match self {
            Dialect::ClickHouse => format!("isNaN({value})"),
            Dialect::Spark | Dialect::DuckDb => format!("isnan({value})"),
        }
    }

    /// The value at the least and at the most of another column.
    fn ends(self) -> [&'static str; 2] {
        match self {
            Dialect::ClickHouse => ["argMin", "argMax"],
            Dialect::Spark | Dialect::DuckDb => ["MIN_BY", "MAX_BY"],
        }
    }

    /// The value of the row before in its window, or its own in the first.
    fn before(self, value: &str, over: &str) -> String {
        match self {
            Dialect::ClickHouse => format!(
                "lagInFrame({value}, 1, {value}) OVER ({over}\n      \
                 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
            ),
            Dialect::Spark | Dialect::DuckDb => format!("LAG({value}, 1, {value}) OVER ({over})"),
        }
    }

    /// The spans as every query takes them, which may need those of a trace together.
    fn spans(self, source: &str, question: &Question, by_trace: bool) -> String {
        let window = |column: &str, literal: &dyn Fn(i64) -> String| {
            condition(within(question, column, literal))
        };
        // Whatever is none of these is internal.
        let kind = |column: &str| {
            let kinds = ["server", "client", "producer", "consumer"];
            let when = kinds.map(|k| {
                let upper = k.to_uppercase();
                format!("WHEN UPPER({column}) IN ('{upper}', 'SPAN_KIND_{upper}') THEN '{k}'")
            });
            format!("CASE {}\n    ELSE 'internal' END", when.join("\n    "))
        };
        // Spark keeps the spans of a trace together from here on.
        let hint = if by_trace { " /*+ REPARTITION(trace_id) */" } else { "" };
        let bucket = |start: &str| format!("{start} - {start} % {}", question.bucket);
        match self {
            // The window is one of the table's own column, so that parts and granules are pruned.
            Dialect::ClickHouse => format!(
                "  SELECT{hint} unhex(TraceId) AS trace_id, unhex(SpanId) AS span_id,\n    \
                 unhex(ParentSpanId) AS parent_span_id,\n    \
                 ServiceName AS service, SpanName AS operation,\n    \
                 {} AS kind,\n    \
                 {} AS bucket_us,\n    \
                 toInt64(intDiv(Duration, 1000)) AS duration_us,\n    \
                 toInt64(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,\n    \
                 SpanAttributes['error.type'] AS error_type\n  FROM {source}{}",
                kind("SpanKind"),
                bucket("toUnixTimestamp64Micro(Timestamp)"),
                window("Timestamp", &|t| format!("fromUnixTimestamp64Micro({t})"))
            ),
            Dialect::Spark | Dialect::DuckDb => format!(
                "  SELECT{hint} unhex(trace_id) AS trace_id, unhex(span_id) AS span_id,\n    \
                 unhex(COALESCE(parent_span_id, '')) AS parent_span_id,\n    \
                 COALESCE(service_name, '') AS service, COALESCE(span_name, '') AS operation,\n    \
                 {} AS kind,\n    \
                 {} AS bucket_us, duration_us,\n    \
                 CASE WHEN UPPER(status_code) IN ('ERROR', 'STATUS_CODE_ERROR') THEN 1 ELSE 0 END \
                 AS error,\n    COALESCE(error_type, '') AS error_type\n  FROM {source}{}",
                kind("span_kind"),
                bucket("start_time_us"),
                window("start_time_us", &|t| t.to_string())
            ),
        }
    }
}

/// The window's bounds of a column.
fn within(question: &Question, column: &str, literal: &dyn Fn(i64) -> String) -> Vec<String> {
    let from = question.from.map(|t| format!("{column} >= {}", literal(t)));
    let to = question.to.map(|t| format!("{column} < {}", literal(t)));
    from.into_iter().chain(to).collect()
}

fn condition(all: Vec<String>) -> String {
    let begins = if all.is_empty() { "" } else { "\n  WHERE " };
    format!("{begins}{}", all.join(" AND "))
}

/// Samples to buckets. The source has `metric`, `labels` (JSON with sorted keys), `time_us`, `value`.
fn samples(dialect: Dialect, source: &str, question: &Question) -> String {
    let bucket = format!("time_us - time_us % {}", question.bucket);
    let over = format!("PARTITION BY metric, labels, {bucket} ORDER BY time_us");
    let mut wanted = vec![format!("NOT {}", dialect.not_a_number("value"))];
    wanted.extend(within(question, "time_us", &|t| t.to_string()));
    let [first, last] = dialect.ends();
    format!(
        "WITH v AS (\n  SELECT metric, labels, {bucket} AS bucket_us, time_us, value,\n    \
         {} AS before\n  FROM {source}{}\n)\n\
         SELECT bucket_us, metric, labels, '' AS unit, '' AS statistic, '' AS query,\n  \
         {} AS samples, MIN(value) AS min, MAX(value) AS max,\n  \
         {first}(value, time_us) AS first, {last}(value, time_us) AS last, SUM(value) AS sum,\n  \
         MAX(time_us) AS last_us, {} AS resets\nFROM v GROUP BY bucket_us, metric, labels",
        dialect.before("value", &over),
        condition(wanted),
        dialect.whole("COUNT(*)"),
        dialect.whole("SUM(CASE WHEN value < before THEN 1 ELSE 0 END)"),
    )
}

/// Sessions to facts of their snapshots. The source has the columns of pg_stat_activity, times in
/// microseconds (`snapshot_us`, `xact_start_us`, `query_start_us`), `server`, and in `blocked` 1 where
/// pg_blocking_pids names somebody.
fn sessions(dialect: Dialect, source: &str, question: &Question) -> String {
    let who = ["server", "datname", "application_name", "usename", "state", "wait_event_type"];
    let named = who.map(|c| format!("COALESCE({c}, '') AS {c}"));
    format!(
        "WITH s AS (\n  SELECT snapshot_us, {},\n    blocked, xact_start_us, query_start_us\n  \
         FROM {source}{}\n)\n\
         SELECT snapshot_us, {who},\n  {} AS sessions, {} AS blocked,\n  \
         MIN(xact_start_us) AS xact_start_us, MIN(query_start_us) AS query_start_us\n\
         FROM s GROUP BY snapshot_us, {who}",
        named.join(",\n    "),
        condition(within(question, "snapshot_us", &|t| t.to_string())),
        dialect.whole("COUNT(*)"),
        dialect.whole("SUM(blocked)"),
        who = who.join(", "),
    )
}

/// The query of one table over spans, samples or sessions at `source`: a table's name, or what the
/// engine reads.
pub fn query(table: Table, dialect: Dialect, source: &str, question: &Question) -> String {
    let spans = dialect.spans(source, question, table != Table::Durations);
    let sum = |what: &str| dialect.whole(&format!("SUM({what})"));
    match table {
        Table::Samples => samples(dialect, source, question),
        Table::Sessions => sessions(dialect, source, question),
        Table::Operations => format!(
            "WITH s AS (\n{spans}\n), c AS (\n  \
             SELECT trace_id, parent_span_id, {} AS sum_us, COUNT(*) AS many\n  \
             FROM s WHERE OCTET_LENGTH(parent_span_id) > 0 GROUP BY trace_id, parent_span_id\n)\n\
             SELECT /*+ SHUFFLE_HASH(c) */ s.bucket_us AS bucket_us, s.service AS service,\n  \
             s.operation AS operation, s.kind AS kind, s.error_type AS error_type,\n  \
             COUNT(*) AS spans, {} AS errors, {} AS time_us,\n  \
             {} AS self_us, {} AS children\n\
             FROM s LEFT JOIN c ON c.trace_id = s.trace_id AND c.parent_span_id = s.span_id\n\
             GROUP BY 1, 2, 3, 4, 5",
            sum("duration_us"),
            sum("s.error"),
            sum("s.duration_us"),
            sum("GREATEST(s.duration_us - COALESCE(c.sum_us, 0), 0)"),
            sum("COALESCE(c.many, 0)"),
        ),
        Table::Durations => {
            let shift = format!("{} - {}", dialect.digits("s.duration_us"), SLOTS.ilog2() + 1);
            format!(
                "WITH s AS (\n{spans}\n)\n\
                 SELECT s.bucket_us AS bucket_us, s.service AS service, s.kind AS kind,\n  \
                 CASE WHEN s.duration_us < {SLOTS} THEN s.duration_us\n    \
                 ELSE ({shift}) * {SLOTS} + {} END AS slot,\n  COUNT(*) AS spans\n\
                 FROM s GROUP BY 1, 2, 3, 4",
                dialect.shifted("s.duration_us", &shift),
            )
        }
        Table::Edges => {
            // A client span's parent made the call; without one, the caller's own span did. Calls of
            // one maker are put together first: how many makers there are is then a plain count.
            let client = "p.kind IN ('client', 'producer')";
            let maker = format!("CASE WHEN {client} THEN p.parent_span_id ELSE p.span_id END");
            let of_client = |what: &str| sum(&format!("CASE WHEN {client} THEN {what} ELSE 0 END"));
            format!(
                "WITH s AS (\n{spans}\n), m AS (\n  \
                 SELECT /*+ SHUFFLE_HASH(p) */ p.bucket_us AS bucket_us, p.service AS caller,\n    \
                 c.service AS callee, c.operation AS operation, c.trace_id AS trace_id,\n    \
                 {maker} AS maker, COUNT(*) AS calls,\n    \
                 {} AS failed_caller, {} AS failed_callee,\n    \
                 {} AS took_client, {} AS took_server\n  \
                 FROM s AS p JOIN s AS c ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id\n  \
                 WHERE c.service <> p.service\n  \
                 GROUP BY 1, 2, 3, 4, 5, 6\n)\n\
                 SELECT bucket_us, caller, callee, operation, {} AS attempts,\n  \
                 COUNT(*) AS parents, {} AS errors_caller, {} AS errors_callee,\n  \
                 {} AS client_us, {} AS server_us\n\
                 FROM m GROUP BY 1, 2, 3, 4",
                of_client("p.error"),
                sum("c.error"),
                of_client("p.duration_us"),
                sum("c.duration_us"),
                sum("calls"),
                sum("failed_caller"),
                sum("failed_callee"),
                sum("took_client"),
                sum("took_server"),
            )
        }
    }
}

/// A script for the engine's own client: a file for each table in the present folder.
pub fn script(
    dialect: Dialect,
    tables: &[Table],
    source: Option<&str>,
    question: &Question,
) -> String {
    let what = match tables {
        [Table::Samples] => "samples",
        [Table::Sessions] => "sessions",
        _ => "spans",
    };
    let (usual, how) = match dialect {
        Dialect::ClickHouse if what == "spans" => {
            ("otel_traces".to_owned(), "clickhouse-client --multiquery < THIS_FILE")
        }
        Dialect::ClickHouse => (what.to_owned(), "clickhouse-client --multiquery < THIS_FILE"),
        Dialect::Spark => (format!("parquet.`{what}`"), "spark-sql -f THIS_FILE"),
        Dialect::DuckDb => (format!("read_parquet('{what}/**/*.parquet')"), "duckdb < THIS_FILE"),
    };
    let source = source.unwrap_or(&usual);
    let mut out = format!(
        "-- Rolls {what} up where they are; rootline diagnoses the folder of the results.\n\
         --   {how}\n-- Reads {source} only.\n"
    );
    if dialect == Dialect::Spark && what == "spans" {
        // Spans that lie by trace are not moved again to be joined by trace and id.
        out += "\nSET spark.sql.requireAllClusterKeysForCoPartition=false;\n";
    }
    for table in tables {
        let (name, query) = (table.name(), query(*table, dialect, source, question));
        out += &match dialect {
            Dialect::ClickHouse => {
                format!("\n{query}\nINTO OUTFILE '{name}.parquet' FORMAT Parquet;\n")
            }
            Dialect::Spark => {
                format!("\nINSERT OVERWRITE DIRECTORY '{name}' USING parquet\n{query};\n")
            }
            Dialect::DuckDb => {
                format!("\nCOPY (\n{query}\n) TO '{name}.parquet' (FORMAT parquet);\n")
            }
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_pushed_down_to_the_column_of_the_table() {
        let question = Question { bucket: 10_000_000, from: Some(5), to: Some(9) };
        let said = query(Table::Edges, Dialect::ClickHouse, "otel_traces", &question);
        let wanted = "FROM otel_traces\n  WHERE Timestamp >= fromUnixTimestamp64Micro(5) AND \
                      Timestamp < fromUnixTimestamp64Micro(9)";
        assert!(said.contains(wanted), "{said}");
        let said = query(Table::Durations, Dialect::Spark, "t", &question);
        assert!(said.contains("WHERE start_time_us >= 5 AND start_time_us < 9"), "{said}");
        let all = Question { from: None, to: None, ..question };
        assert!(!query(Table::Durations, Dialect::Spark, "t", &all).contains("WHERE"));
    }
}
