package io.featureduck.store;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.net.URI;
import java.net.URISyntaxException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.jspecify.annotations.Nullable;

/**
 * A Postgres. Each use takes a connection of its own: a run keeps its for minutes, and the rest
 * comes a few times a second at the most.
 */
final class PostgresDatabase extends StoreDatabase {
  private static final String TOO_MANY_CONNECTIONS = "53300";
  private static final String SERIALIZATION_FAILURE = "40001";
  private static final String DEADLOCK = "40P01";
  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final String UNDEFINED_TABLE = "42P01";
  private static final String NOT_PERMITTED = "42501";
  private static final String READ_ONLY_TRANSACTION = "25006";

  private final String jdbcUrl;
  private final String place;
  private final String schema;
  private final Properties properties = new Properties();
  private final PostgresLocks locks = new PostgresLocks();

  PostgresDatabase(OnlineStoreSettings settings) {
    URI uri = uri(settings.url());
    this.schema = settings.schema();
    String query = uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery();
    int port = uri.getPort() < 0 ? 5432 : uri.getPort();
    this.place = uri.getHost() + ":" + port + uri.getRawPath();
    this.jdbcUrl = "jdbc:postgresql://" + place + query;
    properties.setProperty("user", Optional.ofNullable(uri.getUserInfo()).orElse("postgres"));
    settings.password().ifPresent(secret -> properties.setProperty("password", secret.reveal()));
    properties.setProperty("ApplicationName", "featureduck");
    properties.setProperty("tcpKeepAlive", "true");
    properties.setProperty("connectTimeout", "5");
    properties.setProperty("loginTimeout", "10");
  }

  private static URI uri(String url) {
    try {
      URI uri = new URI(url);
      String path = Optional.ofNullable(uri.getRawPath()).orElse("");
      boolean known = "postgresql".equals(uri.getScheme()) || "postgres".equals(uri.getScheme());
      if (!known || uri.getHost() == null || path.length() < 2) {
        throw badUrl(null);
      }
      if (uri.getUserInfo() != null && uri.getUserInfo().contains(":")) {
        throw new FeatureException(
            ErrorCode.INVALID_CONFIG,
            "online_store.url holds a password: put it into online_store.password");
      }
      return uri;
    } catch (URISyntaxException e) {
      throw badUrl(e);
    }
  }

  private static FeatureException badUrl(@Nullable Throwable cause) {
    // The text itself isn't repeated: it may hold a password.
    return new FeatureException(
        ErrorCode.INVALID_CONFIG,
        "online_store.url is not of the form postgresql://[user@]host[:port]/database",
        cause);
  }

  @Override
  String place() {
    return place;
  }

  @Override
  String schema() {
    return schema;
  }

  @Override
  Connection open() throws SQLException {
    return set(
        DriverManager.getConnection(jdbcUrl, properties),
        "SET search_path TO " + OnlineTable.identifier(schema) + "; SET TIME ZONE 'UTC'");
  }

  @Override
  Connection openForRuns() throws SQLException {
    // Spill files and long computations must not run into a limit meant for short statements.
    return set(
        open(),
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
            + " SET idle_session_timeout = 0");
  }

  @Override
  FeatureException failure(String doing, SQLException cause) {
    String state = Optional.ofNullable(cause.getSQLState()).orElse("none");
    if (state.equals("57014")) {
      return new FeatureException(ErrorCode.CANCELLED, doing + ": cancelled", cause);
    }
    if (state.equals("53100") || state.equals("53200") || state.equals("53000")) {
      return new FeatureException(
          ErrorCode.STORE_UNAVAILABLE,
          "%s: the online store at %s is out of space or memory (SQLSTATE %s)"
              .formatted(doing, place, state),
          cause);
    }
    return mayPass(state)
        ? FeatureException.passing(
            ErrorCode.STORE_UNAVAILABLE,
            "%s: the online store at %s %s (SQLSTATE %s)"
                .formatted(doing, place, whyAway(state), state),
            cause)
        : new FeatureException(
            ErrorCode.STORE_UNAVAILABLE,
            "%s: the online store at %s refused a statement (SQLSTATE %s)"
                .formatted(doing, place, state),
            cause);
  }

  /**
   * Tells by the SQLSTATE whether the store is away, restarting or crowded, or gave up one of two
   * transactions.
   */
  private static boolean mayPass(String state) {
    return switch (state) {
      // A server that refuses this client, and a database that was dropped.
      case "08004", "57P04" -> false;
      case TOO_MANY_CONNECTIONS, SERIALIZATION_FAILURE, DEADLOCK -> true;
      default -> state.startsWith("08") || state.startsWith("57P");
    };
  }

