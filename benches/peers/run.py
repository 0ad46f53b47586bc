#!/usr/bin/env python3
"""Reads and rolls up the files of generate.py with rootline and with its peers, in one run.

usage: run.py FOLDER ROOTLINE_ROLLUP [--limit SECONDS] [--only FORMAT] [--without FORMAT:TOOL]

ROOTLINE_ROLLUP is the built example `rollup` (cargo build --release --example rollup).
Peers come from PyPI: duckdb chdb polars pandas orjson pyarrow. Every job is a process of its own; what
counts are processor seconds and peak memory, as ratios to counting newlines in the same file.
"""
import argparse
import os
import signal
import sys
import time

OTLP_BUCKET = 10_000_000_000


def newlines(path):
    count = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 22):
            count += block.count(b"\n")
    return count


def duckdb_run(sql):
    import duckdb
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar=false")
    return connection.execute(sql).fetchall()


def chdb_run(sql):
    import chdb
    return chdb.query(sql, "CSV").bytes()


# --- OTLP JSON lines: requests, errors and time per service, operation and bucket; edges ---------------
def otlp_duckdb(path):
    value = "STRUCT(stringValue VARCHAR, intValue VARCHAR)"
    attributes = f'STRUCT("key" VARCHAR, "value" {value})[]'
    span = ("STRUCT(traceId VARCHAR, spanId VARCHAR, parentSpanId VARCHAR, name VARCHAR, kind INT, "
            "startTimeUnixNano VARCHAR, endTimeUnixNano VARCHAR, status STRUCT(code INT), "
            f"attributes {attributes})")
    columns = (f"STRUCT(resource STRUCT(attributes {attributes}), "
               f"scopeSpans STRUCT(spans {span}[])[])[]")
    return duckdb_run(f"""
        CREATE TEMP TABLE spans AS
        WITH r AS (SELECT unnest(resourceSpans) AS rs FROM read_json('{path}',
                   format='newline_delimited', maximum_object_size=268435456,
                   columns={{resourceSpans: '{columns}'}})),
             s AS (SELECT list_filter(rs.resource.attributes, lambda a: a.key = 'service.name')[1]
                          .value.stringValue AS service, unnest(rs.scopeSpans) AS scope FROM r),
             p AS (SELECT service, unnest(scope.spans) AS span FROM s)
        SELECT service, span.traceId AS trace, span.spanId AS id, span.parentSpanId AS parent,
               span.name AS name, span.kind AS kind, span.startTimeUnixNano::BIGINT AS t0,
               span.endTimeUnixNano::BIGINT AS t1, coalesce(span.status.code, 0) = 2 AS failed
        FROM p;
        SELECT (SELECT count(*) FROM (SELECT service, name, kind, t0 // {OTLP_BUCKET} AS bucket,
                  count(*), sum(failed::INT), sum(t1 - t0) FROM spans GROUP BY ALL)),
               (SELECT count(*) FROM (SELECT a.service, b.service, b.name, b.t0 // {OTLP_BUCKET} AS k,
                  count(*) FROM spans b JOIN spans a ON a.trace = b.trace AND a.id = b.parent
                  GROUP BY ALL))""")


def otlp_chdb(path):
    value = "Tuple(stringValue String, intValue String)"
    attributes = f"Array(Tuple(key String, value {value}))"
    span = ("Tuple(traceId String, spanId String, parentSpanId String, name String, kind UInt8, "
            "startTimeUnixNano String, endTimeUnixNano String, status Tuple(code UInt8))")
    schema = (f"resourceSpans Array(Tuple(resource Tuple(attributes {attributes}), "
              f"scopeSpans Array(Tuple(spans Array({span})))))")
    spans = f"""
        SELECT service, s.traceId AS trace, s.spanId AS id, s.parentSpanId AS parent, s.name AS name,
               s.kind AS kind, toUInt64(s.startTimeUnixNano) AS t0, toUInt64(s.endTimeUnixNano) AS t1,
               s.status.code = 2 AS failed
        FROM (SELECT arrayFirst(a -> a.key = 'service.name', rs.resource.attributes).value.stringValue
                     AS service, arrayJoin(arrayFlatten(rs.scopeSpans.spans)) AS s
              FROM (SELECT arrayJoin(resourceSpans) AS rs
                    FROM file('{path}', JSONEachRow, '{schema}')))"""
    settings = "SETTINGS input_format_skip_unknown_fields=1, input_format_json_defaults_for_missing_elements_in_named_tuple=1"
    import chdb.session
    session = chdb.session.Session()
    session.query(f"CREATE DATABASE d ENGINE = Atomic")
    session.query(f"CREATE TABLE d.spans ENGINE = Memory AS {spans} {settings}")
    a = session.query(f"""SELECT count() FROM (SELECT service, name, kind, intDiv(t0, {OTLP_BUCKET}) AS b,
        count(), sum(failed), sum(t1 - t0) FROM d.spans GROUP BY service, name, kind, b)""")
    b = session.query(f"""SELECT count() FROM (SELECT p.service, c.service, c.name,
        intDiv(c.t0, {OTLP_BUCKET}) AS b, count() FROM d.spans c JOIN d.spans p
        ON p.trace = c.trace AND p.id = c.parent GROUP BY p.service, c.service, c.name, b)""")
    return str(a), str(b)


