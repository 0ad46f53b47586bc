#!/usr/bin/env python3
"""Times the features of rootline against the change points of augurs and ruptures, same series, one run.

usage: features.py FOLDER [--series 10000] [--points 1440] [--peer-series 200]

Needs numpy and ruptures, and `cargo build --release --example features`; augurs is built here from
benches/peers/augurs. Rootline measures every feature of every series (level, onset, trend, saturation,
sawtooth, skew, windows); the peers find change points only, on the first --peer-series columns, and
their time is scaled up to all of them. Processor seconds of one core each; what counts is the ratio.
"""
import argparse
import os
import re
import resource
import subprocess
import sys
import time

import numpy
import ruptures

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
METRICS = ["latency", "errors", "requests", "cpu", "memory", "queue_depth", "lag", "pool_usage",
           "disk_usage", "restarts"]


def column(rng, metric, points):
    """One series: noise around a level; one in ten with a step, one in ten with a climb."""
    level = {"latency": 0.05, "errors": 0.002, "requests": 120, "cpu": 0.4, "memory": 4e8}.get(metric, 20)
    values = level * (1 + 0.1 * rng.standard_normal(points))
    shape = rng.integers(10)
    if shape == 0:
        values[points * 3 // 4:] *= 3
    elif shape == 1:
        values *= numpy.linspace(1, 2, points)
    return numpy.abs(values)


def generate(path, series, points):
    rng = numpy.random.default_rng(1)
    names, columns = [], []
    for i in range(series):
        metric = METRICS[i % len(METRICS)]
        names.append(f"svc{i // len(METRICS):04d}_{metric}")
        columns.append(column(rng, metric, points))
    table = numpy.column_stack(columns)
    with open(path, "w") as out:
        out.write("time," + ",".join(names) + "\n")
        for k, row in enumerate(table):
            out.write(f"{1_795_200_000 + 60 * k}," + ",".join(f"{v:.6g}" for v in row) + "\n")
    return table


def augurs_seconds(path, columns):
    manifest = os.path.join(HERE, "augurs", "Cargo.toml")
    command = ["cargo", "run", "--release", "--quiet", "--manifest-path", manifest, "--", path, str(columns)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r": ([\d.]+) s", said).group(1))


def ruptures_seconds(table, model):
    start = time.process_time()
    for y in table.T:
        z = (y - numpy.median(y)) / (y.std() or 1)
        if model == "pelt-l2":
            ruptures.Pelt(model="l2", min_size=3, jump=5).fit(z).predict(pen=3 * numpy.log(len(z)))
        else:
            ruptures.KernelCPD(kernel="rbf", min_size=3).fit(z).predict(pen=3 * numpy.log(len(z)))
    return time.process_time() - start


def main():
    args = argparse.ArgumentParser()
    args.add_argument("folder")
    args.add_argument("--series", type=int, default=10_000)
    args.add_argument("--points", type=int, default=1440)
    args.add_argument("--peer-series", type=int, default=200)
    a = args.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    path = os.path.join(a.folder, "features.csv")
    table = generate(path, a.series, a.points)
    program = os.path.join(ROOT, "target", "release", "examples", "features")
    said = subprocess.run([program, path], check=True, capture_output=True, text=True).stdout
    print("rootline:", said.strip())
    own = float(re.search(r": ([\d.]+) s of processor", said).group(1))
    some = min(a.peer_series, a.series)
    scale = a.series / some
    rows = [("augurs, Bayesian online", augurs_seconds(path, some) * scale)]
    for model in ("pelt-l2", "kernel-rbf"):
        rows.append((f"ruptures, {model}", ruptures_seconds(table[:, :some], model) * scale))
    for name, seconds in rows:
        print(f"{name:28} {seconds:9.2f} s for {a.series} series ({some} measured), {seconds / own:7.1f} x rootline")
    print(f"peak memory of the children: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
