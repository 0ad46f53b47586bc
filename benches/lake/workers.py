"""Rolls spans up on a Dask cluster of this machine: python workers.py ROOTLINE SPANS [OUT] [PARTS]

Needs dask, distributed, duckdb and pyarrow. One scheduler and two worker processes of one thread each on
loopback. A task takes the traces of one part, by a hash of their ids, out of the partitioned Parquet of
spans.py and runs the SQL of `rootline rollup --emit-sql duckdb` over them; parts share no trace, so their
tables are summed. One worker is killed with SIGKILL when a third of the parts is done; the scheduler gives
its part to the other. The rows are held against the local rollup, and what the workers made is diagnosed.
Everything that it starts it ends by process id.
"""
import os, shutil, signal, subprocess, sys, tempfile, time
from engines import TABLES, run
from nodes import cpu, end, held_against_local, port

KEYS = {"operations": "bucket_us, service, operation, kind, error_type", "durations": "bucket_us, service, kind, slot",
        "edges": "bucket_us, caller, callee, operation"}
SUMS = {"operations": ("spans", "errors", "time_us", "self_us", "children"), "durations": ("spans",),
        "edges": ("attempts", "parents", "errors_caller", "errors_callee", "client_us", "server_us")}


def part(number, parts, spans, sql, out):
    """One task: the tables of one part; whole files only, so that a task may run twice."""
    import duckdb, os, shutil, tempfile
    folder = tempfile.mkdtemp(dir=out)
    with duckdb.connect(config={"threads": 1, "memory_limit": "3GB", "temp_directory": folder}) as c:
        c.execute(f"CREATE TEMP TABLE part AS SELECT * EXCLUDE (minute) FROM read_parquet('{spans}/**/*.parquet') WHERE hash(trace_id) % {parts} = {number}")
        rows = c.execute("SELECT COUNT(*) FROM part").fetchone()[0]
        c.execute(sql.replace("TO '", f"TO '{folder}/"))
    for table in ("operations", "durations", "edges"):
        os.makedirs(f"{out}/parts/{table}", exist_ok=True)
        os.replace(f"{folder}/{table}.parquet", f"{out}/parts/{table}/{number:03}.parquet")
    shutil.rmtree(folder)
    return rows


class Cluster:
    def __init__(self, folder):
        self.folder, self.procs, self.seen = folder, [], {}
        self.address = f"tcp://127.0.0.1:{port()}"
        self.start("scheduler", "distributed.cli.dask_scheduler", "--host", self.address, "--no-dashboard")
        self.workers = [self.start(f"worker{i}", "distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny",
                                   "--no-dashboard", "--local-directory", f"{folder}/work{i}", "--memory-limit", "0") for i in (1, 2)]

    def start(self, name, module, *argv):
        log = open(f"{self.folder}/{name}.log", "wb")
        code = f"import sys; from {module} import main; sys.exit(main())"
        p = subprocess.Popen([sys.executable, "-c", code, *argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.procs.append(p)
        return p

    def watch(self):
        """Processor seconds and the most memory of the workers, also of one that is gone."""
        for w in self.workers:
            if (t := cpu(w.pid)) is not None:
                most = [l for l in open(f"/proc/{w.pid}/status") if l.startswith("VmHWM")]
                self.seen[w.pid] = (t, int(most[0].split()[1]) / 1024 if most else self.seen.get(w.pid, (0, 0))[1])

    def close(self):
        end(self.procs)


def main():
    rootline, spans = map(os.path.abspath, sys.argv[1:3])
    out = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else tempfile.mkdtemp()
    parts = int(sys.argv[4]) if len(sys.argv) > 4 else 6
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(f"{out}/cluster")
    sql, _, _ = run(rootline, "rollup", "--emit-sql", "duckdb", "--source", "part")
    folder = tempfile.mkdtemp(prefix="rootline-dask-")
    cluster = Cluster(folder)
    try:
        from distributed import Client
        client = Client(cluster.address, timeout=60)
        client.wait_for_workers(2, timeout=120)
        began, killed = time.time(), None
        tasks = client.map(part, range(parts), parts=parts, spans=spans, sql=sql, out=out, retries=3)
        while not all(t.done() for t in tasks):
            time.sleep(0.5)
            cluster.watch()
            done = sum(t.done() for t in tasks)
            if not killed and done >= parts / 3:
                killed = cluster.workers[0].pid
                os.kill(killed, signal.SIGKILL)
                print(f"worker {killed} killed {time.time() - began:.0f} s into the work, {done} of {parts} parts done", flush=True)
        rows = sum(client.gather(tasks))
        import duckdb
        for table in TABLES:
            sums = ", ".join(f"CAST(SUM({c}) AS BIGINT) AS {c}" for c in SUMS[table])
            duckdb.sql(f"COPY (SELECT {KEYS[table]}, {sums} FROM read_parquet('{out}/parts/{table}/*.parquet') GROUP BY {KEYS[table]}) TO '{out}/cluster/{table}.parquet' (FORMAT parquet)")
        taken, most = sum(t for t, _ in cluster.seen.values()), max(m for _, m in cluster.seen.values())
        print(f"dask: {rows} spans in {time.time() - began:.0f} s, workers {taken:.0f} s of processor time, at most {most:.0f} MB each, load {os.getloadavg()[0]:.0f}", flush=True)
        assert killed, "no worker was killed: the work was over too soon"
        client.close()
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
    held_against_local("dask", rootline, spans, out)


if __name__ == "__main__":
    main()
