"""Holds the SQL of `rootline rollup --emit-sql` against the local rollup: python engines.py ROOTLINE SPANS [OUT]

Needs duckdb, chdb and pyarrow. SPANS is a folder of spans.py. DuckDB reads the Parquet; the embedded
ClickHouse gets them as the table that the OpenTelemetry exporter makes. Each must give the local rows to
the last digit, for the whole and for a window, and says how much of the table the window made it read.
"""
import csv, json, os, random, shutil, subprocess, sys, tempfile, time
import pyarrow as pa
import pyarrow.parquet as pq

TABLES = ("operations", "durations", "edges")
OTEL_TRACES = """
CREATE TABLE otel_traces (
  Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
  ParentSpanId String CODEC(ZSTD(1)), TraceState String CODEC(ZSTD(1)), SpanName LowCardinality(String),
  SpanKind LowCardinality(String), ServiceName LowCardinality(String),
  ResourceAttributes Map(LowCardinality(String), String), ScopeName String, ScopeVersion String,
  SpanAttributes Map(LowCardinality(String), String), Duration UInt64, StatusCode LowCardinality(String),
  StatusMessage String
) ENGINE MergeTree PARTITION BY toStartOfInterval(Timestamp, INTERVAL 10 MINUTE)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))"""
FILL = """
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, SpanAttributes, Duration, StatusCode)
SELECT fromUnixTimestamp64Micro(start_time_us), trace_id, span_id, parent_span_id, span_name,
  concat(upper(substring(span_kind, 1, 1)), substring(span_kind, 2)), service_name,
  if(error_type = '', map(), map('error.type', error_type)), toUInt64(duration_us) * 1000 + 999,
  if(status_code = 'ERROR', 'Error', 'Unset')
FROM file('{spans}/**/*.parquet', Parquet)"""


def rows(path):
    """Rows of a file or a folder of files, sorted by their key."""
    table = pq.read_table(path).to_pydict()
    return list(table), sorted(zip(*table.values()), key=lambda row: [(cell is not None, cell) for cell in row])


def run(*argv):
    began = time.time()
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.strip(), time.time() - began


def same(name, local, other, tables=TABLES):
    for table in tables:
        (columns, want), (own, got) = rows(f"{local}/{table}.parquet"), rows(f"{other}/{table}.parquet")
        assert columns == own, f"{name}: {table} has {own}"
        assert len(want) == len(got), f"{name}: {table}: {len(got)} rows, not {len(want)}"
        for w, g in zip(want, got):
            assert w == g, f"{name}: {table}: {g}, not {w}"
        print(f"{name}: {table}: {len(want)} rows are the same")


def duckdb_rollup(rootline, spans, out, window):
    import duckdb
    source = f"read_parquet('{spans}/**/*.parquet')"
    sql, _, _ = run(rootline, "rollup", "--emit-sql", "duckdb", "--source", source, *window)
    began = time.time()
    with duckdb.connect() as c:
        c.execute("SET memory_limit='4GB'")
        os.chdir(out)
        c.execute(sql)
    print(f"duckdb: {time.time() - began:.1f} s")


def clickhouse(spans):
    from chdb import session
    s = session.Session()
    s.query("CREATE DATABASE IF NOT EXISTS lab ENGINE = Atomic")
    s.query("USE lab")
    s.query(OTEL_TRACES)
    s.query(FILL.format(spans=spans))
    return s


def clickhouse_rollup(s, rootline, out, window):
    sql, _, _ = run(rootline, "rollup", "--emit-sql", "clickhouse", *window)
    began, read = time.time(), 0
    for statement in sql.split(";\n"):
        query = statement.partition("INTO OUTFILE")
        if query[1]:
            name = query[2].split("'")[1]
            answer = s.query(query[0], "Parquet")
            open(f"{out}/{name}", "wb").write(answer.bytes())
            read += answer.bytes_read() if hasattr(answer, "bytes_read") else 0
    print(f"clickhouse: {time.time() - began:.1f} s, {read / 1e6:.0f} MB read")


FROM_S = 1_795_204_800


