package io.featureduck.source;

import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.source.SourceReader.Snapshot;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Postgres, over its scanner. */
final class PostgresTables extends ServerTables {
  /** Settings of libpq (libpq-connect, "Parameter Key Words"); the last one is milliseconds. */
  private static final Map<String, Integer> BOUNDS =
      new TreeMap<>(
          Map.of(
              "connect_timeout", 10,
              "keepalives_idle", 30,
              "keepalives_interval", 10,
              "keepalives_count", 3,
              "tcp_user_timeout", 60_000));

  private static final Set<String> KNOWN_TYPES =
      Set.of(
          "boolean",
          "smallint",
          "integer",
          "bigint",
          "oid",
          "real",
          "double precision",
          "text",
          "character varying",
          "character",
          "\"char\"",
          "name",
          "uuid",
          "time without time zone",
          "time with time zone",
          "bytea",
          "date",
          "timestamp without time zone",
          "timestamp with time zone",
          "json",
          "jsonb");

  @Override
  void checkName(Source.Table table) {
    // Any name can be quoted.
  }

  @Override
  void attach(DuckDbSession session, Source source, Source.Table table) {
    String connection = table.connection().reveal();
    checkAddress(connection);
    session.load("postgres_scanner");
    session.execute(
        AttachedServer.DIALECT.attach(
            source,
            new Source.Table(
                table.database(), new Secret(bounded(connection)), table.schema(), table.table())));
  }

  /**
   * Refuses an address whose password isn't encoded: the client library would repeat parts of it.
   */
  private static void checkAddress(String connection) {
    int start = connection.indexOf("://");
    int end = connection.lastIndexOf('@');
    if (start >= 0 && end > start) {
      String user = connection.substring(start + 3, end);
      if (user.matches("[^:]*:.*(?:[/@?#\\s]|%(?![0-9A-Fa-f]{2})).*")) {
        throw new FeatureException(
            ErrorCode.INVALID_CONFIG,
            "connection_string: the password in an address must be percent-encoded");
      }
    }
  }

  /**
   * Returns a connection string that waits for ever neither for a host that never answers nor for
   * one that is gone without a word.
   */
  private static String bounded(String connection) {
    StringBuilder bounded = new StringBuilder(connection);
    boolean address = connection.contains("://");
    BOUNDS.forEach((name, value) -> {
      if (!connection.contains(name)) {
        bounded
            .append(!address ? ' ' : bounded.indexOf("?") < 0 ? '?' : '&')
            .append(name)
            .append('=')
            .append(value);
      }
    });
    return bounded.toString();
  }

  /**
   * A standby shows what it has replayed so far, and its clock goes on. Where no snapshot can be
   * exported, as on a standby or on RDS, the extension scans in parallel all the same, over
   * connections that each see a moment of their own: then one has to do.
   */
  @Override
  Snapshot snapshot(AttachedServer server) {
    // The transaction is REPEATABLE READ: its first statement sets the snapshot.
    String select =
        """
        SELECT clock.micros, pg_is_in_recovery() AS standby,
          CASE WHEN pg_is_in_recovery() THEN coalesce(
            (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::int8, 0) END AS replayed,
          EXISTS (SELECT 1 FROM pg_catalog.pg_settings WHERE name LIKE 'rds%%') AS rds
        FROM (%s) AS clock
        """
            .formatted(server.sql().clock());
    record Found(Snapshot snapshot, boolean exports) {}
    Found found =
        server
            .ask(
                select,
                row -> {
                  Instant clock = fromMicros(row.getLong("micros"));
                  boolean standby = row.getBoolean("standby");
                  Instant replayed = standby ? fromMicros(row.getLong("replayed")) : clock;
                  return new Found(
                      new Snapshot(clock, replayed.isBefore(clock) ? replayed : clock),
                      !standby && !row.getBoolean("rds"));
                })
            .getFirst();
    if (!found.exports()) {
      server.scanOnOneConnection();
    }
    return found.snapshot();
  }

