"""Writes spans as partitioned Parquet: python spans.py FOLDER MILLIONS [SEED]

Ten spans a trace: gateway calls checkout and recommendation, checkout calls catalog and payment, catalog
asks its database. An hour of data, one partition a minute, row groups in the order of time. In the last
quarter catalog takes twelve times as long by itself and fails every fifth request. The same seed gives
the same spans.
"""
import os, sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FROM_US, MINUTES = 1_795_200_000_000_000, 60
# Service, kind, place of the parent in the trace, own time in ms, share of its parent's start.
TRACE = [("gateway", "server", None, 2.0), ("gateway", "client", 0, 0.5), ("checkout", "server", 1, 3.0),
         ("checkout", "client", 2, 0.5), ("catalog", "server", 3, 2.0), ("catalog", "client", 4, 4.0),
         ("checkout", "client", 2, 0.5), ("payment", "server", 6, 8.0), ("gateway", "client", 0, 0.5),
         ("recommendation", "server", 8, 5.0)]
SERVICES = sorted({t[0] for t in TRACE})
KINDS = ["server", "client"]


def hexes(rng, count, width):
    """Random hexadecimal texts of one width, as a column."""
    text = rng.bytes(count * width // 2).hex().encode()
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.utf8(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def words(values, texts):
    return pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), pa.array(texts)).cast(pa.utf8())


def minute(rng, number, traces):
    """One minute of traces, sorted by start."""
    n = len(TRACE)
    bad = number >= MINUTES * 3 // 4
    start = np.sort(rng.integers(0, 60_000_000, traces)) + FROM_US + number * 60_000_000
    own = np.stack([rng.lognormal(np.log(t[3] * 1000), 0.4, traces) for t in TRACE])
    failed = np.zeros((n, traces), bool)
    if bad:
        own[4] *= 12
        failed[4] = rng.random(traces) < 0.2
        failed[3] = failed[4]
    duration = own.copy()
    for at in range(n - 1, 0, -1):
        duration[TRACE[at][2]] += duration[at]
    begins = np.zeros((n, traces))
    taken = own / 2
    for at in range(1, n):
        parent = TRACE[at][2]
        begins[at] = begins[parent] + taken[parent]
        taken[parent] += duration[at]
    trace = np.repeat(np.arange(traces), n)
    flat = lambda a: a.T.reshape(-1)
    at = np.tile(np.arange(n), traces)
    start_us = np.repeat(start, n) + flat(begins).astype(np.int64)
    operation = rng.integers(0, 5, traces)
    ids, spans = hexes(rng, traces, 32), hexes(rng, traces * n, 16)
    parents = np.array([-1 if t[2] is None else t[2] for t in TRACE])[at]
    parent = pa.array(np.where(parents < 0, 0, trace * n + parents), mask=parents < 0)
    wrong = flat(failed)
    table = pa.table({
        "trace_id": ids.take(pa.array(trace)),
        "span_id": spans,
        "parent_span_id": spans.take(parent).fill_null(""),
        "service_name": words(np.array([SERVICES.index(t[0]) for t in TRACE])[at], SERVICES),
        "span_name": words(np.repeat(operation, n), [f"operation {i}" for i in range(5)]),
        "span_kind": words(np.array([KINDS.index(t[1]) for t in TRACE])[at], KINDS),
        "start_time_us": pa.array(start_us),
        "duration_us": pa.array(flat(duration).astype(np.int64)),
        "status_code": words(wrong.astype(np.int32), ["UNSET", "ERROR"]),
        "error_type": words(wrong.astype(np.int32), ["", "500"]),
    })
    return table.take(pa.array(np.argsort(start_us, kind="stable")))


def main():
    folder, millions = sys.argv[1], float(sys.argv[2])
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
    traces = int(millions * 1e6 / len(TRACE) / MINUTES)
    for number in range(MINUTES):
        part = f"{folder}/minute={number:02}"
        os.makedirs(part, exist_ok=True)
        pq.write_table(minute(rng, number, traces), f"{part}/part-0.parquet", compression="zstd",
                       row_group_size=250_000, use_dictionary=["service_name", "span_name", "span_kind", "status_code", "error_type"])
    print(f"{traces * len(TRACE) * MINUTES} spans below {folder}")


if __name__ == "__main__":
    main()
