-- Rolls sessions up where they are; rootline diagnoses the folder of the results.
--   duckdb < THIS_FILE
-- Reads read_parquet('sessions/**/*.parquet') only.

COPY (
WITH s AS (
  SELECT snapshot_us, COALESCE(server, '') AS server,
    COALESCE(datname, '') AS datname,
    COALESCE(application_name, '') AS application_name,
    COALESCE(usename, '') AS usename,
    COALESCE(state, '') AS state,
    COALESCE(wait_event_type, '') AS wait_event_type,
    blocked, xact_start_us, query_start_us
  FROM read_parquet('sessions/**/*.parquet')
  WHERE snapshot_us >= 1795204800000000 AND snapshot_us < 1795206600000000
)
SELECT snapshot_us, server, datname, application_name, usename, state, wait_event_type,
  CAST(COUNT(*) AS BIGINT) AS sessions, CAST(SUM(blocked) AS BIGINT) AS blocked,
  MIN(xact_start_us) AS xact_start_us, MIN(query_start_us) AS query_start_us
FROM s GROUP BY snapshot_us, server, datname, application_name, usename, state, wait_event_type
) TO 'sessions.parquet' (FORMAT parquet);
