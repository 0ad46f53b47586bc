"""Records an incident of real servers on loopback with `rootline record` and diagnoses it.

    python tests/live/incident.py PATH/TO/rootline [FOLDER] [idle|queue]

Not part of CI: it needs Prometheus, PostgreSQL 15 (Debian's packages), openssl and a Python with
psycopg, psycopg_pool and prometheus-client, and takes six minutes. A primary with TLS and a hot
standby; a service with a pool of ten connections; a Prometheus that scrapes it each 5 s. A report
updates accounts and leaves its transaction idle, so that checkout waits for its locks (`idle`), or a
migration wants the table while a report reads it, and everybody queues behind both (`queue`).
Meanwhile the recorder is killed with SIGKILL and started again, and the server refuses it for a while.

It shows: no snapshot and no sample twice, none half-written, gaps with their times, no secret in the
folder, and the right root cause first, both of what was followed and of `--last` in the midst of it.
Everything that it starts it ends by process id.
"""
import csv, glob, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time

PG = "/usr/lib/postgresql/15/bin"
PORTS = "LIVE_PORTS"
PASSWORD = "s3cret-of-the-lab"
# What each incident may be called first.
WANTED = {"idle": ("idle-in-transaction-blocker",), "queue": ("long-running-query-blocking",)}
BASELINE, INCIDENT, FOLLOW = 90, 25, 130


def free_ports(count):
    """Ports that nobody has; all are held until the last is found."""
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    found = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return found


# The service is this script again, and has to know them.
os.environ.setdefault(PORTS, " ".join(map(str, free_ports(4))))
PRIMARY, STANDBY, PROMETHEUS, APP = map(int, os.environ[PORTS].split())


