package io.featureduck.definition;

import java.time.Duration;
import java.util.Optional;

/**
 * Where the newest values are kept and how they are read.
 *
 * @param url {@code postgresql://[user@]host[:port]/database} or {@code mysql://…}, without the
 *     password
 * @param password empty where the server wants none
 * @param schema one per project; in MySQL, which has none, the url's database
 * @param timeout of one query
 * @param connectionsPerLoop that an event loop keeps open
 * @param queriesPerLoop in flight at once on an event loop: of a view in Postgres, of all in MySQL
 * @param keysPerQuery coalesced into one query at the most
 * @param waitingKeysPerLoop beyond which lookups are refused
 */
public record OnlineStoreSettings(
    Type type,
    String url,
    Optional<Secret> password,
    String schema,
    Duration timeout,
    int connectionsPerLoop,
    int queriesPerLoop,
    int keysPerQuery,
    int waitingKeysPerLoop) {
  /** The database behind the store. */
  public enum Type {
    POSTGRES(5432),
    /** MySQL or MariaDB. */
    MYSQL(3306);

    private final int port;

    Type(int port) {
      this.port = port;
    }

    /** Returns the port where the url has none. */
    public int port() {
      return port;
    }
  }
}
