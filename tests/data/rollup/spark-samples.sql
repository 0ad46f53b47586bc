-- Rolls samples up where they are; rootline diagnoses the folder of the results.
--   spark-sql -f THIS_FILE
-- Reads parquet.`samples` only.

INSERT OVERWRITE DIRECTORY 'samples' USING parquet
WITH v AS (
  SELECT metric, labels, time_us - time_us % 10000000 AS bucket_us, time_us, value,
    LAG(value, 1, value) OVER (PARTITION BY metric, labels, time_us - time_us % 10000000 ORDER BY time_us) AS before
  FROM parquet.`samples`
  WHERE NOT isnan(value) AND time_us >= 1795204800000000 AND time_us < 1795206600000000
)
SELECT bucket_us, metric, labels, '' AS unit, '' AS statistic, '' AS query,
  CAST(COUNT(*) AS BIGINT) AS samples, MIN(value) AS min, MAX(value) AS max,
  MIN_BY(value, time_us) AS first, MAX_BY(value, time_us) AS last, SUM(value) AS sum,
  MAX(time_us) AS last_us, CAST(SUM(CASE WHEN value < before THEN 1 ELSE 0 END) AS BIGINT) AS resets
FROM v GROUP BY bucket_us, metric, labels;