def app():
    """The service: twelve workers, a pool of ten, an update of a hot account a request."""
    import psycopg
    from prometheus_client import Counter, Gauge, Histogram, start_http_server, REGISTRY
    from psycopg_pool import ConnectionPool, PoolTimeout
    buckets = (.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
    labels = ["http_route", "http_request_method", "http_response_status_code"]
    served = Histogram("http_server_request_duration_seconds", "latency", labels, buckets=buckets)
    active = Gauge("http_server_active_requests", "in flight")
    name = ["db_client_connection_pool_name"]
    used = Gauge("db_client_connection_count", "by state", name + ["db_client_connection_state"])
    most = Gauge("db_client_connection_max", "limit", name)
    pending = Gauge("db_client_connection_pending_requests", "waiting", name)
    timeouts = Counter("db_client_connection_timeouts", "gave up", name)
    dsn = f"host=127.0.0.1 port={PRIMARY} dbname=shop user=shop application_name=checkout"
    pool = ConnectionPool(dsn, min_size=4, max_size=10, timeout=2, kwargs={"autocommit": True})
    pool.wait()
    start_http_server(APP, "127.0.0.1")

    def gauges():
        while True:
            s = pool.get_stats()
            size, idle = s.get("pool_size", 0), s.get("pool_available", 0)
            used.labels("shop", "used").set(size - idle)
            used.labels("shop", "idle").set(idle)
            most.labels("shop").set(10)
            pending.labels("shop").set(s.get("requests_waiting", 0))
            time.sleep(1)

    def worker(seed):
        rng = random.Random(seed)
        while True:
            began, code = time.perf_counter(), "200"
            with active.track_inprogress():
                try:
                    with pool.connection() as c:
                        c.execute("SET lock_timeout = '3s'")
                        account = rng.randint(1, 40)
                        c.execute("UPDATE accounts SET balance = balance - 1 WHERE id = %s", (account,))
                except PoolTimeout:
                    code = "503"
                    timeouts.labels("shop").inc()
                except psycopg.Error:
                    code = "500"
            served.labels("/checkout", "POST", code).observe(time.perf_counter() - began)
            time.sleep(rng.expovariate(2.0))

    threading.Thread(target=gauges, daemon=True).start()
    for seed in range(24):
        threading.Thread(target=worker, args=(seed,), daemon=True).start()
    time.sleep(1200)


class Lab:
    def __init__(self, folder):
        self.folder, self.procs, self.clusters = folder, [], []
        os.chmod(folder, 0o755)

    def start(self, argv, **kw):
        log = open(f"{self.folder}/{os.path.basename(argv[0])}.{len(self.procs)}.log", "ab")
        p = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **kw)
        self.procs.append(p)
        return p

    def postgres(self, *argv, check=True):
        run = ["runuser", "-u", "postgres", "--", *argv]
        return subprocess.run(run, cwd="/tmp", check=check, capture_output=True, text=True)

    def up(self, port):
        data = f"{self.folder}/pg{port}"
        self.clusters.append(data)
        self.postgres(f"{PG}/pg_ctl", "-D", data, "-w", "-l", f"{data}/server.log", "start")

    def primary(self):
        data = f"{self.folder}/pg{PRIMARY}"
        os.makedirs(data)
        shutil.chown(data, "postgres", "postgres")
        os.chmod(data, 0o700)
        self.postgres(f"{PG}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8")
        new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
        ca = ["-x509", "-days", "2", "-subj", "/CN=lab", "-out", f"{self.folder}/ca.crt", "-keyout", f"{self.folder}/ca.key"]
        ask = ["-subj", "/CN=db", "-out", f"{self.folder}/db.csr", "-keyout", f"{data}/server.key"]
        sign = ["openssl", "x509", "-req", "-days", "2", "-in", f"{self.folder}/db.csr", "-CA", f"{self.folder}/ca.crt",
                "-CAkey", f"{self.folder}/ca.key", "-CAcreateserial", "-extfile", f"{self.folder}/san", "-out", f"{data}/server.crt"]
        with open(f"{self.folder}/san", "w") as f:
            f.write("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        for command in (new + ca, new + ask, sign):
            subprocess.run(command, check=True, capture_output=True)
        for f in ("server.crt", "server.key"):
            shutil.chown(f"{data}/{f}", "postgres", "postgres")
            os.chmod(f"{data}/{f}", 0o600)
        with open(f"{data}/postgresql.conf", "a") as f:
            f.write(f"\nport={PRIMARY}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nssl=on\n"
                    "wal_level=replica\nfsync=off\npassword_encryption='scram-sha-256'\n")
        rules = open(f"{data}/pg_hba.conf").read()
        with open(f"{data}/pg_hba.conf", "w") as f:
            f.write("hostssl all recorder 127.0.0.1/32 scram-sha-256\nhost all recorder 127.0.0.1/32 reject\n" + rules)
            f.write("host replication postgres 127.0.0.1/32 trust\n")
        self.up(PRIMARY)
        for q in [f"CREATE ROLE recorder LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor", "CREATE ROLE shop LOGIN",
                  "CREATE ROLE reports LOGIN", "CREATE DATABASE shop OWNER shop"]:
            self.sql(q, "postgres")
        for q in ["CREATE TABLE accounts(id int PRIMARY KEY, balance bigint)", "GRANT ALL ON accounts TO shop, reports",
                  "INSERT INTO accounts SELECT i, 1000000 FROM generate_series(1, 40) i"]:
            self.sql(q)

    def standby(self):
        data = f"{self.folder}/pg{STANDBY}"
        os.makedirs(data)
        shutil.chown(data, "postgres", "postgres")
        os.chmod(data, 0o700)
        self.postgres(f"{PG}/pg_basebackup", "-h", "127.0.0.1", "-p", str(PRIMARY), "-U", "postgres", "-D", data, "-R", "-X", "stream", "-c", "fast")
        with open(f"{data}/postgresql.conf", "a") as f:
            f.write(f"\nport={STANDBY}\nhot_standby=on\n")
        self.up(STANDBY)

    def sql(self, query, database="shop"):
        import psycopg
        dsn = f"host=127.0.0.1 port={PRIMARY} dbname={database} user=postgres application_name=lab"
        with psycopg.connect(dsn, autocommit=True) as c:
            cursor = c.execute(query)
            return cursor.fetchall() if cursor.description else None

    def prometheus(self):
        jobs = [{"job_name": "checkout", "static_configs": [{"targets": [f"127.0.0.1:{APP}"], "labels": {"instance": "checkout-0"}}]}]
        json.dump({"global": {"scrape_interval": "5s"}, "scrape_configs": jobs}, open(f"{self.folder}/prometheus.yml", "w"))
        self.start(["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb",
                    f"--web.listen-address=127.0.0.1:{PROMETHEUS}"])

    def close(self):
        for p in self.procs[::-1]:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(5)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait(5)
        for data in self.clusters[::-1]:
            self.postgres(f"{PG}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", check=False)


def blocker(seconds):
    """Updates every account and leaves the transaction open."""
    import psycopg
    dsn = f"host=127.0.0.1 port={PRIMARY} dbname=shop user=reports application_name=nightly-report"
    with psycopg.connect(dsn) as c:
        c.execute("UPDATE accounts SET balance = balance")
        time.sleep(seconds)
        c.rollback()


def migration(seconds):
    """Adds a column while a report reads the table: whoever comes later waits behind it."""
    import psycopg
    dsn = f"host=127.0.0.1 port={PRIMARY} dbname=shop user=reports application_name=nightly-report"
    alter = f"host=127.0.0.1 port={PRIMARY} dbname=shop user=postgres application_name=migrate"

    def report():
        with psycopg.connect(dsn) as c:
            c.execute("SELECT count(*), pg_sleep(%s) FROM accounts", (seconds,))

    threading.Thread(target=report, daemon=True).start()
    time.sleep(1)
    with psycopg.connect(alter, autocommit=True) as c:
        c.execute("ALTER TABLE accounts ADD COLUMN note text")


def snapshots(path):
    rows = list(csv.DictReader(open(path)))
    assert all(None not in r and None not in r.values() for r in rows), "a torn row"
    seen = [(r["snapshot_at"], r["pid"], r["backend_type"], r["application_name"]) for r in rows]
    twice = len(seen) - len(set(seen))
    assert twice == 0, f"{twice} rows twice"
    return sorted({r["snapshot_at"] for r in rows})


def samples(folder):
    """Number of samples; none may be there twice."""
    total, seen = 0, set()
    for path in glob.glob(f"{folder}/prometheus/*.json"):
        answer = json.load(open(path))
        for series in answer["data"]["result"]:
            labels = json.dumps(series["metric"], sort_keys=True)
            for t, _ in series["values"]:
                assert (labels, t) not in seen, f"{labels} at {t} twice"
                seen.add((labels, t))
                total += 1
    return total


def diagnosis(rootline, folder):
    began = time.time()
    run = subprocess.run([rootline, "diagnose", folder, "--format", "json"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    text = subprocess.run([rootline, "diagnose", folder], capture_output=True, text=True).stdout
    first = said["hypotheses"][0]
    print(text)
    print(f"first: {first['signature']} in {time.time() - began:.2f} s")
    return said, first


def main():
    rootline = os.path.abspath(sys.argv[1])
    keep = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()
    kind = sys.argv[3] if len(sys.argv) > 3 else "idle"
    cause, wanted = {"idle": blocker, "queue": migration}[kind], WANTED[kind]
    shutil.rmtree(keep, ignore_errors=True)
    os.makedirs(keep)
    lab = Lab(tempfile.mkdtemp(prefix="rootline-live-"))
    try:
        lab.primary()
        lab.standby()
        lab.start([sys.executable, os.path.abspath(__file__), "--app"])
        lab.prometheus()
        print("baseline", flush=True)
        passfile = f"{lab.folder}/pgpass"
        with open(passfile, "w") as f:
            f.write(f"127.0.0.1:*:shop:recorder:{PASSWORD}\n")
        os.chmod(passfile, 0o600)
        ca = f"{lab.folder}/ca.crt"
        servers = ",".join(f"{n}=postgres://recorder@127.0.0.1:{p}/shop?sslmode=verify-full"
                           for n, p in (("primary", PRIMARY), ("standby", STANDBY)))
        sources = ["--prometheus", f"http://127.0.0.1:{PROMETHEUS}", "--postgres", servers, "--ca-file", ca]
        environment = {**os.environ, "PGPASSFILE": passfile}
        followed = f"{keep}/followed"
        command = [rootline, "record", *sources, "--every", "1", "--last", "90s", "--follow", f"{FOLLOW}s", "-o", followed]
        time.sleep(BASELINE)
        recorder = lab.start(command, env=environment)
        began = time.time()
        time.sleep(20)
        print("incident", flush=True)
        threading.Thread(target=cause, args=(FOLLOW - 40,), daemon=True).start()
        time.sleep(INCIDENT)
        recorder.send_signal(signal.SIGKILL)
        recorder.wait()
        killed = time.time()
        assert not glob.glob(f"{followed}/**/*.json.part", recursive=True)
        time.sleep(6)
        print("resumed", flush=True)
        recorder = lab.start(command, env=environment)
        time.sleep(15)
        lab.sql("ALTER ROLE recorder CONNECTION LIMIT 0", "postgres")
        lab.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'recorder'", "postgres")
        time.sleep(8)
        lab.sql("ALTER ROLE recorder CONNECTION LIMIT -1", "postgres")
        # What somebody does who is called now.
        past = f"{keep}/past"
        run = subprocess.run([rootline, "record", *sources, "--last", "2m", "-o", past], env=environment, capture_output=True, text=True)
        print(run.stderr, flush=True)
        assert run.returncode == 0
        recorder.wait(FOLLOW - (time.time() - began) + 60)
        print("recorded, exit code", recorder.returncode, flush=True)
        assert recorder.returncode == 0
    finally:
        lab.close()

    times = snapshots(f"{followed}/postgres/primary_pg_stat_activity.csv")
    standby = snapshots(f"{followed}/postgres/standby_pg_stat_activity.csv")
    print(f"{len(times)} snapshots of the primary, {len(standby)} of the standby, {samples(followed)} samples")
    assert len(times) > (FOLLOW - 40) * 0.8 and len(standby) > (FOLLOW - 20) * 0.8
    log = open(f"{followed}/record.log").read()
    gaps = [l for l in log.splitlines() if "\tgap\t" in l]
    print("\n".join(gaps))
    assert any("stood still" in l for l in gaps), "the kill is a gap"
    assert any("too many connections" in l and " to 20" in l for l in gaps), "the refusal is a gap with both times"
    for path in glob.glob(f"{keep}/**/*", recursive=True):
        if os.path.isfile(path):
            assert PASSWORD not in open(path, errors="replace").read(), path
    said, first = diagnosis(rootline, followed)
    assert any("stood still" in g["what"] for g in said["gaps"]), "the diagnosis shows the gap"
    assert first["signature"] in wanted, first["signature"]
    said, first = diagnosis(rootline, past)
    assert first["signature"] in wanted, f"--last: {first['signature']}"


if __name__ == "__main__":
    app() if sys.argv[1:] == ["--app"] else main()
