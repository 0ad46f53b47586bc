#!/usr/bin/env python3
"""Writes the exports that the peer comparison reads, always the same for the same size.

usage: generate.py FOLDER [--scale 1.0]

otlp/traces.jsonl   OTLP JSON lines as the collector's file exporter writes them, 1.5 GB at scale 1
jaeger/traces.json  one Jaeger API answer, 300 MB
wide/wide.csv       10,000 series x 1,440 points; the same in prometheus/range.json and parquet/wide.parquet
"""
import argparse
import json
import os
import random

SERVICES = ["gateway", "checkout", "cart", "catalog", "pricing", "payment", "shipping", "mail",
            "search", "stock", "users", "reviews"]
ROUTES = ["/", "/cart", "/checkout", "/items/{id}", "/search", "/pay", "/users/{id}", "/stock"]
START = 1_795_200_000_000_000_000


def attribute(key, value):
    kind = "intValue" if isinstance(value, int) else "stringValue"
    return {"key": key, "value": {kind: str(value)}}


def resource(service, pod):
    return {"attributes": [attribute("service.name", service),
                           attribute("service.version", "1.4.2"),
                           attribute("k8s.pod.name", f"{service}-7d9f8b6c5d-{pod:05x}"),
                           attribute("telemetry.sdk.language", "go"),
                           attribute("host.name", f"node-{pod % 7}")]}


def span(rng, trace, own, parent, kind, start, length, service, route, failed):
    attributes = [attribute("http.request.method", "GET"), attribute("http.route", route),
                  attribute("url.path", route.replace("{id}", str(rng.randrange(10_000)))),
                  attribute("http.response.status_code", 503 if failed else 200),
                  attribute("server.address", service), attribute("server.port", 8080),
                  attribute("network.protocol.version", "1.1"),
                  attribute("user_agent.original", "Go-http-client/1.1")]
    return {"traceId": trace, "spanId": own, "parentSpanId": parent, "flags": 257,
            "name": f"GET {route}", "kind": kind, "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + length), "attributes": attributes,
            "status": {"code": 2} if failed else {}}


def a_trace(rng, at):
    """Spans of one request as (service, span): a chain of calls, one of which may fail."""
    trace = f"{rng.getrandbits(128):032x}"
    start = START + int(at * 1e9) + rng.randrange(1_000_000_000)
    length = rng.randrange(5_000_000, 400_000_000)
    parent, spans = "", []
    path = ["gateway"] + rng.sample(SERVICES[1:], rng.randrange(2, 6))
    failed = rng.random() < 0.02
    for i, service in enumerate(path):
        route = ROUTES[rng.randrange(len(ROUTES))]
        own = f"{rng.getrandbits(64):016x}"
        last = i == len(path) - 1
        spans.append((service, span(rng, trace, own, parent, 2, start, length, service, route,
                                    failed and last)))
        if not last:
            call = f"{rng.getrandbits(64):016x}"
            start, length = start + length // 20, length * 8 // 10
            spans.append((service, span(rng, trace, call, own, 3, start, length, path[i + 1],
                                        route, failed and i == len(path) - 2)))
            start, length, parent = start + length // 20, length * 9 // 10, call
    return spans


def otlp(path, size):
    rng = random.Random(1)
    dumps = json.JSONEncoder(separators=(",", ":")).encode
    with open(path, "w") as out:
        written, at = 0, 0.0
        while written < size:
            groups = {}
            for _ in range(40):
                for service, one in a_trace(rng, at):
                    groups.setdefault(service, []).append(one)
            at += 1800 * 40 * 7 * 650 / max(size, 1)
            lines = [dumps({"resourceSpans": [{"resource": resource(s, rng.randrange(4)),
                     "scopeSpans": [{"scope": {"name": "otelhttp", "version": "0.69.0"},
                                     "spans": spans}]}]}) for s, spans in groups.items()]
            block = "\n".join(lines) + "\n"
            out.write(block)
            written += len(block)


