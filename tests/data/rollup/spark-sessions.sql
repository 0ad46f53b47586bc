-- Rolls sessions up where they are; rootline diagnoses the folder of the results.
--   spark-sql -f THIS_FILE
-- Reads parquet.`sessions` only.

INSERT OVERWRITE DIRECTORY 'sessions' USING parquet
WITH s AS (
  SELECT snapshot_us, COALESCE(server, '') AS server,
    COALESCE(datname, '') AS datname,
    COALESCE(application_name, '') AS application_name,
    COALESCE(usename, '') AS usename,
    COALESCE(state, '') AS state,
    COALESCE(wait_event_type, '') AS wait_event_type,
    blocked, xact_start_us, query_start_us
  FROM parquet.`sessions`
  WHERE snapshot_us >= 1795204800000000 AND snapshot_us < 1795206600000000
)
SELECT snapshot_us, server, datname, application_name, usename, state, wait_event_type,
  CAST(COUNT(*) AS BIGINT) AS sessions, CAST(SUM(blocked) AS BIGINT) AS blocked,
  MIN(xact_start_us) AS xact_start_us, MIN(query_start_us) AS query_start_us
FROM s GROUP BY snapshot_us, server, datname, application_name, usename, state, wait_event_type;
