package io.featureduck.sample;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Postgres of our own, whose data outlive it. It listens on the loopback interface alone; its
 * user is {@code postgres}, without password.
 *
 * <p>Its folder has {@code postgres} (the data), {@code port} (which it had the last time, and has
 * again if it is free) and {@code initialized} (there once the data are whole).
 */
final class EmbeddedDatabase implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedDatabase.class);

  // A start after a kill replays what was not yet in the tables.
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);

  private final EmbeddedPostgres postgres;

  private EmbeddedDatabase(EmbeddedPostgres postgres) {
    this.postgres = postgres;
  }

  /**
   * Starts the database whose data are in {@code directory}, or a new one. What an earlier process
   * left running there is stopped first.
   *
   * <p>The caller holds {@code directory} for itself.
   */
  static EmbeddedDatabase open(Path directory) throws IOException {
    Path data = directory.resolve("postgres");
    Path initialized = directory.resolve("initialized");
    stopLeftover(data);
    if (!Files.exists(initialized) && Files.exists(data)) {
      LOG.info("{} was never filled to its end: starting over", data);
      deleteAll(data);
    }
    int port = freePort(directory.resolve("port"));
    EmbeddedPostgres postgres =
        EmbeddedPostgres.builder()
            .setDataDirectory(data)
            .setCleanDataDirectory(false)
            // Closed by us, after all that uses it.
            .setRegisterShutdownHook(false)
            .setPort(port)
            .setPGStartupWait(START_TIMEOUT)
            .setServerConfig("listen_addresses", "127.0.0.1")
            .setServerConfig("timezone", "UTC")
            .setServerConfig("max_connections", "100")
            .start();
    Files.writeString(directory.resolve("port"), Integer.toString(port));
    Files.writeString(initialized, "");
    return new EmbeddedDatabase(postgres);
  }

  int port() {
    return postgres.getPort();
  }

  Connection connect(String database) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port() + "/" + database + "?user=postgres");
  }

  /** Makes an empty database of this name if there is none. */
  void ensureDatabase(String name) throws SQLException {
    try (Connection connection = connect("postgres")) {
      try (PreparedStatement find =
          connection.prepareStatement("SELECT 1 FROM pg_database WHERE datname = ?")) {
        find.setString(1, name);
        try (ResultSet found = find.executeQuery()) {
          if (found.next()) {
            return;
          }
        }
      }
      try (Statement create = connection.createStatement()) {
        boolean ignored = create.execute("CREATE DATABASE \"" + name + "\"");
      }
    }
  }

  /** Stops the database and waits until it has; who is still connected is cut off. */
  @Override
  public void close() throws IOException {
    postgres.close();
  }

  /** The first line of postmaster.pid is the process, the second the folder of its data. */
  private static void stopLeftover(Path data) throws IOException {
    Path file = data.resolve("postmaster.pid");
    if (!Files.exists(file)) {
      return;
    }
    List<String> lines = Files.readAllLines(file);
    if (lines.isEmpty() || !lines.getFirst().strip().matches("\\d+")) {
      return;
    }
    Optional<ProcessHandle> leftover =
        ProcessHandle.of(Long.parseLong(lines.getFirst().strip()))
            .filter(process -> isPostgresOf(process, data));
    if (leftover.isEmpty()) {
      return;
    }
    long pid = leftover.get().pid();
    LOG.info("stopping the Postgres (process {}) that an earlier up left running on {}", pid, data);
    // SIGINT ends a Postgres fast but orderly; SIGTERM would wait for its clients.
    signal(pid, "INT");
    if (!hasEnded(leftover.get(), data)) {
      signal(pid, "QUIT");
      if (!hasEnded(leftover.get(), data)) {
        throw new IOException(
            "Postgres (process %d) runs on %s and does not stop".formatted(pid, data));
      }
    }
  }

  /** A process id may have gone to another program since: only a postgres of this folder counts. */
  private static boolean isPostgresOf(ProcessHandle process, Path data) {
    ProcessHandle.Info info = process.info();
    boolean postgres = info.command().map(command -> command.endsWith("/postgres")).orElse(false);
    return postgres
        && info.arguments()
            .map(arguments -> List.of(arguments).contains(data.toString()))
            .orElse(true);
  }

  private static void signal(long pid, String name) throws IOException {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid)).inheritIO().start();
    try {
      if (!kill.waitFor(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        kill.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while stopping process " + pid, e);
    }
  }

  /**
   * Waits until the process is gone, or is no Postgres any more: where nobody collects the ended
   * children of others, as in a container without an init, it stays as a zombie.
   */
  private static boolean hasEnded(ProcessHandle process, Path data) throws IOException {
    long deadline = System.nanoTime() + STOP_TIMEOUT.toNanos();
    while (System.nanoTime() < deadline) {
      try {
        ProcessHandle ignored = process.onExit().get(100, TimeUnit.MILLISECONDS);
        return true;
      } catch (TimeoutException stillThere) {
        if (!isPostgresOf(process, data)) {
          return true;
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while process " + process.pid() + " stops", e);
      } catch (ExecutionException e) {
        throw new IOException("process " + process.pid() + " can't be waited for", e);
      }
    }
    return false;
  }

  private static int freePort(Path file) throws IOException {
    if (Files.exists(file)) {
      String remembered = Files.readString(file).strip();
      if (remembered.matches("\\d{1,5}") && isFree(Integer.parseInt(remembered))) {
        return Integer.parseInt(remembered);
      }
    }
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static boolean isFree(int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return socket.isBound();
    } catch (IOException taken) {
      return false;
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
