#!/usr/bin/env python3
"""Time and memory of a whole diagnosis against the number of series: the curve that must be a line.

usage: growth.py FOLDER ROOTLINE [--series 10000 40000 100000] [--points 1440] [--format parquet|csv]

Needs numpy and pyarrow. Files of at most 5,000 series each, 100 series a service; one service in a
hundred gets slow at three quarters and its callers see it. Processor seconds tell more than the clock
where others work on the machine; of several runs the least of each is told.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy
import pyarrow
import pyarrow.csv
import pyarrow.parquet

FILE_SERIES = 5_000
PER_SERVICE = 100
START = 1_795_200_000
METRICS = ["latency", "errors", "requests", "cpu", "memory", "queue_depth", "lag", "pool_usage",
           "disk_usage", "restarts"]
LEVEL = {"latency": 0.05, "errors": 0.002, "requests": 120, "cpu": 0.4, "memory": 4e8}


def write(path, first, count, points, form):
    rng = numpy.random.default_rng(first)
    columns = {"time": numpy.array([(START + 60 * k) * 1_000_000 for k in range(points)],
                                   dtype="datetime64[us]")}
    for i in range(first, first + count):
        service, metric = i // PER_SERVICE, METRICS[i % len(METRICS)]
        values = LEVEL.get(metric, 20) * (1 + 0.1 * rng.standard_normal(points))
        if service % 100 == 7 and metric in ("latency", "cpu"):
            values[points * 3 // 4:] *= 3
        columns[f"svc{service:04d}_{metric}_{i % PER_SERVICE:02d}" if i % PER_SERVICE >= 10 else
                f"svc{service:04d}_{metric}"] = numpy.abs(values)
    table = pyarrow.table(columns)
    if form == "parquet":
        pyarrow.parquet.write_table(table, path, compression="zstd")
    else:
        pyarrow.csv.write_csv(table, path)


def measured(rootline, folder):
    said = tempfile.TemporaryFile()
    start = time.monotonic()
    child = subprocess.Popen([rootline, "diagnose", "--format", "json", folder], stdout=said)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        sys.exit(f"rootline ended with {status}")
    said.seek(0)
    return json.load(said), (wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("folder")
    args.add_argument("rootline")
    args.add_argument("--series", type=int, nargs="+", default=[10_000, 40_000, 100_000])
    args.add_argument("--points", type=int, default=1440)
    args.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    args.add_argument("--runs", type=int, default=1)
    given = args.parse_args()
    print(f"{'series':>8}{'read':>8}{'wall s':>8}{'cpu s':>8}{'ms/series':>11}{'MB':>7}{'bytes/point':>13}"
          "  verdict")
    for count in given.series:
        folder = os.path.join(given.folder, f"{count}x{given.points}-{given.format}")
        os.makedirs(folder, exist_ok=True)
        for first in range(0, count, FILE_SERIES):
            path = os.path.join(folder, f"metrics-{first:06d}.{given.format}")
            if not os.path.exists(path):
                write(path, first, min(FILE_SERIES, count - first), given.points, given.format)
        said, once = measured(given.rootline, folder)
        runs = [once] + [measured(given.rootline, folder)[1] for _ in range(given.runs - 1)]
        wall, cpu, peak = (min(each) for each in zip(*runs))
        print(f"{count:>8}{said['series']:>8}{wall:>8.2f}{cpu:>8.2f}{1e3 * cpu / count:>11.3f}{peak:>7.0f}"
              f"{peak * 2**20 / (count * given.points):>13.1f}  {said['verdict']}", flush=True)


if __name__ == "__main__":
    main()
