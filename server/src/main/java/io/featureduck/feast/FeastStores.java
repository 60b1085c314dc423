package io.featureduck.feast;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The databases that {@code feature_store.yaml} names. A password is never taken from it: it stays
 * a variable, or becomes one.
 */
final class FeastStores {
  static final String STORE_URL = "FEATUREDUCK_STORE_URL";
  private static final String SOURCE = "FEATUREDUCK_SOURCE";
  private static final String STORE_PASSWORD = "FEAST_ONLINE_STORE_PASSWORD";
  private static final String SOURCE_PASSWORD = "FEAST_OFFLINE_STORE_PASSWORD";

  /** What Feast takes where its Postgres settings say nothing. */
  private static final String SSL_MODE = "require";

  private static final String PUBLIC = "public";

  /** A host and nothing else: no socket's folder, no list. */
  private static final Pattern HOST = Pattern.compile("[^/,?#@\\s\\[\\]]+");

  /** Settings that are read here, or mean nothing outside of Feast. */
  private static final Set<String> OWN_SETTINGS =
      Set.of(
          "project",
          "project_description",
          "provider",
          "registry",
          "online_store",
          "offline_store",
          "entity_key_serialization_version",
          "flags",
          "repo_path");

  private final JsonNode settings;
  private final Findings findings;
  private @Nullable TableStore tables;

  FeastStores(JsonNode settings, Findings findings) {
    this.settings = settings;
    this.findings = findings;
  }

  /** Tells of what {@code feature_store.yaml} sets besides the stores. */
  void tellOtherSettings() {
    settings
        .properties()
        .forEach(setting -> {
          boolean off =
              setting.getKey().equals("auth")
                  && setting.getValue().path("type").asString("").equals("no_auth");
          if (!OWN_SETTINGS.contains(setting.getKey()) && !off) {
            findings.notTaken(
                "setting",
                setting.getKey(),
                "what feature_store.yaml sets there is of Feast's own service",
                "");
          }
        });
  }

  /** Returns the config's {@code online_store}: Feast's database where that is Postgres. */
  ObjectNode onlineStore() {
    JsonNode store = settings.path("online_store");
    String type = store.path("type").asString("sqlite");
    if (!isPostgres(store, "PostgreSQLOnlineStore") || !isComplete(store)) {
      return unknownStore(type, "features are kept in Postgres here");
    }
    if (!HOST.matcher(text(store, "host")).matches()) {
      return unknownStore(type, "its host can't stand in a URL");
    }
    ObjectNode ours = JsonNodeFactory.instance.objectNode().put("type", "postgres");
    ours.put("url", url(store));
    password(store, STORE_PASSWORD, "online store")
        .ifPresent(password -> ours.put("password", password));
    String schema = text(store, "db_schema");
    if (!schema.isEmpty() && !schema.equals(PUBLIC)) {
      ours.put("schema", SettingText.withVariables(schema));
    }
    for (String file : new String[] {"sslkey_path", "sslcert_path", "sslrootcert_path"}) {
      if (!text(store, file).isEmpty()) {
        findings.notTaken("setting", "online_store." + file, "an address has no place for it", "");
      }
    }
    return ours;
  }

  private ObjectNode unknownStore(String type, String reason) {
    findings.changed(
        "online store",
        type,
        reason,
        "set %s to postgresql://user:password@host:5432/database".formatted(STORE_URL));
    return JsonNodeFactory.instance
        .objectNode()
        .put("type", "postgres")
        .put("url", "${" + STORE_URL + "}");
  }