  private static String whyAway(String state) {
    return switch (state) {
      case TOO_MANY_CONNECTIONS -> "has no connection left";
      case SERIALIZATION_FAILURE, DEADLOCK -> "gave the transaction up in favour of another";
      default -> "can't be reached";
    };
  }

  @Override
  boolean isLockTimeout(SQLException cause) {
    return LOCK_NOT_AVAILABLE.equals(cause.getSQLState());
  }

  @Override
  void limitLockWaits(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("SET lock_timeout = '300ms'");
    }
  }

  @Override
  void boundTransaction(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("SET idle_in_transaction_session_timeout = '10s'");
    }
  }

  @Override
  boolean isConflict(SQLException cause) {
    return switch (String.valueOf(cause.getSQLState())) {
      case LOCK_NOT_AVAILABLE, SERIALIZATION_FAILURE, DEADLOCK -> true;
      default -> false;
    };
  }

  @Override
  boolean isMissingTable(SQLException cause) {
    return UNDEFINED_TABLE.equals(cause.getSQLState());
  }

  @Override
  boolean isReadOnly(SQLException cause) {
    return switch (String.valueOf(cause.getSQLState())) {
      case NOT_PERMITTED, READ_ONLY_TRANSACTION -> true;
      default -> false;
    };
  }

  @Override
  boolean hasTable(Connection connection, String name) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT to_regclass(?) IS NOT NULL")) {
      statement.setString(1, name);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getBoolean(1);
      }
    }
  }

  @Override
  void configure(FluentConfiguration flyway) {
    FluentConfiguration ignored =
        flyway
            .defaultSchema(schema)
            .schemas(schema)
            .createSchemas(true)
            .locations("classpath:io/featureduck/store/migrations/postgres");
  }

  @Override
  String now() {
    return "clock_timestamp()";
  }

  @Override
  String ago(String seconds) {
    return "clock_timestamp() - make_interval(secs => " + seconds + ")";
  }

  @Override
  String tableBytes(String name) {
    return "coalesce(pg_total_relation_size(to_regclass(" + name + ")), 0)";
  }

  @Override
  String jsonText(String column) {
    return column + "::text";
  }

  @Override
  String jsonParameter() {
    return "?::jsonb";
  }

  @Override
  PreparedStatement prepareIfNew(Connection connection, String insert, String... generated)
      throws SQLException {
    return connection.prepareStatement(insert + " ON CONFLICT DO NOTHING", generated);
  }

  @Override
  int insertIfNew(PreparedStatement insert) throws SQLException {
    return insert.executeUpdate();
  }

  @Override
  String key(ResultSet rows, int column) throws SQLException {
    return rows.getString(column);
  }

  @Override
  void setKey(PreparedStatement statement, int parameter, String key) throws SQLException {
    statement.setString(parameter, key);
  }

  @Override
  Optional<Instant> instant(ResultSet rows, int column) throws SQLException {
    return Optional.ofNullable(rows.getObject(column, OffsetDateTime.class))
        .map(OffsetDateTime::toInstant);
  }

  @Override
  void setInstant(PreparedStatement statement, int parameter, Optional<Instant> instant)
      throws SQLException {
    statement.setTimestamp(parameter, instant.map(Timestamp::from).orElse(null));
  }

  @Override
  String columnType(FeatureType type) {
    return PostgresTable.columnType(type);
  }

  @Override
  boolean hasTransactionalDdl() {
    return true;
  }

  @Override
  void announce(Connection connection, String view, int version, long generation)
      throws SQLException {
    String notify =
        "SELECT pg_notify('featureduck', json_build_object('view', ?, 'version', ?, 'generation', ?)::text)";
    try (PreparedStatement statement = connection.prepareStatement(notify)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      statement.setLong(3, generation);
      boolean ignored = statement.execute();
    }
  }

  @Override
  PostgresLocks locks() {
    return locks;
  }

  @Override
  PostgresTable table(LiveView live, List<Feature> features) {
    return new PostgresTable(live.table(), live.storage(), features);
  }

  @Override
  PostgresTransaction transaction(
      Connection connection, RunCommit commit, Cancellation cancellation) throws SQLException {
    return new PostgresTransaction(
        this, table(commit.live(), commit.features()), connection, commit, cancellation);
  }
}
