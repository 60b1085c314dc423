package io.featureduck.definition;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a MySQL online store is and as whom it is asked, from {@code online_store.url}: {@code
 * mysql://duck@db:3306/shop?ssl-mode=verify_ca&ssl-ca=/etc/ssl/ca.pem}, whose user, database and
 * parameters may be percent-encoded. The parameters are those of the mysql command that every
 * client of a store can do: {@code ssl-mode} (disabled, which is the default, required, verify_ca,
 * verify_identity), {@code ssl-ca}, {@code ssl-cert} and {@code ssl-key}, paths of PEM files.
 *
 * @param user root where the address has none
 * @param host without the brackets of an IPv6 address
 */
public record MySqlStoreAddress(String user, String host, int port, String database, Tls tls) {
  private static final Pattern URL =
      Pattern.compile(
          "mysql://(?:(?<user>[^:@/?#\\s]+)@)?(?:\\[(?<address>[0-9A-Fa-f:.]+)\\]|(?<host>[^:/?#@%,()=\\s\\[\\]]+))(?::(?<port>\\d{1,5}))?/(?<database>[^/?#\\s]+)(?:\\?(?<parameters>[^#\\s]*))?");
  private static final Pattern WITH_PASSWORD = Pattern.compile("mysql://[^:@/]+:[^@/]*@");
  private static final int PORT_MAX = 65_535;
  private static final List<String> PARAMETERS =
      List.of("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key");

  /** How far a connection is protected. */
  public enum TlsMode {
    /** Not at all. */
    DISABLED,
    /** Encrypted, whoever answers. */
    REQUIRED,
    /** Encrypted, by someone whose certificate is of the authority. */
    VERIFY_CA,
    /** As before, and the certificate is of this host. */
    VERIFY_IDENTITY;

    public boolean isVerified() {
      return this == VERIFY_CA || this == VERIFY_IDENTITY;
    }
  }

  /**
   * How a connection is protected.
   *
   * @param authority the path of a PEM file with certificates; there where the mode is verified
   * @param identity what this client shows of itself; never there where TLS is disabled
   */
  public record Tls(TlsMode mode, Optional<String> authority, Optional<ClientIdentity> identity) {}

  /** Paths of PEM files: a client's certificate, and its key. */
  public record ClientIdentity(String certificate, String key) {}

  /**
   * Reads the address of a store.
   *
   * @throws FeatureException INVALID_CONFIG, repeating nothing of the address
   */
  public static MySqlStoreAddress of(OnlineStoreSettings settings) {
    try {
      return parse(settings.url());
    } catch (IllegalArgumentException refused) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG, "online_store.url: " + refused.getMessage(), refused);
    }
  }

  /**
   * Reads an address without a password.
   *
   * @throws IllegalArgumentException with a message that repeats nothing of the address
   */
  public static MySqlStoreAddress parse(String text) {
    Matcher url = URL.matcher(text);
    String port = "";
    if (url.matches()) {
      port =
          Optional.ofNullable(url.group("port")).orElse("" + OnlineStoreSettings.Type.MYSQL.port());
    }
    if (port.isEmpty() && WITH_PASSWORD.matcher(text).lookingAt()) {
      throw new IllegalArgumentException("it holds a password: put it into online_store.password");
    }
    if (port.isEmpty() || Integer.parseInt(port) > PORT_MAX) {
      throw new IllegalArgumentException("expected mysql://user@host:3306/database");
    }
    String database = decoded(url.group("database"));
    if (database.contains("?") || database.contains("/")) {
      // A client would take what comes after it for something else.
      throw new IllegalArgumentException("a database with '?' or '/' in its name can't be reached");
    }
    return new MySqlStoreAddress(
        Optional.ofNullable(url.group("user")).map(MySqlStoreAddress::decoded).orElse("root"),
        Optional.ofNullable(url.group("host")).orElseGet(() -> url.group("address")),
        Integer.parseInt(port),
        database,
        tls(parameters(Optional.ofNullable(url.group("parameters")).orElse(""))));
  }

  private static Map<String, String> parameters(String text) {
    Map<String, String> parameters = new LinkedHashMap<>();
    if (text.isEmpty()) {
      return parameters;
    }
    for (String parameter : text.split("&", -1)) {
      String[] pair = parameter.split("=", 2);
      String key = pair[0].toLowerCase(Locale.ROOT).replace('_', '-');
      if (pair.length < 2 || !PARAMETERS.contains(key)) {
        throw new IllegalArgumentException(
            "a parameter is none of %s=…%s"
                .formatted(String.join("=…, ", PARAMETERS), Nearest.hint(key, PARAMETERS)));
      }
      if (parameters.put(key, decoded(pair[1])) != null) {
        throw new IllegalArgumentException("'%s' is there twice".formatted(key));
      }
    }
    return parameters;
  }

  private static Tls tls(Map<String, String> parameters) {
    TlsMode mode = mode(parameters.getOrDefault("ssl-mode", "disabled"));
    Optional<String> authority = Optional.ofNullable(parameters.get("ssl-ca"));
    Optional<String> certificate = Optional.ofNullable(parameters.get("ssl-cert"));
    Optional<String> key = Optional.ofNullable(parameters.get("ssl-key"));
    if (mode.isVerified() && authority.isEmpty()) {
      throw new IllegalArgumentException("its 'ssl-mode' needs an 'ssl-ca'");
    }
    if (certificate.isPresent() != key.isPresent()) {
      throw new IllegalArgumentException("of 'ssl-cert' and 'ssl-key' one is there alone");
    }
    if (mode == TlsMode.DISABLED && (authority.isPresent() || key.isPresent())) {
      throw new IllegalArgumentException("it names certificates but no 'ssl-mode' that uses them");
    }
    return new Tls(
        mode, authority, certificate.flatMap(own -> key.map(its -> new ClientIdentity(own, its))));
  }

  private static TlsMode mode(String name) {
    return switch (name.toLowerCase(Locale.ROOT).replace('-', '_')) {
      case "disabled" -> TlsMode.DISABLED;
      case "required" -> TlsMode.REQUIRED;
      case "verify_ca" -> TlsMode.VERIFY_CA;
      case "verify_identity" -> TlsMode.VERIFY_IDENTITY;
      // Not preferred: whoever stands between could have it that nothing is encrypted.
      default ->
          throw new IllegalArgumentException(
              "expected an 'ssl-mode' of disabled, required, verify_ca or verify_identity");
    };
  }

  private static String decoded(String value) {
    try {
      return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      // The cause would repeat the text.
      throw new IllegalArgumentException("a '%' begins no percent-encoded character");
    }
  }

  /** Returns the host and the port as addresses have them. */
  public String hostAndPort() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