  private static String url(JsonNode store) {
    String user = text(store, "user");
    String host = SettingText.withVariables(text(store, "host"));
    return "postgresql://%s%s:%s/%s%s"
        .formatted(
            user.isEmpty() ? "" : SettingText.withVariables(user, FeastStores::encoded) + "@",
            host.contains(":") ? "[" + host + "]" : host,
            SettingText.withVariables(port(store)),
            SettingText.withVariables(text(store, "database"), FeastStores::encoded),
            sslMode(store).map(mode -> "?sslmode=" + SettingText.withVariables(mode)).orElse(""));
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** Where the tables of Postgres sources are. */
  record TableStore(String connectionString, String schema) {}

  /** Returns the database that Postgres sources are tables of. */
  TableStore tables() {
    TableStore known = tables;
    if (known == null) {
      known = readTables();
      tables = known;
    }
    return known;
  }

  private TableStore readTables() {
    JsonNode store = offlineStore();
    if (store.isMissingNode() || !isComplete(store)) {
      findings.changed(
          "offline store",
          settings.path("offline_store").path("type").asString("file"),
          "it names no database for the Postgres sources",
          "set %s to host=… dbname=… user=… password=…".formatted(SOURCE));
      return new TableStore("${" + SOURCE + "}", PUBLIC);
    }
    Map<String, String> pairs = new LinkedHashMap<>();
    pairs.put("host", text(store, "host"));
    pairs.put("port", port(store));
    pairs.put("dbname", text(store, "database"));
    pairs.put("user", text(store, "user"));
    sslMode(store).ifPresent(mode -> pairs.put("sslmode", mode));
    pairs.put("sslkey", text(store, "sslkey_path"));
    pairs.put("sslcert", text(store, "sslcert_path"));
    pairs.put("sslrootcert", text(store, "sslrootcert_path"));
    StringBuilder connection = new StringBuilder();
    pairs.forEach((key, value) -> {
      if (!value.isEmpty()) {
        connection.append(key).append('=').append(quoted(value)).append(' ');
      }
    });
    password(store, SOURCE_PASSWORD, "offline store")
        .ifPresent(password -> connection.append("password='").append(password).append("' "));
    String schema = text(store, "db_schema");
    return new TableStore(
        connection.toString().strip(),
        schema.isEmpty() ? PUBLIC : SettingText.withVariables(schema));
  }

  /** Returns the offline store's Postgres, also where it is one of several. */
  private JsonNode offlineStore() {
    JsonNode store = settings.path("offline_store");
    if (isPostgres(store, "PostgreSQLOfflineStore")) {
      return store;
    }
    for (JsonNode one : store.path("offline_stores")) {
      if (isPostgres(one, "PostgreSQLOfflineStore")) {
        return one.path("conf");
      }
    }
    return JsonNodeFactory.instance.missingNode();
  }

  private static boolean isPostgres(JsonNode store, String className) {
    String type = store.path("type").asString("");
    return type.equals("postgres") || type.endsWith("." + className);
  }

  private static boolean isComplete(JsonNode store) {
    return !text(store, "host").isEmpty() && !text(store, "database").isEmpty();
  }

  private static String port(JsonNode store) {
    String port = text(store, "port");
    return port.isEmpty() ? "5432" : port;
  }

  private static Optional<String> sslMode(JsonNode store) {
    return store.has("sslmode")
        ? Optional.of(text(store, "sslmode")).filter(mode -> !mode.isEmpty())
        : Optional.of(SSL_MODE);
  }

  private Optional<String> password(JsonNode store, String variable, String kind) {
    String password = text(store, "password");
    if (password.isEmpty()) {
      return Optional.empty();
    }
    if (SettingText.isVariable(password)) {
      return Optional.of(SettingText.withVariables(password));
    }
    findings.changed(
        kind,
        store.path("type").asString("postgres"),
        "its password is not copied",
        "set " + variable);
    return Optional.of("${" + variable + "}");
  }

  private static String quoted(String value) {
    return value.matches("[\\w.:/-]+")
        ? value
        : "'%s'"
            .formatted(
                SettingText.withVariables(
                    value, text -> text.replace("\\", "\\\\").replace("'", "\\'")));
  }

  /** Returns a setting as text, also where it is a number; empty where there is none. */
  private static String text(JsonNode store, String key) {
    JsonNode value = store.path(key);
    return value.isValueNode() && !value.isNull() ? value.asString() : "";
  }
}
