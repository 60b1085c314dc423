package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.vertx.core.net.ClientSSLOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.mysqlclient.MySQLConnectOptions;
import io.vertx.mysqlclient.SslMode;
import io.vertx.pgclient.PgConnectOptions;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How the online store is connected to, in the words of each database's client. */
final class StoreOptions {
  private static final int PIPELINE_MAX = 256;
  private static final int STATEMENTS_MAX = 2_048;
  private static final int STATEMENT_CHARACTERS_MAX = 1 << 20;

  private static final Pattern MYSQL_URL =
      Pattern.compile(
          "mysql://(?:(?<user>[^:@/?]+)@)?(?:\\[(?<address>[^\\]]+)\\]|(?<host>[^:@/?]+))(?::(?<port>\\d+))?/(?<database>[^/?]+)(?:\\?(?<parameters>.*))?");
  private static final List<String> MYSQL_PARAMETERS =
      List.of("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key");

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
   * Reads a MySQL store's address, whose parameters are those of the mysql command: {@code
   * ssl-mode} (disabled, preferred, required, verify_ca, verify_identity; default disabled), {@code
   * ssl-ca}, {@code ssl-cert} and {@code ssl-key}, paths of PEM files.
   *
   * @param name what the store's administrators see the connection as
   * @throws FeatureException INVALID_CONFIG, repeating no value
   */
  /* One command at a time: the client, where a connection is lost, fails the first of those that are
   * out and leaves the others waiting; and not every proxy before a MySQL takes a second one.
   *
   * Not the client's own fromUri, which leaves ssl-mode unread and so connects in the clear. */
  static MySQLConnectOptions mySql(OnlineStoreSettings settings, String name) {
    Matcher url = MYSQL_URL.matcher(settings.url());
    if (!url.matches()) {
      throw invalid("is not of the form mysql://user@host:3306/database");
    }
    MySQLConnectOptions options = new MySQLConnectOptions();
    String user = url.group("user");
    if (user != null) {
      options.setUser(decoded(user));
    }
    String host = url.group("host");
    options.setHost(host == null ? url.group("address") : decoded(host));
    String port = url.group("port");
    options.setPort(port == null ? settings.type().port() : Integer.parseInt(port));
    options.setDatabase(decoded(url.group("database")));
    settings.password().ifPresent(secret -> options.setPassword(secret.reveal()));
    encrypt(options, parameters(url.group("parameters")));
    return options
        .setPipeliningLimit(1)
        .setCachePreparedStatements(true)
        .setPreparedStatementCacheMaxSize(STATEMENTS_MAX)
        .setPreparedStatementCacheSqlLimit(STATEMENT_CHARACTERS_MAX)
        .setReconnectAttempts(0)
        .addProperty("program_name", name);
  }

  private static Map<String, String> parameters(@org.jspecify.annotations.Nullable String text) {
    Map<String, String> parameters = new HashMap<>();
    if (text == null || text.isEmpty()) {
      return parameters;
    }
    for (String parameter : text.split("&", -1)) {
      String[] pair = parameter.split("=", 2);
      String key = pair[0].toLowerCase(Locale.ROOT).replace('_', '-');
      if (pair.length < 2 || !MYSQL_PARAMETERS.contains(key)) {
        throw invalid(
            "has a parameter that is none of " + String.join("=…, ", MYSQL_PARAMETERS) + "=…");
      }
      if (parameters.put(key, decoded(pair[1])) != null) {
        throw invalid("has '%s' twice".formatted(key));
      }
    }
    return parameters;
  }

  private static void encrypt(MySQLConnectOptions options, Map<String, String> parameters) {
    String ca = parameters.get("ssl-ca");
    String certificate = parameters.get("ssl-cert");
    String key = parameters.get("ssl-key");
    SslMode mode = mode(parameters.getOrDefault("ssl-mode", "disabled"));
    boolean verified = mode == SslMode.VERIFY_CA || mode == SslMode.VERIFY_IDENTITY;
    if (verified && ca == null) {
      throw invalid("needs 'ssl-ca' with its 'ssl-mode'");
    }
    if ((certificate == null) != (key == null)) {
      throw invalid("has one of 'ssl-cert' and 'ssl-key' alone");
    }
    if (mode == SslMode.DISABLED) {
      if (ca != null || key != null) {
        throw invalid("names certificates but no 'ssl-mode'");
      }
      return;
    }
    ClientSSLOptions ssl =
        new ClientSSLOptions()
            .setTrustAll(!verified)
            .setHostnameVerificationAlgorithm(mode == SslMode.VERIFY_IDENTITY ? "HTTPS" : "");
    if (verified) {
      ssl.setTrustOptions(new PemTrustOptions().addCertPath(ca));
    }
    if (key != null) {
      ssl.setKeyCertOptions(new PemKeyCertOptions().addCertPath(certificate).addKeyPath(key));
    }
    options.setSslMode(mode).setSslOptions(ssl);
  }

  private static SslMode mode(String name) {
    String known = name.toLowerCase(Locale.ROOT).replace('-', '_');
    for (SslMode mode : SslMode.VALUES) {
      if (mode.value.equals(known)) {
        return mode;
      }
    }
    throw invalid(
        "has an 'ssl-mode' that is none of disabled, preferred, required, verify_ca, verify_identity");
  }

  private static String decoded(String value) {
    try {
      return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      // The cause would repeat the text.
      throw invalid("has a '%' that begins no percent-encoded character");
    }
  }

  private static FeatureException invalid(String what) {
    return new FeatureException(ErrorCode.INVALID_CONFIG, "online_store.url " + what);
  }
}
