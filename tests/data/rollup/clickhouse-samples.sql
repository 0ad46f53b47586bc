-- Rolls samples up where they are; rootline diagnoses the folder of the results.
--   clickhouse-client --multiquery < THIS_FILE
-- Reads samples only.

WITH v AS (
  SELECT metric, labels, time_us - time_us % 10000000 AS bucket_us, time_us, value,
    lagInFrame(value, 1, value) OVER (PARTITION BY metric, labels, time_us - time_us % 10000000 ORDER BY time_us
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS before
  FROM samples
  WHERE NOT isNaN(value) AND time_us >= 1795204800000000 AND time_us < 1795206600000000
)
SELECT bucket_us, metric, labels, '' AS unit, '' AS statistic, '' AS query,
  toInt64(COUNT(*)) AS samples, MIN(value) AS min, MAX(value) AS max,
  argMin(value, time_us) AS first, argMax(value, time_us) AS last, SUM(value) AS sum,
  MAX(time_us) AS last_us, toInt64(SUM(CASE WHEN value < before THEN 1 ELSE 0 END)) AS resets
FROM v GROUP BY bucket_us, metric, labels
INTO OUTFILE 'samples.parquet' FORMAT Parquet;