def samples(folder):
    """Counters that begin anew and gauges, as answers of Prometheus and as one table; eighths add up exactly."""
    rng, long, series = random.Random(5), {c: [] for c in ("metric", "labels", "time_us", "value")}, []
    for metric, count in (("http_requests_total", 6), ("queue_depth", 6)):
        for i in range(count):
            labels, value, values = {"instance": f"app-{i}", "job": "shop"}, 0.0, []
            for t in range(FROM_S + i, FROM_S + 600, 3):
                value = (0.0 if rng.random() < 0.02 else value + rng.randrange(80) / 8) if "total" in metric else rng.randrange(-80, 800) / 8
                values.append([t, str(value)])
                for column, cell in zip(long, (metric, json.dumps(labels, sort_keys=True, separators=(",", ":")), t * 1_000_000, value)):
                    long[column].append(cell)
            series.append({"metric": {"__name__": metric, **labels}, "values": values})
    json.dump({"status": "success", "data": {"resultType": "matrix", "result": series}}, open(f"{folder}/exports/prometheus.json", "w"))
    pq.write_table(pa.table(long), f"{folder}/samples.parquet")


def sessions(folder):
    """Snapshots of pg_stat_activity, as a CSV of psql and as one table."""
    rng, stamp = random.Random(6), lambda t: time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(t))
    who = ["datname", "application_name", "usename", "state", "wait_event_type"]
    long = {c: [] for c in ("snapshot_us", "server", *who, "blocked", "xact_start_us", "query_start_us")}
    with open(f"{folder}/exports/primary_pg_stat_activity.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["snapshot_at", "pid", *who, "xact_start", "query_start", "backend_type", "blocked_by", "query"])
        for at in range(FROM_S, FROM_S + 300, 5):
            for pid in range(100, 140):
                busy = rng.random() < 0.4
                state, wait = ("active", rng.choice(["", "Lock"])) if busy else ("idle", "Client")
                cells = ["shop", rng.choice(["cart", "checkout"]), "app", state, wait]
                begun, blocked = at - rng.randrange(1, 90), "{101}" if wait == "Lock" else "{}"
                out.writerow([stamp(at), pid, *cells, stamp(begun) if busy else "", stamp(begun), "client backend", blocked, "SELECT 1"])
                row = (at * 1_000_000, "primary", *cells, int(wait == "Lock"), begun * 1_000_000 if busy else None, begun * 1_000_000)
                for column, cell in zip(long, row):
                    long[column].append(cell)
    pq.write_table(pa.table(long), f"{folder}/sessions.parquet")


def duckdb_facts(sql, folder, what, out):
    import duckdb
    os.chdir(out)
    duckdb.sql(sql.replace("SOURCE", f"read_parquet('{folder}/{what}.parquet')"))


def clickhouse_facts(sql, folder, what, out):
    import chdb
    body = sql.replace("SOURCE", f"file('{folder}/{what}.parquet', Parquet)").partition("INTO OUTFILE")[0]
    open(f"{out}/{what}.parquet", "wb").write(chdb.query(body, "Parquet").bytes())


def facts(rootline, folder, engines):
    """Samples and sessions against the local rollup, on engines by name: each takes SQL that reads SOURCE."""
    os.makedirs(f"{folder}/exports")
    samples(folder)
    sessions(folder)
    for name, window in (("whole", []), ("window", ["--from", "2026-11-20T20:01:03Z", "--to", "2026-11-20T20:03:08Z"])):
        out = {e: f"{folder}/{name}/{e}" for e in ("local", *engines)}
        for f in out.values():
            os.makedirs(f)
        run(rootline, "rollup", f"{folder}/exports", "-o", out["local"], *window)
        for what in ("samples", "sessions"):
            for engine, executed in engines.items():
                sql, _, _ = run(rootline, "rollup", "--emit-sql", engine, "--what", what, "--source", "SOURCE", *window)
                executed(sql, folder, what, out[engine])
                same(f"{engine}, {name}", out["local"], out[engine], (what,))


def main():
    rootline, spans = map(os.path.abspath, sys.argv[1:3])
    root = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp()
    shutil.rmtree(root, ignore_errors=True)
    facts(rootline, f"{root}/facts", {"duckdb": duckdb_facts, "clickhouse": clickhouse_facts})
    table = clickhouse(spans)
    for name, window in (("whole", []), ("window", ["--from", "2026-11-20T19:05:03Z", "--to", "2026-11-20T19:09:08Z"])):
        print(name)
        folders = {e: f"{root}/{name}/{e}" for e in ("local", "duckdb", "clickhouse")}
        for f in folders.values():
            os.makedirs(f)
        _, said, took = run(rootline, "rollup", spans, "-o", folders["local"], *window)
        print(f"local: {took:.1f} s: {said.splitlines()[0]}")
        duckdb_rollup(rootline, spans, folders["duckdb"], window)
        same("duckdb", folders["local"], folders["duckdb"])
        clickhouse_rollup(table, rootline, folders["clickhouse"], window)
        same("clickhouse", folders["local"], folders["clickhouse"])


if __name__ == "__main__":
    main()