def span_rows(path):
    import orjson
    with open(path, "rb") as file:
        for line in file:
            for group in orjson.loads(line)["resourceSpans"]:
                service = next(a["value"]["stringValue"] for a in group["resource"]["attributes"]
                               if a["key"] == "service.name")
                for scope in group["scopeSpans"]:
                    for s in scope["spans"]:
                        yield (service, s["traceId"], s["spanId"], s["parentSpanId"], s["name"],
                               s["kind"], int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"]),
                               s["status"].get("code") == 2)


COLUMNS = ["service", "trace", "id", "parent", "name", "kind", "t0", "t1", "failed"]


def pandas_rollup(rows):
    import pandas
    spans = pandas.DataFrame.from_records(rows, columns=COLUMNS)
    spans["bucket"] = spans.t0 // OTLP_BUCKET
    spans["took"] = spans.t1 - spans.t0
    operations = spans.groupby(["service", "name", "kind", "bucket"]).agg(
        n=("took", "size"), failed=("failed", "sum"), took=("took", "sum"))
    pairs = spans.merge(spans[["trace", "id", "service"]], left_on=["trace", "parent"],
                        right_on=["trace", "id"], suffixes=("", "_p"))
    edges = pairs.groupby(["service_p", "service", "name", "bucket"]).size()
    return len(operations), len(edges)


def otlp_pandas(path):
    return pandas_rollup(span_rows(path))


