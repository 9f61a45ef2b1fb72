-- Work for the preload test of sqlite3: 300,000 rows from a fixed generator, indexes, joins.
PRAGMA page_size = 4096;
PRAGMA cache_size = -16000;
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, city INTEGER, score REAL, note BLOB);
CREATE TABLE city(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO city SELECT i, 'city-' || (i * 7919 % 1000) FROM n;
WITH RECURSIVE n(i, x) AS (
	SELECT 1, 12345 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM n
	WHERE i < 300000)
INSERT INTO person SELECT i, printf('name-%08x', x), x / 65536 % 1000 + 1, x % 10007 / 7.0,
	CASE WHEN i % 50 = 0 THEN zeroblob(x / 256 % 4000) ELSE substr('abcdefghijklmnop', x % 13) END
	FROM n;
COMMIT;
CREATE INDEX person_city ON person(city, score);
CREATE INDEX person_name ON person(name COLLATE NOCASE);
ANALYZE;
SELECT count(*), sum(length(note)), total(score) FROM person;
SELECT c.name, count(*), round(avg(p.score), 6) FROM person p JOIN city c ON c.id = p.city
	GROUP BY c.name ORDER BY 2 DESC, 1 LIMIT 50;
SELECT a.id, b.id, a.name FROM person a JOIN person b ON a.city = b.city AND a.score = b.score
	AND a.id < b.id ORDER BY a.id, b.id LIMIT 50;
SELECT city, name, rank FROM (SELECT city, name,
	row_number() OVER (PARTITION BY city ORDER BY score DESC, id) AS rank FROM person)
	WHERE rank = 3 ORDER BY city LIMIT 50;
SELECT group_concat(substr(name, 6), '') FROM person WHERE id % 100 = 7;
SELECT count(DISTINCT name), count(DISTINCT note) FROM person;
SELECT json_group_array(json_object('id', id, 'name', name)) FROM person WHERE city = 500;
UPDATE person SET note = note || name WHERE city BETWEEN 100 AND 200;
DELETE FROM person WHERE id % 9 = 4;
VACUUM;
PRAGMA integrity_check;
