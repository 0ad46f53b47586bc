-- Rolls spans up where they are; rootline diagnoses the folder of the results.
--   clickhouse-client --multiquery < THIS_FILE
-- Reads otel_traces only.

WITH s AS (
  SELECT /*+ REPARTITION(trace_id) */ unhex(TraceId) AS trace_id, unhex(SpanId) AS span_id,
    unhex(ParentSpanId) AS parent_span_id,
    ServiceName AS service, SpanName AS operation,
    CASE WHEN UPPER(SpanKind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(SpanKind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(SpanKind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(SpanKind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    toUnixTimestamp64Micro(Timestamp) - toUnixTimestamp64Micro(Timestamp) % 10000000 AS bucket_us,
    toInt64(intDiv(Duration, 1000)) AS duration_us,
    toInt64(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,
    SpanAttributes['error.type'] AS error_type
  FROM otel_traces
  WHERE Timestamp >= fromUnixTimestamp64Micro(1795204800000000) AND Timestamp < fromUnixTimestamp64Micro(1795206600000000)
), c AS (
  SELECT trace_id, parent_span_id, toInt64(SUM(duration_us)) AS sum_us, COUNT(*) AS many
  FROM s WHERE OCTET_LENGTH(parent_span_id) > 0 GROUP BY trace_id, parent_span_id
)
SELECT /*+ SHUFFLE_HASH(c) */ s.bucket_us AS bucket_us, s.service AS service,
  s.operation AS operation, s.kind AS kind, s.error_type AS error_type,
  COUNT(*) AS spans, toInt64(SUM(s.error)) AS errors, toInt64(SUM(s.duration_us)) AS time_us,
  toInt64(SUM(GREATEST(s.duration_us - COALESCE(c.sum_us, 0), 0))) AS self_us, toInt64(SUM(COALESCE(c.many, 0))) AS children
FROM s LEFT JOIN c ON c.trace_id = s.trace_id AND c.parent_span_id = s.span_id
GROUP BY 1, 2, 3, 4, 5
INTO OUTFILE 'operations.parquet' FORMAT Parquet;

WITH s AS (
  SELECT unhex(TraceId) AS trace_id, unhex(SpanId) AS span_id,
    unhex(ParentSpanId) AS parent_span_id,
    ServiceName AS service, SpanName AS operation,
    CASE WHEN UPPER(SpanKind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(SpanKind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(SpanKind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(SpanKind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    toUnixTimestamp64Micro(Timestamp) - toUnixTimestamp64Micro(Timestamp) % 10000000 AS bucket_us,
    toInt64(intDiv(Duration, 1000)) AS duration_us,
    toInt64(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,
    SpanAttributes['error.type'] AS error_type
  FROM otel_traces
  WHERE Timestamp >= fromUnixTimestamp64Micro(1795204800000000) AND Timestamp < fromUnixTimestamp64Micro(1795206600000000)
)
SELECT s.bucket_us AS bucket_us, s.service AS service, s.kind AS kind,
  CASE WHEN s.duration_us < 16 THEN s.duration_us
    ELSE (toInt64(length(trim(LEADING '0' FROM bin(toUInt64(s.duration_us))))) - 5) * 16 + bitShiftRight(s.duration_us, toInt64(length(trim(LEADING '0' FROM bin(toUInt64(s.duration_us))))) - 5) END AS slot,
  COUNT(*) AS spans
FROM s GROUP BY 1, 2, 3, 4
INTO OUTFILE 'durations.parquet' FORMAT Parquet;

WITH s AS (
  SELECT /*+ REPARTITION(trace_id) */ unhex(TraceId) AS trace_id, unhex(SpanId) AS span_id,
    unhex(ParentSpanId) AS parent_span_id,
    ServiceName AS service, SpanName AS operation,
    CASE WHEN UPPER(SpanKind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(SpanKind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(SpanKind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(SpanKind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    toUnixTimestamp64Micro(Timestamp) - toUnixTimestamp64Micro(Timestamp) % 10000000 AS bucket_us,
    toInt64(intDiv(Duration, 1000)) AS duration_us,
    toInt64(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,
    SpanAttributes['error.type'] AS error_type
  FROM otel_traces
  WHERE Timestamp >= fromUnixTimestamp64Micro(1795204800000000) AND Timestamp < fromUnixTimestamp64Micro(1795206600000000)
), m AS (
  SELECT /*+ SHUFFLE_HASH(p) */ p.bucket_us AS bucket_us, p.service AS caller,
    c.service AS callee, c.operation AS operation, c.trace_id AS trace_id,
    CASE WHEN p.kind IN ('client', 'producer') THEN p.parent_span_id ELSE p.span_id END AS maker, COUNT(*) AS calls,
    toInt64(SUM(CASE WHEN p.kind IN ('client', 'producer') THEN p.error ELSE 0 END)) AS failed_caller, toInt64(SUM(c.error)) AS failed_callee,
    toInt64(SUM(CASE WHEN p.kind IN ('client', 'producer') THEN p.duration_us ELSE 0 END)) AS took_client, toInt64(SUM(c.duration_us)) AS took_server
  FROM s AS p JOIN s AS c ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id
  WHERE c.service <> p.service
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT bucket_us, caller, callee, operation, toInt64(SUM(calls)) AS attempts,
  COUNT(*) AS parents, toInt64(SUM(failed_caller)) AS errors_caller, toInt64(SUM(failed_callee)) AS errors_callee,
  toInt64(SUM(took_client)) AS client_us, toInt64(SUM(took_server)) AS server_us
FROM m GROUP BY 1, 2, 3, 4
INTO OUTFILE 'edges.parquet' FORMAT Parquet;
