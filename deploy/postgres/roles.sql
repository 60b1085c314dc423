-- Who needs what of the online store. Run once by the database's owner, who may make roles; then set passwords:
--   ALTER ROLE featureduck_writer PASSWORD '…';
--
-- Processes that materialize or apply ("serve", "materialize", "up", "apply") are the writer, and own the schema and
-- all tables in it.
-- Those that only serve ("serve --role serve") are the reader: lookups, /views, /runs and freshness work, nothing can
-- be written, and DELETE is answered 403. Say "online_store": {"schema": "featureduck", …} in the config.

CREATE ROLE featureduck_writer LOGIN;
CREATE ROLE featureduck_reader LOGIN;

CREATE SCHEMA featureduck AUTHORIZATION featureduck_writer;

GRANT USAGE ON SCHEMA featureduck TO featureduck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA featureduck TO featureduck_reader;
-- Each new view brings a table, and so does each large refresh.
ALTER DEFAULT PRIVILEGES FOR ROLE featureduck_writer IN SCHEMA featureduck
  GRANT SELECT ON TABLES TO featureduck_reader;
