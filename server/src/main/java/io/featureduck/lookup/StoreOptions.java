package io.featureduck.lookup;

import io.featureduck.definition.MySqlStoreAddress;
import io.featureduck.definition.MySqlStoreAddress.ClientIdentity;
import io.featureduck.definition.MySqlStoreAddress.Tls;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.FeatureException;
import io.vertx.core.net.ClientSSLOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.mysqlclient.MySQLConnectOptions;
import io.vertx.mysqlclient.SslMode;
import io.vertx.pgclient.PgConnectOptions;
import java.util.Map;

/** How the online store is connected to, in the words of each database's client. */
final class StoreOptions {
  private static final int PIPELINE_MAX = 256;
  private static final int STATEMENTS_MAX = 2_048;
  private static final int STATEMENT_CHARACTERS_MAX = 1 << 20;

  private StoreOptions() {}

  /**
   * @param name what the store's administrators see the connection as
   */
  static PgConnectOptions postgres(OnlineStoreSettings settings, String name) {
    PgConnectOptions options = PgConnectOptions.fromUri(settings.url());
    settings.password().ifPresent(secret -> options.setPassword(secret.reveal()));
    options
        .setPipeliningLimit(PIPELINE_MAX)
        .setCachePreparedStatements(true)
        .setPreparedStatementCacheMaxSize(STATEMENTS_MAX)
        .setPreparedStatementCacheSqlLimit(STATEMENT_CHARACTERS_MAX)
        .setReconnectAttempts(0)
        .setProperties(Map.of("application_name", name, "TimeZone", "UTC"));
    return options;
  }

  /**
   * @param name what the store's administrators see the connection as
   * @throws FeatureException INVALID_CONFIG, repeating no value
   */
  /* One command at a time: the client, where a connection is lost, fails the first of those that are
   * out and leaves the others waiting; and not every proxy before a MySQL takes a second one.
   *
   * Not the client's own fromUri, which leaves ssl-mode unread and so connects in the clear. */
  static MySQLConnectOptions mySql(OnlineStoreSettings settings, String name) {
    MySqlStoreAddress address = MySqlStoreAddress.of(settings);
    MySQLConnectOptions options = new MySQLConnectOptions();
    options
        .setUser(address.user())
        .setHost(address.host())
        .setPort(address.port())
        .setDatabase(address.database());
    settings.password().ifPresent(secret -> options.setPassword(secret.reveal()));
    protect(options, address.tls());
    return options
        .setPipeliningLimit(1)
        .setCachePreparedStatements(true)
        .setPreparedStatementCacheMaxSize(STATEMENTS_MAX)
        .setPreparedStatementCacheSqlLimit(STATEMENT_CHARACTERS_MAX)
        .setReconnectAttempts(0)
        .addProperty("program_name", name);
  }

  private static void protect(MySQLConnectOptions options, Tls tls) {
    SslMode mode =
        switch (tls.mode()) {
          case DISABLED -> SslMode.DISABLED;
          case REQUIRED -> SslMode.REQUIRED;
          case VERIFY_CA -> SslMode.VERIFY_CA;
          case VERIFY_IDENTITY -> SslMode.VERIFY_IDENTITY;
        };
    if (mode == SslMode.DISABLED) {
      return;
    }
    ClientSSLOptions ssl =
        new ClientSSLOptions()
            .setTrustAll(!tls.mode().isVerified())
            .setHostnameVerificationAlgorithm(mode == SslMode.VERIFY_IDENTITY ? "HTTPS" : "");
    if (tls.mode().isVerified()) {
      ssl.setTrustOptions(new PemTrustOptions().addCertPath(tls.authority().orElseThrow()));
    }
    if (tls.identity().isPresent()) {
      ClientIdentity own = tls.identity().get();
      ssl.setKeyCertOptions(
          new PemKeyCertOptions().addCertPath(own.certificate()).addKeyPath(own.key()));
    }
    options.setSslMode(mode).setSslOptions(ssl);
  }
}