def jaeger_span(rng, one, process):
    kind = {2: "server", 3: "client"}[one["kind"]]
    tags = [{"key": a["key"], "type": "string", "value": a["value"].get("stringValue", "")}
            for a in one["attributes"] if "stringValue" in a["value"]]
    tags.append({"key": "http.response.status_code", "type": "int64",
                 "value": 503 if one["status"] else 200})
    tags.append({"key": "span.kind", "type": "string", "value": kind})
    references = [] if not one["parentSpanId"] else [
        {"refType": "CHILD_OF", "traceID": one["traceId"], "spanID": one["parentSpanId"]}]
    start, end = int(one["startTimeUnixNano"]) // 1000, int(one["endTimeUnixNano"]) // 1000
    return {"traceID": one["traceId"], "spanID": one["spanId"], "flags": 1,
            "operationName": one["name"], "references": references, "startTime": start,
            "duration": end - start, "tags": tags, "logs": [], "processID": process,
            "warnings": None}


def jaeger(path, size):
    rng = random.Random(2)
    dumps = json.JSONEncoder(separators=(",", ":")).encode
    with open(path, "w") as out:
        out.write('{"data":[')
        written, at, first = 0, 0.0, True
        while written < size:
            spans = a_trace(rng, at)
            at += 1800 * 7 * 1200 / max(size, 1)
            services = sorted({s for s, _ in spans})
            names = {s: f"p{i + 1}" for i, s in enumerate(services)}
            document = dumps({
                "traceID": spans[0][1]["traceId"],
                "spans": [jaeger_span(rng, one, names[s]) for s, one in spans],
                "processes": {names[s]: {"serviceName": s, "tags": [
                    {"key": "hostname", "type": "string", "value": f"{s}-1"}]} for s in services},
                "warnings": None})
            out.write(("" if first else ",") + document)
            written, first = written + len(document) + 1, False
        out.write('],"total":0,"limit":0,"offset":0,"errors":null}')


def wide(folder, series, points):
    import numpy
    import pyarrow
    import pyarrow.parquet
    rng = numpy.random.default_rng(3)
    names = [f"svc{i // 8:04d}_{m}" for i in range(0, series, 8)
             for m in ["cpu", "mem", "latency", "error", "workload", "disk", "rx", "tx"]][:series]
    times = START // 1_000_000_000 + 60 * numpy.arange(points)
    values = numpy.round(rng.gamma(2.0, 20.0, (points, series)), 4)
    for name in ["wide", "prometheus", "parquet"]:
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    with open(f"{folder}/wide/wide.csv", "w") as out:
        out.write("time," + ",".join(names) + "\n")
        for t, row in zip(times, values):
            out.write(f"{t}," + ",".join(map(repr, row.tolist())) + "\n")
    with open(f"{folder}/prometheus/range.json", "w") as out:
        out.write('{"status":"success","data":{"resultType":"matrix","result":[')
        for i, name in enumerate(names):
            service, metric = name.split("_")
            pairs = ",".join(f'[{t},"{v!r}"]' for t, v in zip(times.tolist(), values[:, i].tolist()))
            out.write(("," if i else "") + '{"metric":{"__name__":"%s","service":"%s"},"values":[%s]}'
                      % (metric, service, pairs))
        out.write("]}}")
    columns = [pyarrow.array(times * 1000, pyarrow.timestamp("ms", "UTC"))]
    columns += [pyarrow.array(values[:, i]) for i in range(series)]
    table = pyarrow.Table.from_arrays(columns, names=["time"] + names)
    pyarrow.parquet.write_table(table, f"{folder}/parquet/wide.parquet", compression="zstd")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("--scale", type=float, default=1.0)
    given = arguments.parse_args()
    for name in ["otlp", "jaeger"]:
        os.makedirs(f"{given.folder}/{name}", exist_ok=True)
    otlp(f"{given.folder}/otlp/traces.jsonl", int(1.5e9 * given.scale))
    jaeger(f"{given.folder}/jaeger/traces.json", int(3e8 * given.scale))
    wide(given.folder, max(8, int(10_000 * given.scale)), 1_440)


if __name__ == "__main__":
    main()
