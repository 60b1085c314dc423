-- Who needs what of an online store in MySQL or MariaDB. Run once by a user who may make others; then set passwords:
--   ALTER USER featureduck_writer@'%' IDENTIFIED BY '…' ACCOUNT UNLOCK;
--
-- Processes that materialize or apply ("serve", "materialize", "up", "apply") are the writer, who makes and changes the
-- tables. Those that only serve ("serve --role serve") are the reader: lookups, /views, /runs and freshness work, nothing
-- can be written, and DELETE is answered 403.
-- Say "online_store": {"url": "mysql://featureduck_writer@host/featureduck", …} in the config.

CREATE DATABASE IF NOT EXISTS featureduck CHARACTER SET utf8mb4;

CREATE USER featureduck_writer@'%' ACCOUNT LOCK;
CREATE USER featureduck_reader@'%' ACCOUNT LOCK;

GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE TEMPORARY TABLES
  ON featureduck.* TO featureduck_writer@'%';
GRANT SELECT ON featureduck.* TO featureduck_reader@'%';
