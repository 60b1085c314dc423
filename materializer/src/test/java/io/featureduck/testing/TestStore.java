package io.featureduck.testing;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Storage;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;

/**
 * An online store in an empty database of its own, of one of the four forms that there are. SQL
 * that both databases take is asked of it: identifiers in double quotes, times in UTC.
 */
public final class TestStore {
  private final Form form;
  private final String name;
  private final int port;

  private TestStore(Form form, String name, int port) {
    this.form = form;
    this.name = name;
    this.port = port;
  }

  /** A database and how a view's rows lie in it. */
  public enum Form {
    POSTGRES_TYPED(OnlineStoreSettings.Type.POSTGRES, Storage.TYPED),
    POSTGRES_JSONB(OnlineStoreSettings.Type.POSTGRES, Storage.JSONB),
    MYSQL_TYPED(OnlineStoreSettings.Type.MYSQL, Storage.TYPED),
    MYSQL_JSON(OnlineStoreSettings.Type.MYSQL, Storage.JSONB);

    private final OnlineStoreSettings.Type type;
    private final Storage storage;

    Form(OnlineStoreSettings.Type type, Storage storage) {
      this.type = type;
      this.storage = storage;
    }

    public OnlineStoreSettings.Type type() {
      return type;
    }

    public Storage storage() {
      return storage;
    }

    /** Makes an empty database; nothing is migrated yet. */
    public TestStore create() throws SQLException {
      return switch (type) {
        case POSTGRES -> {
          TestPostgres.Database database = TestPostgres.newDatabase();
          yield new TestStore(this, database.name(), database.port());
        }
        case MYSQL -> {
          TestMariaDb.Database database = TestMariaDb.newDatabase();
          yield new TestStore(this, database.name(), database.port());
        }
      };
    }
  }

  public Form form() {
    return form;
  }

  /** Returns the name of the database. */
  public String name() {
    return name;
  }

  public int port() {
    return port;
  }

  /** Returns this database as it is reached through another port of this machine. */
  public TestStore behind(int otherPort) {
    return new TestStore(form, name, otherPort);
  }

  /** Returns the address in the form of the config's {@code online_store.url}. */
  public String url() {
    return switch (form.type()) {
      case POSTGRES -> "postgresql://postgres@127.0.0.1:" + port + "/" + name;
      case MYSQL -> "mysql://duck@127.0.0.1:" + port + "/" + name;
    };
  }

  public OnlineStoreSettings settings() {
    return switch (form.type()) {
      case POSTGRES -> settings(url(), Optional.empty(), "public");
      case MYSQL -> settings(url(), Optional.of(new Secret(TestMariaDb.PASSWORD)), name);
    };
  }

  private OnlineStoreSettings settings(String url, Optional<Secret> password, String schema) {
    return new OnlineStoreSettings(
        form.type(), url, password, schema, Duration.ofSeconds(1), 1, 2, 128, 10_000);
  }

  /** Returns the settings for another user of the database. */
  public OnlineStoreSettings settingsOf(String user) {
    OnlineStoreSettings own = settings();
    return settings(
        own.url().replaceFirst("//[a-z]+@", "//" + user + "@"), own.password(), own.schema());
  }

  /** Returns {@code online_store} of a config. */
  public String json() {
    return switch (form.type()) {
      case POSTGRES -> "{\"type\": \"postgres\", \"url\": \"%s\"}".formatted(url());
      case MYSQL ->
          "{\"type\": \"mysql\", \"url\": \"%s\", \"password\": \"%s\"}"
              .formatted(url(), TestMariaDb.PASSWORD);
    };
  }

  /** Connects; a session of MySQL is told to be as one of Postgres. */
  public Connection connect() throws SQLException {
    Properties properties = new Properties();
    return switch (form.type()) {
      case POSTGRES -> {
        properties.setProperty("user", "postgres");
        properties.setProperty("options", "-c TimeZone=UTC");
        yield DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:%d/%s".formatted(port, name), properties);
      }
      case MYSQL -> {
        properties.setProperty("user", "duck");
        properties.setProperty("password", TestMariaDb.PASSWORD);
        properties.setProperty("allowMultiQueries", "true");
        properties.setProperty(
            "sessionVariables", "sql_mode='ANSI,STRICT_ALL_TABLES',time_zone='+00:00'");
        yield DriverManager.getConnection(
            "jdbc:mariadb://127.0.0.1:%d/%s".formatted(port, name), properties);
      }
    };
  }

  /** Runs one or more statements, each committed on its own if it says nothing else. */
  public void execute(String sql) throws SQLException {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }

  /** Returns the first column of each row as text; NULL is {@code null}. */
  public List<String> query(String sql) throws SQLException {
    try (Connection connection = connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(String.valueOf(rows.getString(1)));
      }
      return found;
    }
  }

  /** Returns the first column of the one row. */
  public long number(String sql) throws SQLException {
    List<String> rows = query(sql);
    if (rows.size() != 1) {
      throw new IllegalStateException("%d rows of %s".formatted(rows.size(), sql));
    }
    return Long.parseLong(rows.getFirst());
  }

  /**
   * Returns the SQL that has a feature's value as a whole number.
   *
   * @param feature of a name that needs no quoting
   */
  public String whole(String feature) {
    return switch (form) {
      case POSTGRES_TYPED, MYSQL_TYPED -> feature;
      case POSTGRES_JSONB -> "CAST(features ->> '" + feature + "' AS BIGINT)";
      case MYSQL_JSON -> "CAST(JSON_VALUE(features, '$." + feature + "') AS SIGNED)";
    };
  }

  /** As {@link #whole}, for a FLOAT64. */
  public String real(String feature) {
    return switch (form) {
      case POSTGRES_TYPED, MYSQL_TYPED -> feature;
      case POSTGRES_JSONB -> "CAST(features ->> '" + feature + "' AS DOUBLE PRECISION)";
      case MYSQL_JSON -> "CAST(JSON_VALUE(features, '$." + feature + "') AS DOUBLE)";
    };
  }

  /** As {@link #whole}, for a STRING. */
  public String text(String feature) {
    return switch (form) {
      case POSTGRES_TYPED, MYSQL_TYPED -> feature;
      case POSTGRES_JSONB -> "features ->> '" + feature + "'";
      case MYSQL_JSON -> "JSON_VALUE(features, '$." + feature + "')";
    };
  }

  /** Returns the names of the tables that are not FeatureDuck's own, in order. */
  public List<String> tables() throws SQLException {
    return query(
        switch (form.type()) {
          case POSTGRES ->
              "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                  + " AND (relname NOT LIKE 'featureduck\\_%' OR relname LIKE 'featureduck\\_run\\_%') ORDER BY 1";
          case MYSQL ->
              "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name NOT LIKE 'featureduck%' ORDER BY 1";
        });
  }

  @Override
  public String toString() {
    return form + " " + name;
  }
}
