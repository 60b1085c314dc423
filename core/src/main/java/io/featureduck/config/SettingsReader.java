package io.featureduck.config;

import com.sun.management.OperatingSystemMXBean;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.MySqlStoreAddress;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.definition.ServerSettings;
import java.lang.management.ManagementFactory;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads what is not a definition: server, online store, materializer. Holds their defaults. */
final class SettingsReader {
  private static final Pattern STORE_URL =
      Pattern.compile(
          "(?<scheme>postgresql|mysql)://(?:(?<user>[^:@/?#\\s]+)(?::(?<password>[^@/?#\\s]*))?@)?"
              + "(?<address>(?:\\[[0-9A-Fa-f:.]+\\]|[^:/?#@\\s\\[\\]]+)(?::(?<port>\\d{1,5}))?)"
              + "/(?<rest>[^/?#\\s]+(?:\\?[^#\\s]*)?)");
  private static final Pattern PASSWORD_PARAMETER =
      Pattern.compile("[?&](ssl)?password=", Pattern.CASE_INSENSITIVE);
  private static final Duration TIMEOUT_MAX = Duration.ofSeconds(30);
  private static final Duration LEASE_MIN = Duration.ofSeconds(3);
  private static final Duration CACHE_MAX_AGE = Duration.ofSeconds(30);
  private static final long MEBIBYTE = 1L << 20;

  private SettingsReader() {}

  static ServerSettings server(Node server) {
    Duration timeout = server.duration("timeout", Duration.ofSeconds(2));
    if (timeout.compareTo(TIMEOUT_MAX) > 0) {
      server
          .child("timeout")
          .mistake("expected at most 30s, found " + server.child("timeout").shown());
    }
    Node cache = server.child("cache");
    return new ServerSettings(
        server.text("host", "127.0.0.1"),
        server.integer("port", 8080),
        server.integer("batch_max", 1_000),
        bytes(server, "body_max", 4 * MEBIBYTE, 1_024 * MEBIBYTE),
        bytes(server, "header_max", MEBIBYTE / 64, 16 * MEBIBYTE),
        timeout,
        server.duration("drain", Duration.ofSeconds(10)),
        cache.bytes("size", Runtime.getRuntime().maxMemory()).orElse(0L),
        cache.duration("stale_if_error", Duration.ofMinutes(5)));
  }

  /** Returns how long views cache rows that don't say so themselves. */
  static Duration cacheMaxAge(Node server) {
    return server.child("cache").durationOrZero("max_age", CACHE_MAX_AGE);
  }

  private static int bytes(Node node, String key, long absent, long max) {
    long bytes = node.bytes(key, 0).orElse(absent);
    if (bytes > max) {
      node.child(key)
          .mistake(
              "expected at most %dMiB, found %s"
                  .formatted(max / MEBIBYTE, node.child(key).shown()));
      return (int) absent;
    }
    return (int) bytes;
  }

  static OnlineStoreSettings onlineStore(Node store) {
    Node type = store.child("type");
    boolean mySql = type.text().filter("mysql"::equals).isPresent();
    String scheme = mySql ? "mysql" : "postgresql";
    Optional<String> password = store.text("password");
    Node address = store.child("url");
    String url = "";
    if (address.text().isPresent()) {
      Matcher matcher = STORE_URL.matcher(address.text().get());
      // Its text is not shown: it may hold a password, also where it can't be read.
      if (!matcher.matches()
          || !matcher.group("scheme").equals(scheme)
          || portOf(matcher) > 65_535) {
        address.mistake(
            mySql
                ? "expected mysql://user@host:3306/database"
                : "expected postgresql://user@host:5432/database");
      } else if (PASSWORD_PARAMETER.matcher(matcher.group("rest")).find()) {
        // Parameters are shown wherever the address is.
        address.mistake("holds a password as a parameter: put it into 'password'");
      } else if (matcher.group("password") == null) {
        url = matcher.group();
      } else {
        if (password.isPresent()) {
          address.mistake("holds a password, and 'password' is there, too: leave out one of them");
        }
        password = Optional.of(decoded(address, matcher.group("password")));
        url =
            "%s://%s@%s/%s"
                .formatted(
                    scheme, matcher.group("user"), matcher.group("address"), matcher.group("rest"));
      }
    }
    return new OnlineStoreSettings(
        mySql ? OnlineStoreSettings.Type.MYSQL : OnlineStoreSettings.Type.POSTGRES,
        url,
        password.filter(text -> !text.isEmpty()).map(Secret::new),
        mySql ? database(store, url) : schema(store),
        store.duration("timeout", Duration.ofSeconds(1)),
        store.integer("connections_per_loop", 1),
        store.integer("queries_per_loop", 2),
        store.integer("keys_per_query", 128),
        store.integer("waiting_keys_per_loop", 10_000));
  }

