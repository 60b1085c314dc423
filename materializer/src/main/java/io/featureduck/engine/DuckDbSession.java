package io.featureduck.engine;

import io.featureduck.dialect.SqlDialect;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.Cancellation;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One use of a DuckDB database in memory. Not thread-safe, but that any thread may cancel what it
 * does, and ask how much memory it holds.
 *
 * <p>Failures are FeatureExceptions. DuckDB repeats connection strings in its messages, so neither
 * a message nor a cause holds one: they are masked.
 */
public final class DuckDbSession implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DuckDbSession.class);

  /** What is set for an extension. */
  private static final Map<String, List<String>> SETTINGS =
      Map.of(
          // A server would compare text by its own collation.
          "postgres_scanner",
          List.of("pg_experimental_filter_pushdown = false", "pg_use_ctid_scan = true"),
          "mysql_scanner",
          List.of(
              "mysql_experimental_filter_pushdown = false",
              "mysql_aggregate_pushdown_enabled = false",
              "mysql_order_pushdown_enabled = false",
              // We begin them ourselves, and need more than the extension's own.
              "mysql_enable_transactions = false",
              "mysql_session_time_zone = '+00:00'",
              // A TINYINT(1) is true or false to us unless declared as a number, which it may hold.
              "mysql_tinyint1_as_boolean = false"));

  private static final Pattern PASSWORD =
      Pattern.compile(
          "(?i)((?:passw(?:or)?d|pwd)\\s*=\\s*)('(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*+\"?|(?:[^\\s\\\\]|\\\\.)+)");
  private static final Pattern URL_PASSWORD = Pattern.compile("(://[^:/@\\s]*:)[^@\\s]*@");

  /** What the driver puts before a failure of a statement that it prepared. */
  private static final Pattern PENDING =
      Pattern.compile(
          "^Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\\s+Error: ");

  /** As in {@code Failed to execute query "SELECT …": no connection to the server}. */
  private static final Pattern QUERY = Pattern.compile("(?s)(query \").*(\": )");

  private static final int MESSAGE_CHARACTERS_MAX = 2_000;

  private final Connection connection;

  /** For questions beside the statement that runs; each use holds its monitor. */
  private final Connection observer;

  private final DuckDbInstance instance;
  private final Consumer<DuckDbInstance> giveBack;
  private final Extensions extensions;
  private final Reachability reachability;
  private final Cancellation cancellation;
  private final Set<String> loaded = new HashSet<>();
  private boolean failed;

  /**
   * @param giveBack takes the instance once the session is over, if nothing failed in it; else it
   *     is closed
   */
  DuckDbSession(
      DuckDbInstance instance,
      Consumer<DuckDbInstance> giveBack,
      Extensions extensions,
      Reachability reachability,
      Cancellation cancellation)
      throws SQLException {
    this.instance = instance;
    this.giveBack = giveBack;
    this.extensions = extensions;
    this.reachability = reachability;
    this.cancellation = cancellation;
    this.connection = instance.connect();
    this.observer = instance.connect();
  }

  /** Returns where files of this session may lie. */
  public Path folder() {
    return instance.folder();
  }

  /** Returns what tells whether a MySQL server answers. */
  public Reachability reachability() {
    return reachability;
  }

  /**
   * Loads an extension.
   *
   * @throws FeatureException EXTENSION_MISSING
   */
  public void load(String extension) {
    if (loaded.contains(extension)) {
      return;
    }
    try {
      if (!instance.loaded().contains(extension)) {
        extensions.load(connection, extension);
        instance.loaded().add(extension);
      }
      boolean ignored = loaded.add(extension);
      try (Statement statement = connection.createStatement()) {
        for (String setting : SETTINGS.getOrDefault(extension, List.of())) {
          ignored = statement.execute("SET " + setting);
        }
      }
    } catch (SQLException e) {
      throw failure("loading " + extension, e);
    }
  }

  /**
   * Returns how many bytes of memory DuckDB holds at the moment, what it spilled not counted; empty
   * where it can't tell, or is closed. Takes milliseconds, also while a statement runs.
   */
  public OptionalLong memoryBytes() {
    synchronized (observer) {
      try {
        if (observer.isClosed()) {
          return OptionalLong.empty();
        }
        try (Statement statement = observer.createStatement();
            ResultSet rows =
                statement.executeQuery(
                    "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory()")) {
          return rows.next() ? OptionalLong.of(rows.getLong(1)) : OptionalLong.empty();
        }
      } catch (SQLException e) {
        // Out of memory, for one: then the run's own statement tells.
        LOG.debug("how much memory DuckDB holds is not known", e);
        return OptionalLong.empty();
      }
    }
  }

  /** Runs a statement whose result doesn't matter. */
  public void execute(String sql) {
    try (Statement statement = connection.createStatement();
        Cancellation.Registration registration = cancellation.onCancel(statement::cancel)) {
      boolean ignored = statement.execute(sql);
    } catch (SQLException e) {
      throw failure("running a statement", e);
    }
  }

  /** Runs a query whose result is small. */
  public <T> List<T> list(String sql, RowReader<T> reader) {
    try (Statement statement = connection.createStatement();
        Cancellation.Registration registration = cancellation.onCancel(statement::cancel);
        ResultSet rows = statement.executeQuery(sql)) {
      List<T> list = new ArrayList<>();
      while (rows.next()) {
        list.add(reader.read(rows));
      }
      return List.copyOf(list);
    } catch (SQLException e) {
      throw failure("running a query", e);
    }
  }

  /** Reads one row. */
  public interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  /** Runs a query whose result is streamed. */
  <T> T stream(String sql, StreamReader<T> reader) throws SQLException {
    try (Statement statement = connection.createStatement();
        Cancellation.Registration registration = cancellation.onCancel(statement::cancel)) {
      ResultSet rows;
      try {
        rows = statement.executeQuery(sql);
      } catch (SQLException e) {
        throw failure("computing", e);
      }
      try (rows) {
        return reader.read(rows);
      }
    }
  }

  /** Reads a streamed result; its SQLExceptions are the reader's own, not this session's. */
  interface StreamReader<T> {
    T read(ResultSet rows) throws SQLException;
  }

  /** Returns a failure of DuckDB as ours. */
  FeatureException failure(String doing, SQLException e) {
    failed = true;
    cancellation.check();
    String masked = mask(withoutQuery(String.valueOf(e.getMessage())));
    String message = PENDING.matcher(masked.strip()).replaceFirst("");
    int checked = message.indexOf(SqlDialect.OUT_OF_RANGE);
    if (checked >= 0) {
      // What a plan's own check says needs none of DuckDB's words.
      String what = message.substring(checked + SqlDialect.OUT_OF_RANGE.length());
      return new FeatureException(
          ErrorCode.VALUE_OUT_OF_RANGE,
          shorten(what) + ": the number doesn't fit the feature's type");
    }
    SQLException cause = new SQLException(shorten(message), e.getSQLState());
    cause.setStackTrace(e.getStackTrace());
    ErrorCode code = code(message);
    // A server that goes away while a statement is prepared comes as a Binder Error.
    boolean ofSource = code == ErrorCode.SOURCE_UNAVAILABLE || code == ErrorCode.SOURCE_SCHEMA;
    return ofSource && PassingFailure.isOne(message)
        ? FeatureException.passing(ErrorCode.SOURCE_UNAVAILABLE, shorten(message), cause)
        : new FeatureException(code, shorten(message), cause);
  }

  private static ErrorCode code(String message) {
    if (message.startsWith("INTERRUPT")) {
      return ErrorCode.CANCELLED;
    }
    if (message.startsWith("Out of Memory Error")) {
      return ErrorCode.OUT_OF_MEMORY;
    }
    if (message.startsWith("Out of Range Error")
        || message.startsWith("Conversion Error")
        || message.contains("numeric field overflow")) {
      return ErrorCode.VALUE_OUT_OF_RANGE;
    }
    if (message.startsWith("Binder Error")
        || message.startsWith("Catalog Error")
        || message.startsWith("Parser Error")) {
      return ErrorCode.SOURCE_SCHEMA;
    }
    return ErrorCode.SOURCE_UNAVAILABLE;
  }

  /** Leaves out the statement that DuckDB repeats beneath its message, and bounds the rest. */
  private static String shorten(String message) {
    int end = message.indexOf("\n\nLINE ");
    String text = (end < 0 ? message : message.substring(0, end)).replace('\n', ' ');
    return text.length() <= MESSAGE_CHARACTERS_MAX
        ? text
        : text.substring(0, MESSAGE_CHARACTERS_MAX) + "…";
  }

  /** Leaves out what an extension repeats of its query, for keys of entities are in there. */
  private static String withoutQuery(String message) {
    return QUERY.matcher(message).replaceFirst("$1…$2");
  }

  /** Returns {@code text} without the passwords of connection strings and addresses in it. */
  static String mask(String text) {
    String masked = PASSWORD.matcher(text).replaceAll("$1***");
    return URL_PASSWORD.matcher(masked).replaceAll("$1***@");
  }

  /**
   * Ends what transaction there is. Left to the connection's end, its failure would be a C++
   * exception that nobody catches, and so the end of the process: that of a Postgres source whose
   * server has gone meanwhile fails.
   */
  private void rollBack() {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("ROLLBACK");
    } catch (SQLException e) {
      // There was none, or a source is gone: it will undo its part by itself.
      LOG.debug("nothing is rolled back", e);
    }
  }

  @Override
  public void close() {
    rollBack();
    boolean usable = !failed && cancellation.reason().isEmpty();
    try {
      synchronized (observer) {
        observer.close();
      }
      connection.close();
      instance.detachAll();
    } catch (SQLException e) {
      LOG.warn("a DuckDB session did not close", e);
      usable = false;
    }
    if (usable) {
      giveBack.accept(instance);
    } else {
      instance.close();
    }
  }
}
