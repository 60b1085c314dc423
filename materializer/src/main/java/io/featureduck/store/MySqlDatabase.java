package io.featureduck.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureduck.definition.MySqlStoreAddress;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.flywaydb.core.api.configuration.FluentConfiguration;

/** A MySQL or a MariaDB. Times are DATETIME(6), which has no zone: all of them are UTC. */
final class MySqlDatabase extends StoreDatabase {
  private static final int DUPLICATE_KEY = 1062;
  private static final int NO_SUCH_TABLE = 1146;
  private static final int LOCK_WAIT_TIMEOUT = 1205;
  private static final int DEADLOCK = 1213;
  private static final int QUERY_INTERRUPTED = 1317;
  private static final int STATEMENT_TIMEOUT = 1969;

  /**
   * What the statements rely on, whatever the server's own settings: quoted identifiers, values
   * refused instead of cut, UTC.
   */
  private static final String SESSION =
      "sql_mode='ANSI_QUOTES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
          + "time_zone='+00:00'";

  private final String jdbcUrl;
  private final String place;
  private final String schema;
  private final Properties properties = new Properties();
  private final MySqlLocks locks = new MySqlLocks();

  MySqlDatabase(OnlineStoreSettings settings) {
    MySqlStoreAddress address = MySqlStoreAddress.of(settings);
    this.schema = address.database();
    this.place = address.hostAndPort() + "/" + schema;
    this.jdbcUrl = "jdbc:mariadb://" + place;
    properties.setProperty("user", address.user());
    settings.password().ifPresent(secret -> properties.setProperty("password", secret.reveal()));
    protect(address.tls());
    properties.setProperty("connectTimeout", "5000");
    properties.setProperty("sessionVariables", SESSION);
    // Each statement sees what is committed: with MySQL's default a transaction would not see what
    // made its own INSERT superfluous. Nor does reading in an INSERT … SELECT lock rows then.
    properties.setProperty("transactionIsolation", "READ-COMMITTED");
    // An UPDATE counts the rows that it finds, as elsewhere, and not only those that it changes.
    properties.setProperty("useAffectedRows", "false");
    // Nothing is loaded from a file of this machine, whatever a server asks for.
    properties.setProperty("allowLocalInfile", "false");
  }

  /** Says how connections are protected, in the words of MariaDB's driver. */
  private void protect(MySqlStoreAddress.Tls tls) {
    properties.setProperty(
        "sslMode",
        switch (tls.mode()) {
          case DISABLED -> "disable";
          case REQUIRED -> "trust";
          case VERIFY_CA -> "verify-ca";
          case VERIFY_IDENTITY -> "verify-full";
        });
    // As an address, for the driver would take a path to be one.
    tls.authority()
        .ifPresent(
            file -> properties.setProperty("serverSslCert", Path.of(file).toUri().toString()));
    tls.identity()
        .ifPresent(identity -> {
          properties.setProperty("tlsSocketType", PemTlsSocketPlugin.TYPE);
          properties.setProperty(PemTlsSocketPlugin.CERTIFICATE, identity.certificate());
          properties.setProperty(PemTlsSocketPlugin.KEY, identity.key());
        });
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
    return DriverManager.getConnection(jdbcUrl, properties);
  }

  @Override
  Connection openForRuns() throws SQLException {
    Properties writing = new Properties();
    writing.putAll(properties);
    // Rows go as parameters in binary, many in one message where the server takes that (MariaDB).
    writing.setProperty("useServerPrepStmts", "true");
    writing.setProperty("useBulkStmts", "true");
    // The session is idle while DuckDB computes. What stands in /*M! … */ is for MariaDB alone.
    return set(
        DriverManager.getConnection(jdbcUrl, writing),
        "SET SESSION wait_timeout = 2000000"
            + " /*M! , max_statement_time = 0, idle_transaction_timeout = 0, idle_write_transaction_timeout = 0 */");
  }

  @Override
  FeatureException failure(String doing, SQLException cause) {
    if (cause.getErrorCode() == QUERY_INTERRUPTED) {
      return new FeatureException(ErrorCode.CANCELLED, doing + ": cancelled", cause);
    }
    return switch (cause.getErrorCode()) {
      // Disk full, table full, out of memory in three forms, and the system's own error.
      case 1021, 1114, 1037, 1038, 1041, 3 ->
          new FeatureException(
              ErrorCode.STORE_UNAVAILABLE, told(doing, "is out of space or memory", cause), cause);
      // The server's connections, and those of this user.
      case 1040, 1203 -> passing(doing, "has no connection left", cause);
      case LOCK_WAIT_TIMEOUT, DEADLOCK ->
          passing(doing, "gave the transaction up in favour of another", cause);
      default ->
          isAway(cause)
              ? passing(doing, "can't be reached", cause)
              : new FeatureException(
                  ErrorCode.STORE_UNAVAILABLE, told(doing, "refused a statement", cause), cause);
    };
  }

  private FeatureException passing(String doing, String what, SQLException cause) {
    return FeatureException.passing(ErrorCode.STORE_UNAVAILABLE, told(doing, what, cause), cause);
  }

  private String told(String doing, String what, SQLException cause) {
    return "%s: the online store at %s %s (error %d, SQLSTATE %s)"
        .formatted(doing, place, what, cause.getErrorCode(), cause.getSQLState());
  }

