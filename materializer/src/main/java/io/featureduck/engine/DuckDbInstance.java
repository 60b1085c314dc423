package io.featureduck.engine;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import org.duckdb.DuckDBConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A DuckDB database in memory that one session at a time works in. It outlives the session for its
 * extensions: to load one, DuckDB checks the signature of some twenty megabytes, which takes longer
 * than a small run.
 */
final class DuckDbInstance implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DuckDbInstance.class);

  private final Connection root;
  private final Path folder;
  private final Set<String> loaded = new HashSet<>();

  private DuckDbInstance(Connection root, Path folder) {
    this.root = root;
    this.folder = folder;
  }

  /**
   * @param folder where it spills to; exists
   */
  static DuckDbInstance start(int threads, String memory, Path folder) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("jdbc_stream_results", "true");
    properties.setProperty("threads", Integer.toString(threads));
    properties.setProperty("memory_limit", memory);
    properties.setProperty("temp_directory", folder.toString());
    // Nothing comes over the network unasked, and order is what a plan says it is.
    properties.setProperty("autoinstall_known_extensions", "false");
    properties.setProperty("preserve_insertion_order", "false");
    return new DuckDbInstance(DriverManager.getConnection("jdbc:duckdb:", properties), folder);
  }

  /** Opens a connection in UTC; temporary tables and transactions are its own. */
  Connection connect() throws SQLException {
    Connection connection = root.unwrap(DuckDBConnection.class).duplicate();
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("SET TimeZone = 'UTC'");
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  Path folder() {
    return folder;
  }

  /** Returns the extensions that are loaded; whoever loads one adds it. */
  Set<String> loaded() {
    return loaded;
  }

  /** Detaches what a session that is closed has attached, with its connections. */
  void detachAll() throws SQLException {
    try (Statement statement = root.createStatement()) {
      List<String> attached = new ArrayList<>();
      try (ResultSet rows =
          statement.executeQuery(
              "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory'")) {
        while (rows.next()) {
          attached.add(rows.getString(1));
        }
      }
      for (String name : attached) {
        boolean ignored = statement.execute("DETACH " + DuckDb.identifier(name));
      }
    }
  }

  @Override
  public void close() {
    try {
      root.close();
    } catch (SQLException e) {
      LOG.warn("a DuckDB instance did not close", e);
    }
    DuckDb.delete(folder);
  }
}
