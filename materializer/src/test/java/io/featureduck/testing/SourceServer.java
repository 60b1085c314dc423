package io.featureduck.testing;

import java.sql.SQLException;

/** The kinds of server that tests have their sources on. */
public enum SourceServer {
  POSTGRES,
  MARIADB;

  /** Makes an empty database on the one server of this kind. */
  public SourceDatabase newDatabase() throws SQLException {
    return switch (this) {
      case POSTGRES -> TestPostgres.newDatabase();
      case MARIADB -> TestMariaDb.newDatabase();
    };
  }
}
