package io.featureduck.loadtest;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Comparator;
import java.util.stream.Stream;

/** A Postgres for the time of a measurement. User {@code postgres}, no password. */
final class Databases implements AutoCloseable {
  private final EmbeddedPostgres server;

  private Databases(EmbeddedPostgres server) {
    this.server = server;
  }

  static Databases start() throws IOException {
    return new Databases(
        EmbeddedPostgres.builder()
            .setServerConfig("shared_buffers", "1GB")
            .setServerConfig("max_wal_size", "8GB")
            .setServerConfig("max_connections", "100")
            .start());
  }

  int port() {
    return server.getPort();
  }

  /** Makes a database; returns its address as {@code online_store.url} takes it. */
  String make(String name) throws SQLException {
    execute("postgres", "CREATE DATABASE " + name);
    return url(name);
  }

  /** Returns the address of a database as {@code online_store.url} takes it. */
  String url(String name) {
    return "postgresql://postgres@127.0.0.1:" + port() + "/" + name;
  }

  String jdbc(String database) {
    return "jdbc:postgresql://127.0.0.1:" + port() + "/" + database + "?user=postgres";
  }

  /** Runs one or more statements. */
  void execute(String database, String sql) throws SQLException {
    try (Connection connection = DriverManager.getConnection(jdbc(database));
        Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }

  static void delete(Path directory) throws IOException {
    try (Stream<Path> found = Files.walk(directory)) {
      for (Path path : found.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
