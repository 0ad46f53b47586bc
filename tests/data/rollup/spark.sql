-- Rolls spans up where they are; rootline diagnoses the folder of the results.
--   spark-sql -f THIS_FILE
-- Reads parquet.`spans` only.

SET spark.sql.requireAllClusterKeysForCoPartition=false;

INSERT OVERWRITE DIRECTORY 'operations' USING parquet
WITH s AS (
  SELECT /*+ REPARTITION(trace_id) */ unhex(trace_id) AS trace_id, unhex(span_id) AS span_id,
    unhex(COALESCE(parent_span_id, '')) AS parent_span_id,
    COALESCE(service_name, '') AS service, COALESCE(span_name, '') AS operation,
    CASE WHEN UPPER(span_kind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(span_kind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(span_kind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(span_kind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    start_time_us - start_time_us % 10000000 AS bucket_us, duration_us,
    CASE WHEN UPPER(status_code) IN ('ERROR', 'STATUS_CODE_ERROR') THEN 1 ELSE 0 END AS error,
    COALESCE(error_type, '') AS error_type
  FROM parquet.`spans`
  WHERE start_time_us >= 1795204800000000 AND start_time_us < 1795206600000000
), c AS (
  SELECT trace_id, parent_span_id, CAST(SUM(duration_us) AS BIGINT) AS sum_us, COUNT(*) AS many
  FROM s WHERE OCTET_LENGTH(parent_span_id) > 0 GROUP BY trace_id, parent_span_id
)
SELECT /*+ SHUFFLE_HASH(c) */ s.bucket_us AS bucket_us, s.service AS service,
  s.operation AS operation, s.kind AS kind, s.error_type AS error_type,
  COUNT(*) AS spans, CAST(SUM(s.error) AS BIGINT) AS errors, CAST(SUM(s.duration_us) AS BIGINT) AS time_us,
  CAST(SUM(GREATEST(s.duration_us - COALESCE(c.sum_us, 0), 0)) AS BIGINT) AS self_us, CAST(SUM(COALESCE(c.many, 0)) AS BIGINT) AS children
FROM s LEFT JOIN c ON c.trace_id = s.trace_id AND c.parent_span_id = s.span_id
GROUP BY 1, 2, 3, 4, 5;

INSERT OVERWRITE DIRECTORY 'durations' USING parquet
WITH s AS (
  SELECT unhex(trace_id) AS trace_id, unhex(span_id) AS span_id,
    unhex(COALESCE(parent_span_id, '')) AS parent_span_id,
    COALESCE(service_name, '') AS service, COALESCE(span_name, '') AS operation,
    CASE WHEN UPPER(span_kind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(span_kind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(span_kind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(span_kind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    start_time_us - start_time_us % 10000000 AS bucket_us, duration_us,
    CASE WHEN UPPER(status_code) IN ('ERROR', 'STATUS_CODE_ERROR') THEN 1 ELSE 0 END AS error,
    COALESCE(error_type, '') AS error_type
  FROM parquet.`spans`
  WHERE start_time_us >= 1795204800000000 AND start_time_us < 1795206600000000
)
SELECT s.bucket_us AS bucket_us, s.service AS service, s.kind AS kind,
  CASE WHEN s.duration_us < 16 THEN s.duration_us
    ELSE (length(bin(s.duration_us)) - 5) * 16 + shiftright(s.duration_us, length(bin(s.duration_us)) - 5) END AS slot,
  COUNT(*) AS spans
FROM s GROUP BY 1, 2, 3, 4;

INSERT OVERWRITE DIRECTORY 'edges' USING parquet
WITH s AS (
  SELECT /*+ REPARTITION(trace_id) */ unhex(trace_id) AS trace_id, unhex(span_id) AS span_id,
    unhex(COALESCE(parent_span_id, '')) AS parent_span_id,
    COALESCE(service_name, '') AS service, COALESCE(span_name, '') AS operation,
    CASE WHEN UPPER(span_kind) IN ('SERVER', 'SPAN_KIND_SERVER') THEN 'server'
    WHEN UPPER(span_kind) IN ('CLIENT', 'SPAN_KIND_CLIENT') THEN 'client'
    WHEN UPPER(span_kind) IN ('PRODUCER', 'SPAN_KIND_PRODUCER') THEN 'producer'
    WHEN UPPER(span_kind) IN ('CONSUMER', 'SPAN_KIND_CONSUMER') THEN 'consumer'
    ELSE 'internal' END AS kind,
    start_time_us - start_time_us % 10000000 AS bucket_us, duration_us,
    CASE WHEN UPPER(status_code) IN ('ERROR', 'STATUS_CODE_ERROR') THEN 1 ELSE 0 END AS error,
    COALESCE(error_type, '') AS error_type
  FROM parquet.`spans`
  WHERE start_time_us >= 1795204800000000 AND start_time_us < 1795206600000000
), m AS (
  SELECT /*+ SHUFFLE_HASH(p) */ p.bucket_us AS bucket_us, p.service AS caller,
    c.service AS callee, c.operation AS operation, c.trace_id AS trace_id,
    CASE WHEN p.kind IN ('client', 'producer') THEN p.parent_span_id ELSE p.span_id END AS maker, COUNT(*) AS calls,
    CAST(SUM(CASE WHEN p.kind IN ('client', 'producer') THEN p.error ELSE 0 END) AS BIGINT) AS failed_caller, CAST(SUM(c.error) AS BIGINT) AS failed_callee,
    CAST(SUM(CASE WHEN p.kind IN ('client', 'producer') THEN p.duration_us ELSE 0 END) AS BIGINT) AS took_client, CAST(SUM(c.duration_us) AS BIGINT) AS took_server
  FROM s AS p JOIN s AS c ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id
  WHERE c.service <> p.service
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT bucket_us, caller, callee, operation, CAST(SUM(calls) AS BIGINT) AS attempts,
  COUNT(*) AS parents, CAST(SUM(failed_caller) AS BIGINT) AS errors_caller, CAST(SUM(failed_callee) AS BIGINT) AS errors_callee,
  CAST(SUM(took_client) AS BIGINT) AS client_us, CAST(SUM(took_server) AS BIGINT) AS server_us
FROM m GROUP BY 1, 2, 3, 4;