  /** Tells whether the server is away or restarting, or has ended the session. */
  private static boolean isAway(SQLException cause) {
    return switch (cause.getErrorCode()) {
      // Unknown database and wrong password come with SQLSTATEs of their own; this host is refused.
      case 1129, 1130 -> false;
      // Shutting down; the session was killed (MariaDB, MySQL), or was idle for too long (MySQL).
      case 1053, 1927, 3169, 4031 -> true;
      default -> String.valueOf(cause.getSQLState()).startsWith("08");
    };
  }

  @Override
  boolean isLockTimeout(SQLException cause) {
    // Of MariaDB, and only where a statement was given a time, as those are that change tables.
    return cause.getErrorCode() == LOCK_WAIT_TIMEOUT || cause.getErrorCode() == STATEMENT_TIMEOUT;
  }

  @Override
  void limitLockWaits(Connection connection) throws SQLException {
    // Whole seconds, of which 1 is the least.
    try (Statement statement = connection.createStatement()) {
      boolean ignored =
          statement.execute("SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1");
    }
  }

  @Override
  void boundTransaction(Connection connection) throws SQLException {
    // MySQL knows no such limit; its own of idle sessions is hours.
    try (Statement statement = connection.createStatement()) {
      boolean ignored =
          statement.execute(
              "SET SESSION lock_wait_timeout = 1 /*M! , idle_transaction_timeout = 10 */");
    }
  }

  @Override
  boolean isConflict(SQLException cause) {
    return switch (cause.getErrorCode()) {
      // The last is of a lock that is not waited for, in MySQL.
      case LOCK_WAIT_TIMEOUT, DEADLOCK, 3572 -> true;
      default -> false;
    };
  }

  @Override
  boolean isMissingTable(SQLException cause) {
    return cause.getErrorCode() == NO_SUCH_TABLE;
  }

  @Override
  boolean isReadOnly(SQLException cause) {
    return switch (cause.getErrorCode()) {
      // Of a table or a database to this user; of the server's --read-only; of a transaction.
      case 1142, 1044, 1290, 1792 -> true;
      default -> false;
    };
  }

  @Override
  boolean hasTable(Connection connection, String name) throws SQLException {
    String select =
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, name);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getLong(1) > 0;
      }
    }
  }

  @Override
  void configure(FluentConfiguration flyway) {
    FluentConfiguration ignored =
        flyway
            .defaultSchema(schema)
            .schemas(schema)
            .createSchemas(false)
            .locations("classpath:io/featureduck/store/migrations/mysql");
  }

  @Override
  String now() {
    return "utc_timestamp(6)";
  }

  @Override
  String ago(String seconds) {
    return "utc_timestamp(6) - INTERVAL " + seconds + " SECOND";
  }

  @Override
  String tableBytes(String name) {
    return "coalesce((SELECT DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES"
        + " WHERE TABLE_SCHEMA = database() AND TABLE_NAME = "
        + name
        + "), 0)";
  }

  @Override
  String jsonText(String column) {
    return column;
  }

  @Override
  String jsonParameter() {
    return "?";
  }

  @Override
  PreparedStatement prepareIfNew(Connection connection, String insert, String... generated)
      throws SQLException {
    return generated.length == 0
        ? connection.prepareStatement(insert)
        : connection.prepareStatement(insert, generated);
  }

  @Override
  int insertIfNew(PreparedStatement insert) throws SQLException {
    // INSERT IGNORE would do, and would also cut what doesn't fit.
    try {
      return insert.executeUpdate();
    } catch (SQLException e) {
      if (e.getErrorCode() == DUPLICATE_KEY) {
        return 0;
      }
      throw e;
    }
  }

  @Override
  String key(ResultSet rows, int column) throws SQLException {
    return new String(rows.getBytes(column), UTF_8);
  }

  @Override
  void setKey(PreparedStatement statement, int parameter, String key) throws SQLException {
    statement.setBytes(parameter, key.getBytes(UTF_8));
  }

  @Override
  Optional<Instant> instant(ResultSet rows, int column) throws SQLException {
    return Optional.ofNullable(rows.getObject(column, LocalDateTime.class))
        .map(time -> time.toInstant(ZoneOffset.UTC));
  }

  @Override
  void setInstant(PreparedStatement statement, int parameter, Optional<Instant> instant)
      throws SQLException {
    statement.setObject(
        parameter,
        instant
            .map(time ->
                LocalDateTime.ofInstant(time.truncatedTo(ChronoUnit.MICROS), ZoneOffset.UTC))
            .orElse(null));
  }

  @Override
  String columnType(FeatureType type) {
    return MySqlTable.columnType(type);
  }

  @Override
  boolean hasTransactionalDdl() {
    return false;
  }

  @Override
  void announce(Connection connection, String view, int version, long generation) {
    // Servers ask.
  }

  @Override
  MySqlLocks locks() {
    return locks;
  }

  @Override
  MySqlTable table(LiveView live, List<Feature> features) {
    return new MySqlTable(live.table(), live.storage(), features);
  }

  @Override
  MySqlTransaction transaction(Connection connection, RunCommit commit, Cancellation cancellation)
      throws SQLException {
    return new MySqlTransaction(
        this, table(commit.live(), commit.features()), connection, commit, cancellation);
  }
}
