#!/usr/bin/env python3
"""Writes pg_stat_activity snapshots and analyses them with rootline and with DuckDB's equivalent SQL.

usage: sessions.py generate SNAPSHOTS SESSIONS FOLDER
       sessions.py run FOLDER ROOTLINE

What is compared: the blocking forest of every snapshot (a recursive query), its roots over time, busy
sessions by wait event type and time, connections by application, client, state and time, sessions by
statement and time. DuckDB reads the same CSV; statements are normalised there by one regular
expression. Each job is a process of its own; printed are wall clock, processor seconds, peak memory.
"""
import random
import resource
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

HEADER = ("snapshot_at,pid,datname,usename,application_name,client_addr,backend_start,xact_start,"
          "query_start,state_change,wait_event_type,wait_event,state,backend_xmin,query,backend_type,"
          "blocked_by\n")
APPLICATIONS = ["orders", "cart", "search", "billing", "report", "metabase"]
WAITS = [("", "")] * 5 + [("IO", "DataFileRead"), ("LWLock", "WALWrite"), ("IO", "WALSync")]


def stamp(at):
    return at.strftime("%Y-%m-%d %H:%M:%S.%f+00")


def generate(snapshots, sessions, folder):
    """A steady pool; in each 1000 snapshots 100 with an idle transaction that writers wait for."""
    random.seed(7)
    reads = [f"SELECT c{i}, total FROM t{i % 17} WHERE id = $1 AND state = 'open' LIMIT 10" for i in range(60)]
    write = "UPDATE t3 SET total = total + 1 WHERE id = 21"
    begin = datetime(2026, 11, 20, tzinfo=timezone.utc)
    started = [stamp(begin - timedelta(seconds=60 * i)) for i in range(sessions)]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / "main_pg_stat_activity.csv", "w", buffering=1 << 20) as out:
        out.write(HEADER)
        for k in range(snapshots):
            now = begin + timedelta(seconds=k)
            at, just = stamp(now), stamp(now - timedelta(milliseconds=340))
            since = stamp(now - timedelta(seconds=2))
            rows = []
            for i in range(sessions):
                name = APPLICATIONS[i % 6]
                head = f"{at},{1000 + i},shop,{name},{name},10.0.0.{i % 50},{started[i]}"
                dice = random.random()
                blocked = k % 1000 >= 900
                if blocked and i == 0:
                    t = stamp(now - timedelta(seconds=k % 1000 - 895))
                    rest = f"{t},{t},{t},Client,ClientRead,idle in transaction,91,{write},client backend,{{}}"
                elif blocked and dice < 0.3:
                    rest = f"{since},{since},{since},Lock,transactionid,active,92,{write},client backend,{{1000}}"
                elif dice < 0.5:
                    kind, event = WAITS[int(dice * 997) % 8]
                    text = reads[(i * 7 + k) % 60]
                    rest = f'{just},{just},{just},{kind},{event},active,93,"{text}",client backend,{{}}'
                else:
                    rest = f',{just},{just},Client,ClientRead,idle,,"{reads[(i + k) % 60]}",client backend,{{}}'
                rows.append(f"{head},{rest}")
            out.write("\n".join(rows) + "\n")


SQL = r"""
CREATE TEMP TABLE s AS SELECT snapshot_at AS seen, pid, application_name AS app, client_addr AS client,
  state, coalesce(wait_event_type, 'running') AS wait, wait_event, xact_start, query_start,
  regexp_replace(query, '''[^'']*''|\b[0-9]+\b', '?', 'g') AS query,
  [x::INT FOR x IN string_split(trim(blocked_by, '{}'), ',') IF x <> ''] AS blocked_by
FROM read_csv('FILE', header=true, nullstr='', types={'blocked_by': 'VARCHAR', 'wait_event_type': 'VARCHAR'});
CREATE TEMP TABLE edges AS SELECT seen, pid AS waiter, unnest(blocked_by) AS blocker FROM s WHERE len(blocked_by) > 0;
CREATE TEMP TABLE forest AS WITH RECURSIVE f(seen, waiter, top, depth) AS (
  SELECT seen, waiter, blocker, 1 FROM edges
  UNION SELECT f.seen, f.waiter, e.blocker, f.depth + 1 FROM f JOIN edges e ON e.seen = f.seen AND e.waiter = f.top
    WHERE f.depth < 50)
SELECT seen, waiter, top, min(depth) AS depth FROM f
  WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.seen = f.seen AND e.waiter = f.top) GROUP BY ALL;
SELECT count(*), sum(n) FROM (SELECT seen, top, count(*) AS n, max(depth) FROM forest GROUP BY ALL);
SELECT count(*) FROM (SELECT seen, wait, count(*) FROM s WHERE state = 'active' GROUP BY ALL);
SELECT count(*) FROM (SELECT seen, app, client, state, count(*) FROM s GROUP BY ALL);
SELECT count(*) FROM (SELECT seen, query, count(*), max(seen - query_start) FROM s WHERE state = 'active' GROUP BY ALL);
SELECT count(*) FROM (SELECT pid, xact_start, max(seen - xact_start) AS age FROM s WHERE xact_start IS NOT NULL
  GROUP BY ALL ORDER BY age DESC LIMIT 20);
"""


def duck(path):
    import duckdb
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar=false")
    answers = []
    for statement in SQL.replace("FILE", path).split(";\n"):
        if statement.strip():
            answers.append(connection.execute(statement).fetchall())
    print(answers[3:])


def run(folder, rootline):
    path = str(Path(folder) / "main_pg_stat_activity.csv")
    jobs = {"duckdb": [sys.executable, __file__, "duckdb", path],
            "rootline": [rootline, "sessions", "--format", "json", folder]}
    for name, command in jobs.items():
        begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = __import__("os").wait4(job.pid, 0)
        wall = time.monotonic() - begin
        cpu = usage.ru_utime + usage.ru_stime
        print(f"{name:9} exit {status} wall {wall:7.1f} s  cpu {cpu:7.1f} s  peak {usage.ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["help"]
    if what == "generate" and len(rest) == 3:
        generate(int(rest[0]), int(rest[1]), rest[2])
    elif what == "run" and len(rest) == 2:
        run(*rest)
    elif what == "duckdb" and len(rest) == 1:
        duck(rest[0])
    else:
        sys.exit(__doc__)
