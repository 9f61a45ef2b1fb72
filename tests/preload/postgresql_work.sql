-- Work for the preload test of PostgreSQL; every answer has one right order.
CREATE SCHEMA work;
SET search_path = work, public;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT sum(abalance), count(*) FROM pgbench_accounts;
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
	(SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers);
SELECT aid % 1000 AS g, count(*), sum(abalance) FROM pgbench_accounts
	GROUP BY g ORDER BY 3 DESC, 1 LIMIT 20;
SELECT a.aid, b.tid FROM pgbench_accounts a JOIN pgbench_tellers b ON a.aid % 30 = b.tid
	ORDER BY md5(a.aid::text), b.tid LIMIT 20;
CREATE TABLE docs AS SELECT i AS id, jsonb_build_object('n', i, 'words',
	(SELECT jsonb_agg(md5((i * k)::text)) FROM generate_series(1, i % 12) k)) AS doc,
	repeat(md5(i::text), i % 200) AS body FROM generate_series(1, 20000) i;
CREATE INDEX ON docs USING gin (doc);
CREATE INDEX ON docs (md5(body));
SELECT count(*), sum(length(body)), md5(string_agg(doc::text, ',' ORDER BY id)) FROM docs;
SELECT count(*) FROM docs WHERE doc @> '{"n": 777}';
SELECT substr(regexp_replace(body, '([0-9]+)([a-f]+)', '\2\1', 'g'), 1, 80) FROM docs
	WHERE id % 2000 = 1 ORDER BY id;
CREATE FUNCTION churn(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	parts text[] := '{}';
BEGIN
	FOR i IN 1..n LOOP
		parts := array_append(parts, repeat(chr(65 + i % 26), i % 300));
		BEGIN
			IF i % 50 = 0 THEN
				RAISE EXCEPTION 'again';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			parts := parts[10:];
		END;
	END LOOP;
	RETURN md5(array_to_string(parts, ','));
END $$;
SELECT churn(3000);
WITH RECURSIVE walk(n, path) AS (SELECT 1, '1' UNION ALL
	SELECT n * 2 + b, path || b FROM walk, (VALUES (0), (1)) v(b) WHERE n < 8192)
	SELECT count(*), md5(string_agg(path, ',' ORDER BY n)) FROM walk;
SELECT pg_jit_available();
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT sum(aid * 3 % 7 + abalance), max(length(filler)) FROM pgbench_accounts WHERE aid % 3 = 1;
RESET jit_above_cost;
RESET jit_inline_above_cost;
RESET jit_optimize_above_cost;
-- Order and times of the history depend on the threads; its contents do not.
CREATE TABLE history AS SELECT tid, bid, aid, delta FROM pgbench_history
	ORDER BY tid, bid, aid, delta;
CREATE TABLE accounts AS SELECT * FROM pgbench_accounts ORDER BY aid;
CREATE TABLE tellers AS SELECT * FROM pgbench_tellers ORDER BY tid;
CREATE TABLE branches AS SELECT * FROM pgbench_branches ORDER BY bid;
