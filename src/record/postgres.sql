-- Snapshots of a PostgreSQL server's sessions for rootline, PostgreSQL 13 to 18. Reads only.
--
--   psql -X -d DATABASE -f THIS_FILE        (end it with Ctrl-C; run it in the folder of the incident)
--
-- Role: pg_monitor (or pg_read_all_stats); without it other users' rows hide state, waits and query.
-- Run it as close to the server as can be, in the database whose tables matter: names of relations
-- are known for that one only. A standby needs a run of its own, with its own file name.
--
-- Costs, per snapshot: one scan of the process array (pg_stat_activity); one pass over the lock
-- table (pg_locks), which holds all its partitions for as long as it copies it; and one
-- pg_blocking_pids per session that waits for a lock, which holds them too. Milliseconds at hundreds
-- of sessions. With tens of thousands of locks take 10 s instead of @EVERY@ s. One connection; no
-- locks on user tables; at most 2 s per statement. About 300 bytes a session and snapshot on disk.
--
-- The file keeps statements with their literals, as the server shows them. rootline drops literals
-- when it reads; whoever gets the file does not.
\set ON_ERROR_STOP off
\set QUIET on
\pset pager off
\pset format csv
\pset null ''
\o @SERVER@_pg_settings.csv
SELECT now() AS snapshot_at, name, setting, unit FROM pg_settings WHERE name IN (
  'max_connections', 'superuser_reserved_connections', 'reserved_connections', 'deadlock_timeout',
  'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'log_lock_waits',
  'max_prepared_transactions', 'max_standby_streaming_delay', 'hot_standby_feedback',
  'track_activity_query_size', 'max_wal_size', 'checkpoint_timeout', 'work_mem', 'shared_buffers',
  'autovacuum_max_workers', 'server_version_num');

SET application_name = 'rootline record';
SET default_transaction_read_only = on;
SET statement_timeout = '2s';
SET lock_timeout = '500ms';
SET datestyle = 'ISO';
SET timezone = 'UTC';

\o @SERVER@_pg_stat_activity.csv
WITH waiting AS MATERIALIZED (
  SELECT DISTINCT ON (l.pid) l.pid, l.mode,
    -- `waitstart` is of PostgreSQL 14; a row made of JSON has it where there is one.
    to_jsonb(l) ->> 'waitstart' AS waitstart,
    CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      THEN l.relation::regclass::text ELSE l.relation::text END AS relation
  FROM pg_locks l WHERE NOT l.granted ORDER BY l.pid
)
SELECT now() AS snapshot_at, a.datname, a.pid, a.leader_pid, a.usename, a.application_name,
  host(a.client_addr) AS client_addr, a.backend_start, a.xact_start, a.query_start, a.state_change,
  a.wait_event_type, a.wait_event, a.state, a.backend_xid::text AS backend_xid,
  a.backend_xmin::text AS backend_xmin, a.backend_type,
  CASE WHEN w.pid IS NOT NULL OR a.wait_event_type = 'Lock'
    THEN pg_blocking_pids(a.pid) ELSE '{}' END AS blocked_by,
  w.waitstart, w.mode AS wait_mode, w.relation AS wait_relation, a.query
FROM pg_stat_activity a LEFT JOIN waiting w ON w.pid = a.pid
WHERE a.pid <> pg_backend_pid()
UNION ALL
-- Transactions prepared for two-phase commit hold locks without a process: pid 0.
SELECT now(), p.database, 0, NULL, p.owner, p.gid, NULL, NULL, p.prepared, NULL, p.prepared,
  NULL, NULL, 'prepared transaction', p.transaction::text, NULL, 'prepared transaction', '{}',
  NULL, NULL, NULL, ''
FROM pg_prepared_xacts p
ORDER BY 3 \watch @EVERY@