def polars_rollup(spans):
    import polars as pl
    spans = spans.with_columns((pl.col("t0") // OTLP_BUCKET).alias("bucket"),
                               (pl.col("t1") - pl.col("t0")).alias("took"))
    operations = spans.group_by("service", "name", "kind", "bucket").agg(
        pl.len(), pl.col("failed").sum(), pl.col("took").sum())
    pairs = spans.join(spans.select("trace", "id", pl.col("service").alias("caller")),
                       left_on=["trace", "parent"], right_on=["trace", "id"])
    return operations.height, pairs.group_by("caller", "service", "name", "bucket").len().height


def otlp_polars(path):
    import polars as pl
    lines = pl.read_ndjson(path)
    groups = lines.explode("resourceSpans").unnest("resourceSpans")
    service = (pl.col("resource").struct.field("attributes").list.eval(
        pl.element().filter(pl.element().struct.field("key") == "service.name")
        .struct.field("value").struct.field("stringValue")).list.first())
    spans = groups.with_columns(service.alias("service")).explode("scopeSpans")
    spans = spans.select("service", pl.col("scopeSpans").struct.field("spans")).explode("spans")
    spans = spans.select(
        "service", *[pl.col("spans").struct.field(a).alias(b) for a, b in [
            ("traceId", "trace"), ("spanId", "id"), ("parentSpanId", "parent"), ("name", "name"),
            ("kind", "kind")]],
        pl.col("spans").struct.field("startTimeUnixNano").cast(pl.Int64).alias("t0"),
        pl.col("spans").struct.field("endTimeUnixNano").cast(pl.Int64).alias("t1"),
        (pl.col("spans").struct.field("status").struct.field("code") == 2).alias("failed"))
    return polars_rollup(spans)


# --- one Jaeger document ---------------------------------------------------------------------------------
def jaeger_rows(path):
    import orjson
    with open(path, "rb") as file:
        document = orjson.loads(file.read())
    for trace in document["data"]:
        names = {k: p["serviceName"] for k, p in trace["processes"].items()}
        for s in trace["spans"]:
            kind = next((t["value"] for t in s["tags"] if t["key"] == "span.kind"), "")
            parent = s["references"][0]["spanID"] if s["references"] else ""
            start = s["startTime"] * 1000
            yield (names[s["processID"]], s["traceID"], s["spanID"], parent, s["operationName"], kind,
                   start, start + s["duration"] * 1000, False)


def jaeger_pandas(path):
    return pandas_rollup(jaeger_rows(path))


def jaeger_polars(path):
    import polars as pl
    rows = list(jaeger_rows(path))
    return polars_rollup(pl.DataFrame(rows, schema=COLUMNS, orient="row"))


def jaeger_duckdb(path):
    tag = 'STRUCT("key" VARCHAR, "value" VARCHAR)'
    span = (f"STRUCT(traceID VARCHAR, spanID VARCHAR, operationName VARCHAR, startTime BIGINT, "
            f'duration BIGINT, processID VARCHAR, "references" STRUCT(spanID VARCHAR)[], tags {tag}[])')
    trace = f"STRUCT(spans {span}[], processes MAP(VARCHAR, STRUCT(serviceName VARCHAR)))[]"
    return duckdb_run(f"""
        CREATE TEMP TABLE spans AS
        WITH t AS (SELECT unnest(data) AS t FROM read_json('{path}', format='unstructured',
                   maximum_object_size=2000000000, columns={{data: '{trace}'}})),
             s AS (SELECT t.processes AS p, unnest(t.spans) AS s FROM t)
        SELECT p[s.processID].serviceName AS service, s.traceID AS trace, s.spanID AS id,
               s."references"[1].spanID AS parent, s.operationName AS name, s.startTime AS t0,
               s.duration AS took FROM s;
        SELECT (SELECT count(*) FROM (SELECT service, name, t0 // 10000000 AS b, count(*), sum(took)
                FROM spans GROUP BY ALL)),
               (SELECT count(*) FROM (SELECT a.service, b.service, b.name, b.t0 // 10000000 AS k, count(*)
                FROM spans b JOIN spans a ON a.trace = b.trace AND a.id = b.parent GROUP BY ALL))""")


# --- series: count, least, largest, first, last and sum per series and minute ------------------------------
def by_minute_polars(frame):
    import polars as pl
    if frame["time"].dtype != pl.Int64:
        frame = frame.with_columns(pl.col("time").dt.epoch("s"))
    names = [c for c in frame.columns if c != "time"]
    frame = frame.with_columns((pl.col("time") // 60).alias("bucket"))
    out = frame.group_by("bucket").agg(
        *[e for n in names for e in (pl.col(n).count().alias(n + "#"), pl.col(n).min().alias(n + "<"),
                                     pl.col(n).max().alias(n + ">"), pl.col(n).sum())])
    return out.shape


def by_minute_pandas(frame):
    time_column = frame["time"]
    seconds = time_column if time_column.dtype.kind == "i" else time_column.astype("int64") // 1_000
    return frame.drop(columns="time").groupby(seconds // 60).agg(["count", "min", "max", "sum"]).shape


def wide_polars(path):
    import polars as pl
    return by_minute_polars(pl.read_csv(path))


def wide_pandas(path):
    import pandas
    return by_minute_pandas(pandas.read_csv(path))


LONG = "SELECT name, time // 60 AS b, count(v), min(v), max(v), first(v), last(v), sum(v) FROM {} GROUP BY ALL"


def wide_duckdb(path):
    source = f"(UNPIVOT (FROM read_csv('{path}', max_line_size=4000000)) ON COLUMNS(* EXCLUDE time) INTO NAME name VALUE v)"
    return duckdb_run(f"SELECT count(*) FROM ({LONG.format(source)})")


def wide_chdb(path):
    return chdb_run(f"""SELECT count() FROM (SELECT time, arrayJoin(arrayEnumerate(v)) AS i, v[i] AS x FROM
        (SELECT * FROM (SELECT time, array(* EXCEPT time) AS v FROM file('{path}', CSVWithNames))))
        WHERE x > -1""")


def parquet_polars(path):
    import polars as pl
    return by_minute_polars(pl.read_parquet(path))


def parquet_pandas(path):
    import pandas
    return by_minute_pandas(pandas.read_parquet(path))


def parquet_duckdb(path):
    source = (f"(SELECT name, epoch(time)::BIGINT AS time, v FROM (UNPIVOT (FROM read_parquet('{path}')) "
              "ON COLUMNS(* EXCLUDE time) INTO NAME name VALUE v))")
    return duckdb_run(f"SELECT count(*) FROM ({LONG.format(source)})")


def prometheus_duckdb(path):
    result = "STRUCT(metric MAP(VARCHAR, VARCHAR), \"values\" JSON[][])[]"
    source = f"""(SELECT name, (p[1])::DOUBLE::BIGINT AS time, (p[2]->>'$')::DOUBLE AS v FROM
        (SELECT r.metric['service'] || r.metric['__name__'] AS name, unnest(r.values) AS p FROM
        (SELECT unnest(data.result) AS r FROM read_json('{path}', maximum_object_size=2000000000,
         columns={{data: 'STRUCT(result {result})'}}))))"""
    return duckdb_run(f"SELECT count(*) FROM ({LONG.format(source)})")


def prometheus_pandas(path):
    import numpy
    import orjson
    import pandas
    with open(path, "rb") as file:
        result = orjson.loads(file.read())["data"]["result"]
    out = 0
    for one in result:
        pairs = one["values"]
        t = numpy.fromiter((p[0] for p in pairs), dtype="int64", count=len(pairs))
        v = numpy.fromiter((float(p[1]) for p in pairs), dtype="float64", count=len(pairs))
        out += len(pandas.Series(v).groupby(t // 60).agg(["count", "min", "max", "first", "last", "sum"]))
    return out


def prometheus_polars(path):
    import orjson
    import polars as pl
    with open(path, "rb") as file:
        result = orjson.loads(file.read())["data"]["result"]
    frames = [pl.DataFrame({"t": [p[0] for p in one["values"]], "v": [p[1] for p in one["values"]]})
              .with_columns(pl.lit(i).alias("i")) for i, one in enumerate(result)]
    frame = pl.concat(frames).with_columns(pl.col("v").cast(pl.Float64), (pl.col("t") // 60).alias("b"))
    v = pl.col("v")
    return frame.group_by("i", "b").agg(v.count().alias("n"), v.min().alias("l"), v.max().alias("h"),
                                        v.first().alias("f"), v.last().alias("z"), v.sum()).height


FILES = {"otlp": "otlp/traces.jsonl", "jaeger": "jaeger/traces.json", "wide": "wide/wide.csv",
         "prometheus": "prometheus/range.json", "parquet": "parquet/wide.parquet"}
PEERS = ["duckdb", "chdb", "polars", "pandas"]


def timed(job, limit):
    """Processor seconds, seconds and MB of a job in a process of its own; None for a failure."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.setpgrp()
            job()
            sys.stdout.flush()
            os._exit(0)
        except BaseException as e:  # the reason is worth a line, whatever it is
            print("   ", type(e).__name__, str(e)[:200].replace("\n", " "), file=sys.stderr)
            os._exit(1)
    while True:
        done, status, use = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() - started > limit:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return "over the limit"
        time.sleep(0.02)
    if status:
        return "failed"
    return use.ru_utime + use.ru_stime, time.monotonic() - started, use.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("rootline")
    arguments.add_argument("--limit", type=float, default=300)
    arguments.add_argument("--only", help="one format")
    arguments.add_argument("--without", action="append", default=[], help="FORMAT:TOOL to leave out")
    given = arguments.parse_args()
    print(f"{'format':<11}{'tool':<10}{'cpu s':>8}{'x lines':>9}{'MB/s cpu':>10}{'peak MB':>9}")
    for name, file in FILES.items():
        if given.only not in (None, name):
            continue
        path = os.path.join(os.path.abspath(given.folder), file)
        size = os.path.getsize(path) / 1e6
        newlines(path)
        jobs = [("newlines", lambda: newlines(path)),
                ("rootline", lambda: os.execv(given.rootline, [given.rootline, path]))]
        jobs += [(p, lambda f=globals()[f"{name}_{p}"]: f(path)) for p in PEERS
                 if f"{name}_{p}" in globals() and f"{name}:{p}" not in given.without]
        base = None
        for tool, job in jobs:
            got = timed(job, given.limit)
            if isinstance(got, str):
                print(f"{name:<11}{tool:<10}{got:>17}", flush=True)
                continue
            cpu, _, peak = got
            base = base or cpu
            print(f"{name:<11}{tool:<10}{cpu:>8.2f}{cpu / base:>9.1f}{size / cpu:>10.0f}{peak:>9.0f}",
                  flush=True)


if __name__ == "__main__":
    main()
