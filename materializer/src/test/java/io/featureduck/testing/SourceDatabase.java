package io.featureduck.testing;

import java.sql.Connection;
import java.sql.SQLException;

/** A database of its own that a test has its sources in, whichever server it is on. */
public sealed interface SourceDatabase permits TestPostgres.Database, TestMariaDb.Database {
  String name();

  int port();

  SourceServer server();

  /** Returns a source's {@code source_type}. */
  String sourceType();

  /** Returns a source's {@code schema}: where tables are that were made without one. */
  String schema();

  /** Returns the address in the form of a source's {@code connection_string}. */
  String connectionString();

  /** Returns the address as JDBC has it, with who asks. */
  String address();

  /** Returns the same database by way of another port of this machine. */
  SourceDatabase behind(int otherPort);

  Connection connect() throws SQLException;

  /** Runs one or more statements, each committed on its own if it says nothing else. */
  void execute(String sql) throws SQLException;
}