  private static String schema(Node store) {
    Node schema = store.child("schema");
    String name = schema.identifier().orElse("public");
    if (!Node.fitsIdentifier(name)) {
      schema.mistake("expected at most 63 bytes without control characters");
    }
    return name;
  }

  /**
   * Returns the database of a MySQL store, which is what MySQL calls a schema.
   *
   * @param url empty where it can't be read, which has been told
   */
  private static String database(Node store, String url) {
    if (url.isEmpty()) {
      return "";
    }
    String database;
    try {
      database = MySqlStoreAddress.parse(url).database();
    } catch (IllegalArgumentException refused) {
      store.child("url").mistake(String.valueOf(refused.getMessage()));
      return "";
    }
    Node schema = store.child("schema");
    schema
        .text()
        .filter(name -> !name.equals(database))
        .ifPresent(name ->
            schema.mistake(
                "in MySQL it is the url's database, %s".formatted(Node.quoted(database))));
    return database;
  }

  private static int portOf(Matcher url) {
    String port = url.group("port");
    return port == null ? 0 : Integer.parseInt(port);
  }

  private static String decoded(Node address, String password) {
    try {
      // A + is a plus sign in an address's user part.
      return URLDecoder.decode(password.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException refused) {
      address.mistake("its password has a '%' that is not followed by two hexadecimal digits");
      return "";
    }
  }

  /**
   * @param home of the user that runs this
   */
  static MaterializerSettings materializer(Node materializer, String home) {
    Node engine = materializer.child("engine");
    if (engine.text().filter("spark"::equals).isPresent()) {
      engine.mistake("spark is not built yet: expected 'duckdb'");
    }
    long memory = memoryBytes();
    long limit = materializer.bytes("memory_limit", memory).orElse(memory / 4);
    return new MaterializerSettings(
        materializer.integer(
            "threads", Math.max(1, Runtime.getRuntime().availableProcessors() - 1)),
        memoryLimit(materializer, limit),
        materializer.integer("concurrent_runs", 2),
        materializer.duration("run_timeout", Duration.ofHours(1)),
        lease(materializer),
        materializer.integer("retries", 3),
        materializer.duration("freshness_interval", Duration.ofSeconds(5)),
        materializer.path("state_directory", ".featureduck/state", home).orElse(Path.of(home)),
        materializer
            .path("extension_directory", "~/.featureduck/extensions", home)
            .orElse(Path.of(home)));
  }

  private static Duration lease(Node materializer) {
    Duration lease = materializer.duration("run_lease", Duration.ofSeconds(15));
    if (lease.compareTo(LEASE_MIN) < 0) {
      materializer
          .child("run_lease")
          .mistake(
              "expected at least %ds, for a run gives a sign of life once a second; found %s"
                  .formatted(LEASE_MIN.toSeconds(), materializer.child("run_lease").shown()));
    }
    return lease;
  }

  /** Returns the limit as it was written, unless it is a share or has no unit. */
  private static String memoryLimit(Node materializer, long bytes) {
    return materializer
        .text("memory_limit")
        .filter(text -> text.endsWith("B"))
        .orElseGet(() -> Math.max(1, bytes / MEBIBYTE) + "MiB");
  }

  /** Returns the memory of the machine, or of the container that this runs in. */
  private static long memoryBytes() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }
}
