//! The rollup as SQL. In: a dialect and where the spans are. Out: one query for each table, or a
//! script with all of them; the dialects differ in three functions and in the columns they read.

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

    /// The spans as every query takes them.
    fn spans(self, source: &str, question: &Question) -> String {
        let window = |column: &str, literal: &dyn Fn(i64) -> String| {
            let from = question.from.map(|t| format!("{column} >= {}", literal(t)));
            let to = question.to.map(|t| format!("{column} < {}", literal(t)));
            let both: Vec<String> = from.into_iter().chain(to).collect();
            let begins = if both.is_empty() { "" } else { "\n  WHERE " };
            format!("{begins}{}", both.join(" AND "))
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
        match self {
            // The window is one of the table's own column, so that parts and granules are pruned.
            Dialect::ClickHouse => format!(
                "  SELECT TraceId AS trace_id, SpanId AS span_id, ParentSpanId AS parent_span_id,\n    \
                 ServiceName AS service, SpanName AS operation,\n    \
                 {} AS kind,\n    \
                 toUnixTimestamp64Micro(Timestamp) AS start_us,\n    \
                 toInt64(intDiv(Duration, 1000)) AS duration_us,\n    \
                 toInt64(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,\n    \
                 SpanAttributes['error.type'] AS error_type\n  FROM {source}{}",
                kind("SpanKind"),
                window("Timestamp", &|t| format!("fromUnixTimestamp64Micro({t})"))
            ),
            Dialect::Spark | Dialect::DuckDb => format!(
                "  SELECT trace_id, span_id, COALESCE(parent_span_id, '') AS parent_span_id,\n    \
                 COALESCE(service_name, '') AS service, COALESCE(span_name, '') AS operation,\n    \
                 {} AS kind,\n    \
                 start_time_us AS start_us, duration_us,\n    \
                 CASE WHEN UPPER(status_code) IN ('ERROR', 'STATUS_CODE_ERROR') THEN 1 ELSE 0 END \
                 AS error,\n    COALESCE(error_type, '') AS error_type\n  FROM {source}{}",
                kind("span_kind"),
                window("start_time_us", &|t| t.to_string())
            ),
        }
    }
}

/// The query of one table over spans at `source`: a table's name, or what the engine reads.
pub fn query(table: Table, dialect: Dialect, source: &str, question: &Question) -> String {
    let spans = dialect.spans(source, question);
    let bucket = |of: &str| format!("{of}.start_us - {of}.start_us % {}", question.bucket);
    let sum = |what: &str| dialect.whole(&format!("SUM({what})"));
    match table {
        Table::Operations => format!(
            "WITH s AS (\n{spans}\n), c AS (\n  \
             SELECT trace_id, parent_span_id, {} AS sum_us, COUNT(*) AS many\n  \
             FROM s WHERE parent_span_id <> '' GROUP BY trace_id, parent_span_id\n)\n\
             SELECT {} AS bucket_us, s.service AS service, s.operation AS operation, s.kind AS kind,\n  \
             s.error_type AS error_type, COUNT(*) AS spans, {} AS errors, {} AS time_us,\n  \
             {} AS self_us, {} AS children\n\
             FROM s LEFT JOIN c ON c.trace_id = s.trace_id AND c.parent_span_id = s.span_id\n\
             GROUP BY 1, 2, 3, 4, 5",
            sum("duration_us"),
            bucket("s"),
            sum("s.error"),
            sum("s.duration_us"),
            sum("GREATEST(s.duration_us - COALESCE(c.sum_us, 0), 0)"),
            sum("COALESCE(c.many, 0)"),
        ),
        Table::Durations => {
            let shift = format!("{} - {}", dialect.digits("s.duration_us"), SLOTS.ilog2() + 1);
            format!(
                "WITH s AS (\n{spans}\n)\n\
                 SELECT {} AS bucket_us, s.service AS service, s.kind AS kind,\n  \
                 CASE WHEN s.duration_us < {SLOTS} THEN s.duration_us\n    \
                 ELSE ({shift}) * {SLOTS} + {} END AS slot,\n  COUNT(*) AS spans\n\
                 FROM s GROUP BY 1, 2, 3, 4",
                bucket("s"),
                dialect.shifted("s.duration_us", &shift),
            )
        }
        Table::Edges => {
            // A client span's parent made the call; without one, the caller's own span did.
            let client = "p.kind IN ('client', 'producer')";
            let maker = format!("CASE WHEN {client} THEN p.parent_span_id ELSE p.span_id END");
            let of_client = |what: &str| sum(&format!("CASE WHEN {client} THEN {what} ELSE 0 END"));
            format!(
                "WITH s AS (\n{spans}\n)\n\
                 SELECT {} AS bucket_us, p.service AS caller, c.service AS callee,\n  \
                 c.operation AS operation, COUNT(*) AS attempts,\n  \
                 COUNT(DISTINCT CONCAT(p.trace_id, ':', {maker})) AS parents,\n  \
                 {} AS errors_caller, {} AS errors_callee,\n  \
                 {} AS client_us, {} AS server_us\n\
                 FROM s AS p JOIN s AS c ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id\n\
                 WHERE c.service <> p.service\n\
                 GROUP BY 1, 2, 3, 4",
                bucket("p"),
                of_client("p.error"),
                sum("c.error"),
                of_client("p.duration_us"),
                sum("c.duration_us"),
            )
        }
    }
}

/// A script for the engine's own client: three files in the present folder.
pub fn script(dialect: Dialect, source: Option<&str>, question: &Question) -> String {
    let (usual, how) = match dialect {
        Dialect::ClickHouse => ("otel_traces", "clickhouse-client --multiquery < THIS_FILE"),
        Dialect::Spark => ("parquet.`spans`", "spark-sql -f THIS_FILE"),
        Dialect::DuckDb => ("read_parquet('spans/**/*.parquet')", "duckdb < THIS_FILE"),
    };
    let source = source.unwrap_or(usual);
    let mut out = format!(
        "-- Rolls spans up where they are; rootline diagnoses the folder of the results.\n\
         --   {how}\n-- Reads {source} only.\n"
    );
    for table in Table::ALL {
        let (name, query) = (table.name(), query(table, dialect, source, question));
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