  /**
   * NUMERIC without precision would become a DOUBLE; JSON, domains and what DuckDB doesn't know
   * text; of two names that differ in case only, it would take either for the first.
   */
  @Override
  Map<String, Optional<Column>> columns(AttachedServer server) {
    Source.Table table = server.table();
    String columns =
        """
        SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
          CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            WHEN t.typtype = 'e' THEN 'text'
            ELSE format_type(a.atttypid, a.atttypmod) END AS base, a.attndims::int8 AS dimensions
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY a.attnum
        """
            .formatted(server.sql().text(table.schema()), server.sql().text(table.table()));
    Map<String, Optional<Column>> known = new LinkedHashMap<>();
    List<String> found =
        server.ask(
            columns,
            row -> {
              String name = row.getString("name");
              String base = row.getString("base");
              Optional<Column> column = Optional.empty();
              if (row.getLong("dimensions") > 1 || !isKnown(base)) {
                column =
                    Optional.of(new Column(name, Optional.empty(), row.getString("type"), false));
              } else if (base.startsWith("json")) {
                column =
                    Optional.of(new Column(name, Optional.of(Primitive.JSON), "VARCHAR", false));
              }
              Optional<Column> ignored = known.put(name, column);
              return name;
            });
    for (String name : found) {
      found.stream()
          .filter(other -> !other.equals(name) && other.equalsIgnoreCase(name))
          .findFirst()
          .ifPresent(other -> {
            String type = "one that can't be told from '%s' beside it".formatted(other);
            Optional<Column> ignored =
                known.put(name, Optional.of(new Column(name, Optional.empty(), type, false)));
          });
    }
    return known;
  }

  /** Tells whether DuckDB reads a type of Postgres', as format_type writes it, as what it is. */
  private static boolean isKnown(String type) {
    if (type.endsWith("[]")) {
      String element = type.substring(0, type.length() - 2);
      return !element.endsWith("]") && isKnown(element);
    }
    if (type.startsWith("numeric(")) {
      // A negative scale, or one above the precision, is none of ours.
      return FeatureType.parse("DECIMAL" + type.substring("numeric".length())).isPresent();
    }
    return KNOWN_TYPES.contains(type.replaceFirst("\\(\\d+\\)", ""));
  }

  @Override
  Optional<String> missingIndex(AttachedServer server, LookupPath path) {
    Source.Table table = server.table();
    // A hash index finds no range, and a BRIN index no single key.
    String unfit =
        switch (path.use()) {
          case RANGE -> "hash";
          case KEYS -> "brin";
        };
    String indexes =
        """
        SELECT c.relkind::text AS kind, (SELECT count(*)::int8
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
          JOIN pg_catalog.pg_am m ON m.oid = x.relam
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
          WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
            AND m.amname <> %s AND a.attname IN (%s)) AS found
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'm')
        """
            .formatted(
                server.sql().text(unfit),
                path.columns().stream().map(server.sql()::text).collect(Collectors.joining(", ")),
                server.sql().text(table.schema()),
                server.sql().text(table.table()));
    return server
        .ask(
            indexes,
            row ->
                row.getLong("found") > 0
                    ? Optional.<String>empty()
                    : Optional.of(createIndex(server, path, row.getString("kind").equals("p"))))
        .stream()
        .findFirst()
        .flatMap(missing -> missing);
  }

  private static String createIndex(AttachedServer server, LookupPath path, boolean partitioned) {
    // A partitioned table's index can't be made while others write.
    return "CREATE INDEX %sON %s (%s)"
        .formatted(
            partitioned ? "" : "CONCURRENTLY ",
            server.sql().table(server.table()),
            path.columns().stream()
                .map(server.sql()::identifier)
                .collect(Collectors.joining(", ")));
  }

  @Override
  List<String> names(AttachedServer server) {
    return server.ask(
        """
        SELECT n.nspname::text || '.' || c.relname::text AS name
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND n.nspname NOT IN ('pg_catalog', 'information_schema') LIMIT 1000
        """,
        row -> row.getString(1));
  }
}
