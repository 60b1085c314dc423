package io.featureduck.testing;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One real Postgres for all tests of a JVM; each test takes a database of its own. User {@code
 * postgres}, no password.
 */
public final class TestPostgres {
  private static final EmbeddedPostgres SERVER = start();
  private static final AtomicInteger DATABASES = new AtomicInteger();

  private TestPostgres() {}

  private static EmbeddedPostgres start() {
    try {
      return EmbeddedPostgres.builder()
          .setServerConfig("fsync", "off")
          .setServerConfig("max_connections", "200")
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Makes an empty database. */
  public static Database newDatabase() throws SQLException {
    String name = "test_" + DATABASES.incrementAndGet();
    Database database = new Database(name, SERVER.getPort());
    new Database("postgres", SERVER.getPort()).execute("CREATE DATABASE " + name);
    return database;
  }

  /** A database of the shared server. */
  public record Database(String name, int port) implements SourceDatabase {
    /** Returns the address in the form of the config's {@code online_store.url}. */
    public String url() {
      return "postgresql://postgres@127.0.0.1:" + port + "/" + name;
    }

    @Override
    public SourceServer server() {
      return SourceServer.POSTGRES;
    }

    @Override
    public String sourceType() {
      return "postgres";
    }

    @Override
    public String schema() {
      return "public";
    }

    @Override
    public String connectionString() {
      return "host=127.0.0.1 port=" + port + " user=postgres dbname=" + name;
    }

    @Override
    public String address() {
      return "jdbc:postgresql://127.0.0.1:" + port + "/" + name + "?user=postgres";
    }

    @Override
    public Database behind(int otherPort) {
      return new Database(name, otherPort);
    }

    @Override
    public Connection connect() throws SQLException {
      return DriverManager.getConnection(address());
    }

    @Override
    public void execute(String sql) throws SQLException {
      try (Connection connection = connect();
          Statement statement = connection.createStatement()) {
        boolean ignored = statement.execute(sql);
      }
    }
  }
}
