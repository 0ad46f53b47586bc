"""What the clusters of cluster.py and workers.py share: ports, processes, and what is asked of their result."""
import json, os, socket, subprocess
from engines import run, same


def port():
    """A free port of loopback."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu(pid):
    """Processor seconds that a process has taken; None when it is gone."""
    try:
        return sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None


def end(processes):
    """Ends processes, the last one first."""
    for p in processes[::-1]:
        p.terminate()
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait(10)


def held_against_local(engine, rootline, spans, out):
    """Rolls the spans up here, compares the rows of OUT/cluster with it, and diagnoses those."""
    os.makedirs(f"{out}/local")
    _, told, took = run(rootline, "rollup", spans, "-o", f"{out}/local")
    print(f"local: {took:.0f} s: {told.splitlines()[0]}")
    same(engine, f"{out}/local", f"{out}/cluster")
    began = os.times()
    text, _, took = run(rootline, "diagnose", "--format", "json", f"{out}/cluster")
    # The machine may be busy: the mark is about processor time.
    took_cpu = os.times().children_user + os.times().children_system - began.children_user - began.children_system
    first = json.loads(text)["hypotheses"][0]
    print(f"diagnosis of the cluster's rollup: {took_cpu:.2f} s of processor time, {took:.2f} s, load {os.getloadavg()[0]:.0f}: {first['signature']} on {first['entity']['name']}")
    assert took_cpu < 2 and first["entity"]["name"] == "catalog", first["headline"]
