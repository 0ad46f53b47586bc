"""Rolls spans up on a Spark cluster of this machine: python cluster.py ROOTLINE SPANS [OUT] [SECONDS]

Needs pyspark, pyarrow and a JVM 17. SPANS `facts` rolls up samples and sessions alone. One master and two workers of one core each on loopback, from the
PyPI package. Runs the SQL of `rootline rollup --emit-sql spark` over the partitioned Parquet of
spans.py, kills one executor with SIGKILL in the middle (SECONDS after the start of the work; by default
when a third of the first stage is done), and holds the rows against the local rollup. Then diagnoses
what the cluster made. Samples and sessions are rolled up there as well. Everything that it starts it
ends by process id.
"""
import os, shutil, signal, subprocess, sys, tempfile, threading, time
import pyspark
from pyarrow import dataset
from engines import TABLES, facts, run
from nodes import cpu, end, held_against_local, port

HOME = os.path.dirname(pyspark.__file__)


class Cluster:
    def __init__(self, folder, memory):
        self.folder, self.procs = folder, []
        self.url = f"spark://127.0.0.1:{port()}"
        host = ["--host", "127.0.0.1", "--webui-port", "0"]
        self.start("master", "org.apache.spark.deploy.master.Master", "--port", self.url.rsplit(":", 1)[1], *host)
        time.sleep(4)
        self.workers = [self.start(f"worker{i}", "org.apache.spark.deploy.worker.Worker", self.url, *host, "--cores", "1",
                                   "--memory", memory, "--work-dir", f"{folder}/work{i}") for i in (1, 2)]

    def start(self, name, *argv):
        log = open(f"{self.folder}/{name}.log", "wb")
        env = {**os.environ, "SPARK_HOME": HOME, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": f"{self.folder}/scratch", "SPARK_DAEMON_MEMORY": "384m"}
        p = subprocess.Popen([f"{HOME}/bin/spark-class", *argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        self.procs.append(p)
        return p

    def executors(self):
        """Process ids of the executors: the workers' children."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
                line = open(f"/proc/{pid}/cmdline").read()
            except OSError:
                continue
            if int(parent) in [w.pid for w in self.workers] and "CoarseGrainedExecutorBackend" in line:
                found.append(int(pid))
        return found

    def close(self):
        end(self.procs)


# Spans of one partition of a shuffle: their joins are hash joins, which have to fit an executor's memory.
PARTITION_SPANS = 400_000


def session(cluster, memory, folder, spans):
    from pyspark.sql import SparkSession
    settings = {
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.executor.cores": "1", "spark.executor.memory": memory, "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": str(max(64, spans // PARTITION_SPANS)), "spark.local.dir": f"{folder}/scratch", "spark.sql.warehouse.dir": f"{folder}/warehouse",
        # Files are listed here, not by a task for each folder; one core collects its garbage alone.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000", "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
        # A partition folder's name is no column of the spans.
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false", "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master(cluster.url).appName("rootline rollup")
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


class Killer(threading.Thread):
    """Kills one executor in the middle of the work, and looks what all of them take."""

    def __init__(self, spark, cluster, after):
        super().__init__(daemon=True)
        self.spark, self.cluster, self.after = spark, cluster, after
        self.killed, self.taken = None, {}

    def run(self):
        tracker, began = self.spark.sparkContext.statusTracker(), time.time()
        while True:
            time.sleep(0.5)
            executors = self.cluster.executors()
            self.taken.update({p: t for p in executors if (t := cpu(p)) is not None})
            if self.killed or len(executors) < 2:
                continue
            stages = [tracker.getStageInfo(s) for s in tracker.getActiveStageIds()]
            done = [s.numCompletedTasks / s.numTasks for s in stages if s and s.numTasks > 4]
            if time.time() - began > self.after if self.after else any(0.33 <= d < 1 for d in done):
                os.kill(executors[0], signal.SIGKILL)
                self.killed = f"executor {executors[0]} killed {time.time() - began:.0f} s into the work, stages at {[f'{d:.0%}' for d in done]}"
                print(self.killed, flush=True)


def execute(spark, sql, out):
    """Runs a script; its tables become folders below OUT."""
    for statement in sql.split(";\n"):
        body = "\n".join(l for l in statement.splitlines() if not l.startswith("--")).strip()
        if body:
            step = time.time()
            spark.sql(body.replace("DIRECTORY '", f"DIRECTORY '{out}/"))
            print(f"  {body.split(maxsplit=4)[3] if body.startswith('INSERT') else body}: {time.time() - step:.0f} s", flush=True)


def spark_facts(spark):
    def executed(sql, folder, what, out):
        execute(spark, sql.replace("SOURCE", f"parquet.`{folder}/{what}.parquet`"), out)
        os.rename(f"{out}/{what}", f"{out}/{what}.parquet")
    return executed


def main():
    rootline, spans = map(os.path.abspath, sys.argv[1:3])
    only_facts = sys.argv[2] == "facts"
    out = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else tempfile.mkdtemp()
    after = float(sys.argv[4]) if len(sys.argv) > 4 else None
    memory = os.environ.get("EXECUTOR_MEMORY", "1500m")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(f"{out}/cluster")
    folder = tempfile.mkdtemp(prefix="rootline-spark-")
    cluster = Cluster(folder, memory)
    try:
        spark = session(cluster, memory, folder, 0 if only_facts else dataset.dataset(spans).count_rows())
        facts(rootline, f"{out}/facts", {"spark": spark_facts(spark)})
        if only_facts:
            return
        began, killer = time.time(), Killer(spark, cluster, after)
        killer.start()
        sql, _, _ = run(rootline, "rollup", "--emit-sql", "spark", "--source", f"parquet.`{spans}`")
        execute(spark, sql, f"{out}/spark")
        time.sleep(1)
        print(f"spark: {time.time() - began:.0f} s, executors {sum(killer.taken.values()):.0f} s of processor time, load {os.getloadavg()[0]:.0f}", flush=True)
        assert killer.killed, "no executor was killed: the work was over too soon"
        spark.stop()
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
    for table in TABLES:
        shutil.rmtree(f"{out}/cluster/{table}.parquet", ignore_errors=True)
        os.rename(f"{out}/spark/{table}", f"{out}/cluster/{table}.parquet")
    held_against_local("spark", rootline, spans, out)


if __name__ == "__main__":
    main()
