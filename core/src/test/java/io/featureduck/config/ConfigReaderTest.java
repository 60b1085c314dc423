package io.featureduck.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Aggregation;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Secret;
import io.featureduck.definition.ServerSettings;
import io.featureduck.definition.Source;
import io.featureduck.expression.Expression;
import io.featureduck.type.FeatureType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigReaderTest {
  /** The least that a config needs; tests put their part in place of a comment. */
  private static final String LEAST =
      """
      {
        "project": "shop", /*root*/
        "online_store": {"type": "postgres", "url": "postgresql://localhost/shop" /*store*/},
        "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]} /*entity*/],
        "sources": [{"name": "orders", "source_type": "csv", "path": "data/*.csv", "timestamp_field": "at" /*source*/} /*sources*/],
        "views": [{"name": "user", "entities": ["customer"], "source": "orders" /*view*/} /*views*/]
      }
      """;

  @TempDir Path folder;

  @Test
  void read_designsExample_givesAllDefinitions() throws IOException {
    FeatureStore store = read(resource("shop.json"), Map.of("SHOP_PASSWORD", "s3cret"));

    assertThat(store.onlineStore().password()).contains(new Secret("s3cret"));
    assertThat(store.materializer().memoryLimit()).isEqualTo("2GB");
    assertThat(store.materializer().stateDirectory()).isEqualTo(folder.resolve("state"));
    Source orders = store.source("orders").orElseThrow();
    assertThat(orders.incremental()).isTrue();
    assertThat(orders.cursorField()).isEqualTo("updated_at");
    assertThat(orders.rowId()).contains("order_id");
    assertThat(orders.location())
        .isEqualTo(
            new Source.Table(
                Source.Database.POSTGRES,
                new Secret("host=localhost dbname=analytics"),
                "public",
                "orders"));
    FeatureView view = store.view("user_features").orElseThrow();
    assertThat(view.featureNames())
        .contains(
            List.of("purchase_count", "total_spent", "spent_7d", "spent_30d", "avg_order_value"));
    assertThat(view.ttl()).contains(Duration.ofDays(90));
    assertThat(view.freshness())
        .contains(new FeatureView.Freshness(Duration.ofMinutes(15), Duration.ofHours(1)));
    assertThat(store.services().getFirst().views().getFirst().features())
        .containsExactly("total_spent", "spent_7d");
    assertThat(store.toString()).doesNotContain("s3cret").doesNotContain("dbname");
  }

  @Test
  void read_leastConfig_hasTheDefaults() throws IOException {
    FeatureStore store = read(LEAST);

    assertThat(store.server())
        .isEqualTo(
            new ServerSettings(
                "127.0.0.1",
                8080,
                1_000,
                4 << 20,
                16 << 10,
                Duration.ofSeconds(2),
                Duration.ofSeconds(10),
                0,
                Duration.ofMinutes(5)));
    assertThat(store.onlineStore().schema()).isEqualTo("public");
    assertThat(store.onlineStore().timeout()).isEqualTo(Duration.ofSeconds(1));
    assertThat(store.onlineStore().waitingKeysPerLoop()).isEqualTo(10_000);
    assertThat(store.materializer().memoryLimit()).matches("[1-9][0-9]*MiB");
    assertThat(store.materializer().concurrentRuns()).isEqualTo(2);
    assertThat(store.materializer().runTimeout()).isEqualTo(Duration.ofHours(1));
    assertThat(store.materializer().freshnessInterval()).isEqualTo(Duration.ofSeconds(5));
    assertThat(store.materializer().stateDirectory())
        .isEqualTo(folder.resolve(".featureduck/state"));
    Source source = store.sources().getFirst();
    assertThat(source.cursorField()).isEqualTo("at");
    assertThat(source.timezone()).isEqualTo(ZoneOffset.UTC);
    assertThat(source.allowedLateness()).isEqualTo(Duration.ofMinutes(10));
    assertThat(source.incremental()).isFalse();
    assertThat(source.isStatic()).isFalse();
    assertThat(source.location())
        .isEqualTo(
            new Source.Files(Source.Format.CSV, folder.resolve("data").toString() + "/*.csv"));
    assertThat(store.views().getFirst().cacheMaxAge()).isEqualTo(Duration.ofSeconds(30));
    assertThat(store.views().getFirst().featureNames()).isEmpty();
  }

  @Test
  void read_manyMistakes_listsAllWithTheirPointers() throws IOException {
    assertThat(mistakes(resource("broken.json"))).isEqualTo(resource("broken.txt").strip());
  }

  @Test
  void read_mistakesNearSecrets_neverTellsThem() throws IOException {
    String text =
        LEAST
            .replace("postgresql://localhost/shop", "postgres://shop:hunter2@localhost/shop")
            .replace("/*store*/", ", \"pasword\": \"hunter2\", \"password\": 12345")
            .replace("/*source*/", ", \"timezone\": \"${ZONE}\"");

    assertThat(mistakes(text, Map.of("ZONE", "hunter2")))
        .doesNotContain("hunter2")
        .doesNotContain("12345")
        .contains("/online_store/url: expected postgresql://user@host:5432/database")
        .contains("/online_store/password: expected a string, found a number")
        .contains("/sources/0/timezone: '${ZONE}' is no time zone");
    assertThat(mistakes("{\"password\": hunter2}")).doesNotContain("hunter2");
  }

  @Test
  void read_interpolation_takesEnvironmentDefaultsAndFiles() throws IOException {
    Path unused = Files.writeString(folder.resolve("secret"), "pass|word\n");
    String text =
        LEAST
            .replace("/*store*/", ", \"password\": \"${file:secret}\"")
            .replace("/*root*/", "\"server\": {\"port\": \"${PORT}\", \"host\": \"${HOST:-::1}\"},")
            .replace("/*view*/", ", \"description\": \"costs $5, $${HOST} ${EMPTY}\"");

    FeatureStore store = read(text, Map.of("PORT", "0", "HOST", "", "EMPTY", ""));

    assertThat(store.onlineStore().password()).contains(new Secret("pass|word"));
    assertThat(store.server().port()).isZero();
    assertThat(store.server().host()).isEqualTo("::1");
    assertThat(store.views().getFirst().description()).isEqualTo("costs $5, ${HOST} ");
  }

  @Test
  void read_interpolationThatFails_namesTheVariableAndTheFile() throws IOException {
    String text =
        LEAST
            .replace("/*store*/", ", \"password\": \"${file:/nowhere/at/all}\"")
            .replace("/*root*/", "\"server\": {\"port\": \"${PORT}\", \"host\": \"${A B}\"},")
            .replace("/*view*/", ", \"description\": \"${OPEN\", \"owner\": \"${OWNER}\"");

    assertThat(mistakes(text, Map.of("PORT", "many")))
        .contains("/online_store/password: there is no file '/nowhere/at/all'")
        .contains("/server/port: expected a whole number, found '${PORT}'")
        .contains("/server/host: 'A B' is no environment variable's name")
        .contains("/views/0/description: '${' has no '}' after it")
        .contains("/views/0/owner: environment variable OWNER is not set");
  }

  @Test
  void read_passwordInTheUrl_isTakenOutOfIt() throws IOException {
    FeatureStore store =
        read(LEAST.replace("//localhost/shop", "//me:p%40ss+1@db_1:6000/shop?sslmode=require"));

    assertThat(store.onlineStore().url())
        .isEqualTo("postgresql://me@db_1:6000/shop?sslmode=require");
    assertThat(store.onlineStore().password()).contains(new Secret("p@ss+1"));
  }

  @Test
  void read_passwordAmongTheUrlsParameters_isRefusedWithoutShowingIt() throws IOException {
    assertThat(mistakes(LEAST.replace("localhost/shop", "localhost/shop?a=b&Password=hunter2")))
        .doesNotContain("hunter2")
        .contains("/online_store/url: holds a password as a parameter: put it into 'password'");
  }

  @Test
  void read_mySqlStore_hasTheUrlsDatabaseAsSchema() throws IOException {
    FeatureStore store =
        read(
            mySqlStore(
                "mysql://me:p%40ss@db_1/my%20shop?ssl-mode=verify_ca&ssl-ca=/etc/ssl/ca.pem"));

    assertThat(store.onlineStore().schema()).isEqualTo("my shop");
    assertThat(store.onlineStore().password()).contains(new Secret("p@ss"));
    assertThat(store.onlineStore().url())
        .isEqualTo("mysql://me@db_1/my%20shop?ssl-mode=verify_ca&ssl-ca=/etc/ssl/ca.pem");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "mysql://me:s3cret@db:3306|/online_store/url: expected mysql://user@host:3306/database",
        "mysql://me:s3cret@db/shop?ssl-mode=preferred|/online_store/url: expected an 'ssl-mode' of disabled, required, verify_ca or verify_identity",
        "mysql://me:s3cret@db/shop?tls=s3cret|/online_store/url: a parameter is none of ssl-mode=…, ssl-ca=…, ssl-cert=…, ssl-key=…",
        "mysql://me:s3cret@db/shop|/online_store/schema: in MySQL it is the url's database, 'shop'"
      })
  void read_mySqlStoreThatCannotBe_saysSoWithoutItsText(String url, String mistake)
      throws IOException {
    String text = mySqlStore(url).replace("/*store*/", "\"schema\": \"other\",");

    assertThat(mistakes(text)).isEqualTo("config.json " + mistake).doesNotContain("s3cret");
  }

  private static String mySqlStore(String url) {
    return LEAST.replace(
        "{\"type\": \"postgres\", \"url\": \"postgresql://localhost/shop\" /*store*/}",
        "{/*store*/ \"type\": \"mysql\", \"url\": \"" + url + "\"}");
  }

  @Test
  void read_includes_takesDefinitionsFromThem() throws IOException {
    include(
        "features/a.json",
        """
        {"sources": [{"name": "clicks", "source_type": "json", "path": "clicks.json", "timestamp_field": "at"}],
         "views": [{"name": "clicks", "entities": ["customer"], "source": "clicks"}]}
        """);
    include(
        "features/b.json",
        "{\"services\": [{\"name\": \"s\", \"views\": [{\"view\": \"clicks\"}]}]}");

    FeatureStore store = read(LEAST.replace("/*root*/", "\"include\": [\"features/*.json\"],"));

    assertThat(store.views()).extracting(FeatureView::name).containsExactly("user", "clicks");
    assertThat(store.services()).hasSize(1);
    assertThat(store.source("clicks").orElseThrow().location())
        .isEqualTo(
            new Source.Files(
                Source.Format.JSON, folder.resolve("features/clicks.json").toString()));
  }

  @Test
  void read_mistakesInIncludes_carryTheirFile() throws IOException {
    include(
        "features/a.json",
        "{\"views\": [{\"name\": \"user\", \"entities\": [\"customer\"], \"source\": \"ordres\"}]}");
    include("features/b.json", "{\"server\": {}, \"views\": []}");

    assertThat(
            mistakes(
                LEAST.replace("/*root*/", "\"include\": [\"features/*.json\", \"more/*.json\"],")))
        .isEqualTo(
            """
            config.json /include/1: no file matches 'more/*.json'
            features/a.json /views/0/name: view 'user' is declared already, at config.json /views/0
            features/a.json /views/0/source: no source is called 'ordres'; did you mean 'orders'?
            features/b.json /server: there is no key 'server' here; the keys are $schema, entities, sources, views, services\
            """);
  }

  @Test
  void read_malformedInclude_doesNotBlameWhatRefersToIt() throws IOException {
    include("a.json", "{\"sources\": [");

    assertThat(
            mistakes(
                LEAST
                    .replace("/*root*/", "\"include\": [\"a.json\"],")
                    .replace("\"source\": \"orders\"", "\"source\": \"clicks\"")))
        .startsWith("a.json: line 1, column 14: unexpected end-of-input")
        .doesNotContain("clicks");
  }

  @Test
  void read_malformedJson_tellsLineAndColumn() throws IOException {
    assertThat(mistakes("{\n  \"project\": \"shop\",,\n}"))
        .startsWith("config.json: line 2, column 21: unexpected character (',')");
    assertThat(mistakes("")).isEqualTo("config.json: the file is empty: expected a JSON object");
    assertThat(mistakes("{} {}"))
        .isEqualTo("config.json: line 1, column 4: expected the end after the JSON object");
    assertThat(mistakes("[]")).isEqualTo("config.json: expected an object, found a list");
  }

  @Test
  void read_repeatedKey_isRefusedWithItsPlace() throws IOException {
    assertThat(mistakes(LEAST.replace("/*view*/", ", \"ttl\": \"1d\",\n \"ttl\": \"2d\"")))
        .isEqualTo("config.json /views/0/ttl: this key is there twice, again at line 7, column 2");
  }

  @Test
  void read_missingFile_saysSo() {
    Path file = folder.resolve("config.json");

    assertThat(mistakes(file, Map.of())).isEqualTo("config.json: there is no such file");
    assertThat(mistakes(folder, Map.of())).endsWith(": expected a file, found a folder");
  }

  @Test
  void read_emptyObject_namesWhatIsRequired() throws IOException {
    assertThat(mistakes("{}"))
        .isEqualTo(
            """
            config.json: 'project' is missing
            config.json: 'online_store' is missing
            config.json: 'entities' is missing
            config.json: 'sources' is missing
            config.json: 'views' is missing\
            """);
  }

  @Test
  void read_columnOfAnAggregation_isTakenLiterally() throws IOException {
    FeatureView view =
        read(LEAST
                .replace(
                    "/*sources*/",
                    ", {\"name\": \"stores\", \"source_type\": \"csv\", \"path\": \"s3://b/s.csv\", \"timestamp_field\": \"at\", \"static\": true}")
                .replace(
                    "/*view*/",
                    """
                    , "joins": [{"source": "stores", "type": "inner", "on": [{"left": "store", "right": "id"}], "columns": ["size"]}],
                    "aggregations": [
                      {"function": "sum", "column": "Price (€) + 1", "alias": "a", "type": "DECIMAL(12,2)"},
                      {"function": "last_n", "column": "stores.size", "alias": "b", "n": 3},
                      {"function": "approx_percentile", "expression": "stores.size * 2", "alias": "c", "percentile": 0.5, "windows": ["1h"], "filter": "x > 1"}]
                    """))
            .views()
            .getFirst();

    Aggregation sum = view.aggregations().get(0);
    assertThat(sum.input()).contains(new Expression.Column(Optional.empty(), "Price (€) + 1"));
    assertThat(sum.type()).contains(new FeatureType.Decimal(12, 2));
    assertThat(view.aggregations().get(1).input())
        .contains(new Expression.Column(Optional.of("stores"), "size"));
    assertThat(view.featureNames()).contains(List.of("a", "b", "c_1h"));
  }

  @Test
  void read_columnProjection_mayCarryTheColumnsName() throws IOException {
    FeatureView view =
        read(LEAST.replace(
                "/*view*/",
                ", \"projections\": [{\"column\": \"Home Town\"}, {\"expression\": \"age\", \"type\": \"INT32\"}]"))
            .views()
            .getFirst();

    assertThat(view.featureNames()).contains(List.of("Home Town", "age"));
    assertThat(
            mistakes(
                LEAST.replace(
                    "/*view*/",
                    ", \"projections\": [{\"column\": \"Updated_At\"}, {\"column\": \"age\"}, {\"column\": \"Age\"}, {\"column\": \"age\", \"alias\": \"My Age\"}, {\"column\": \"customer_id\"}]")))
        .isEqualTo(
            """
            config.json /views/0/projections/0: no feature can be called 'Updated_At': every online table has that column
            config.json /views/0/projections/2: the view has a feature 'Age' already, from /views/0/projections/1
            config.json /views/0/projections/3/alias: 'My Age' is not a valid name: expected a lower-case letter, then up to 47 lower-case letters, digits or '_', without '__'
            config.json /views/0/projections/4: no feature can have the name of the join key 'customer_id'\
            """);
  }

  @Test
  void read_windows_areExpandedBeforeNamesAreCompared() throws IOException {
    assertThat(
            mistakes(
                LEAST.replace(
                    "/*view*/",
                    """
                    , "aggregations": [
                      {"function": "count", "alias": "n", "windows": ["7d", "7d"]},
                      {"function": "count", "alias": "n_7d"},
                      {"function": "count", "alias": "x_", "windows": ["1d"]},
                      {"function": "count", "alias": "w", "windows": ["0d"]}]
                    """)))
        .isEqualTo(
            """
            config.json /views/0/aggregations/0/windows/1: window '7d' is there twice
            config.json /views/0/aggregations/1/alias: the view has a feature 'n_7d' already, from /views/0/aggregations/0/alias
            config.json /views/0/aggregations/2/alias: 'x__1d' is not a valid name: expected a lower-case letter, then up to 47 lower-case letters, digits or '_', without '__'
            config.json /views/0/aggregations/3/windows/0: must be longer than 0\
            """);
  }

  @Test
  void read_services_areCheckedAgainstFeatures() throws IOException {
    String text =
        LEAST
            .replace(
                "/*view*/",
                ", \"aggregations\": [{\"function\": \"count\", \"alias\": \"orders\"}]")
            .replace(
                "/*views*/",
                ", {\"name\": \"more\", \"entities\": [\"customer\"], \"source\": \"orders\", \"aggregations\": [{\"function\": \"count\", \"alias\": \"orders\"}]}")
            .replace(
                "/*root*/",
                """
                "services": [{"name": "s", "views": [{"view": "user", "features": ["oders"]}, {"view": "user"}]},
                             {"name": "t", "views": [{"view": "user"}, {"view": "more"}]},
                             {"name": "u", "full_feature_names": true, "views": [{"view": "user"}, {"view": "more"}]}],
                """);

    assertThat(mistakes(text))
        .isEqualTo(
            """
            config.json /services/0/views/0/features/0: view 'user' has no feature 'oders'; did you mean 'orders'?
            config.json /services/0/views/1/view: view 'user' is there twice
            config.json /services/1/views/1: views 'user' and 'more' both have a feature 'orders': choose with 'features', or set 'full_feature_names'\
            """);
  }

  @Test
  void read_sourceOfAnotherKind_isToldWhichKeysItHas() throws IOException {
    assertThat(mistakes(LEAST.replace("\"csv\"", "\"postgres\"")))
        .isEqualTo(
            """
            config.json /sources/0: 'connection_string' and 'table' are missing: a postgres source needs them
            config.json /sources/0/path: a postgres source has no 'path'\
            """);
    assertThat(mistakes(LEAST.replace("data/*.csv", "ftp://host/x")))
        .isEqualTo(
            "config.json /sources/0/path: expected a local path or an s3:// address, found 'ftp://host/x'");
  }

  @Test
  void read_mySqlSource_hasTheConnectionsDatabaseAsSchema() throws IOException {
    String source =
        LEAST
            .replace(
                "\"csv\"",
                "\"mysql\", \"connection_string\": \"CONNECTION\", \"table\": \"orders\"")
            .replace("\"path\": \"data/*.csv\", ", "");

    assertThat(
            read(source.replace("CONNECTION", "db=shop host=db passwd=geheim"))
                .sources()
                .getFirst()
                .location())
        .isEqualTo(
            new Source.Table(
                Source.Database.MYSQL,
                new Secret("database=shop host=db password=geheim"),
                "shop",
                "orders"));
    assertThat(
            read(source
                    .replace("CONNECTION", "mysql://duck:geheim@db/shop")
                    .replace("\"table\"", "\"schema\": \"other\", \"table\""))
                .sources()
                .getFirst()
                .location())
        .isEqualTo(
            new Source.Table(
                Source.Database.MYSQL,
                new Secret("user=duck password=geheim host=db database=shop"),
                "other",
                "orders"));
    assertThat(mistakes(source.replace("CONNECTION", "host=db password=geheim")))
        .isEqualTo(
            "config.json /sources/0: 'schema' is missing, and 'connection_string' names no database either");
    assertThat(mistakes(source.replace("CONNECTION", "host=db password=ge heim")))
        .startsWith("config.json /sources/0/connection_string: expected pairs such as host=…")
        .doesNotContain("heim");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          * * * *        | expected five fields (minute, hour, day of month, month, day of week), found 4
          60 * * * *     | expected a minute (0-59), found '60'
          * * * 13 *     | expected a month (1-12), found '13'
          * * * * monday | expected a day of week (0-7), found 'monday'
          */0 * * * *    | expected a minute (0-59), found '*/0'
          """)
  void read_wrongSchedule_namesTheField(String schedule, String message) throws IOException {
    assertThat(mistakes(LEAST.replace("/*view*/", ", \"batch_schedule\": \"" + schedule + "\"")))
        .isEqualTo(
            "config.json /views/0/batch_schedule: '%s' is no schedule: %s"
                .formatted(schedule, message));
  }

  @Test
  void read_schedules_areReadInTheirTimeZone() throws IOException {
    FeatureView view =
        read(LEAST.replace(
                "/*view*/",
                ", \"batch_schedule\": \"*/5 8-18 * * 1-5\", \"full_refresh_schedule\": \"0 3 * * SUN\", \"timezone\": \"Europe/Berlin\""))
            .views()
            .getFirst();

    assertThat(view.batchSchedule()).contains("*/5 8-18 * * 1-5");
    assertThat(view.fullRefreshSchedule()).contains("0 3 * * SUN");
    assertThat(view.timezone()).isEqualTo(ZoneId.of("Europe/Berlin"));
  }

  @Test
  void read_sizes_areBytesUnitsOrShares() throws IOException {
    FeatureStore store =
        read(
            LEAST.replace(
                "/*root*/",
                """
                "server": {"body_max": 1024, "header_max": "32KiB", "cache": {"size": "64MiB", "max_age": "0s"}},
                "materializer": {"memory_limit": "50%"},
                """));

    assertThat(store.server().bodyBytesMax()).isEqualTo(1_024);
    assertThat(store.server().headerBytesMax()).isEqualTo(32 << 10);
    assertThat(store.server().cacheBytesMax()).isEqualTo(64 << 20);
    assertThat(store.views().getFirst().cacheMaxAge()).isZero();
    assertThat(store.materializer().memoryLimit()).endsWith("MiB");
  }

  @Test
  void json_ofAView_isCanonicalAndInterpolated() throws IOException {
    String first =
        LEAST.replace("/*view*/", ", \"tags\": {\"b\": \"${X}\", \"a\": \"1\"}, \"ttl\": \"1d\"");
    String second =
        LEAST.replace("/*view*/", ", \"ttl\": \"1d\",   \"tags\": {\"a\": \"1\", \"b\": \"${X}\"}");

    String json = read(first, Map.of("X", "2")).views().getFirst().json();

    assertThat(json)
        .isEqualTo(
            "{\"entities\":[\"customer\"],\"name\":\"user\",\"source\":\"orders\",\"tags\":{\"a\":\"1\",\"b\":\"2\"},\"ttl\":\"1d\"}")
        .isEqualTo(read(second, Map.of("X", "2")).views().getFirst().json());
  }

  @Test
  void read_deeplyNested_isRefusedAsAnyOther() throws IOException {
    assertThat(mistakes("[".repeat(100_000)))
        .startsWith("config.json: the JSON is nested too deeply");
    assertThat(
            mistakes(LEAST.replace("/*view*/", ", \"filters\": [\"" + "(".repeat(5_000) + "\"]")))
        .contains("/views/0/filters/0: ");
  }

  static String resource(String name) throws IOException {
    try (InputStream stream =
        Objects.requireNonNull(ConfigReaderTest.class.getResourceAsStream(name))) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private void include(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Path created = Files.createDirectories(folder.resolve(name).resolveSibling("."));
    assertThat(created).isDirectory();
    Path unused = Files.writeString(file, text);
  }

  private FeatureStore read(String text) throws IOException {
    return read(text, Map.of());
  }

  private FeatureStore read(String text, Map<String, String> environment) throws IOException {
    Path file = folder.resolve("config.json");
    Path unused = Files.writeString(file, text.replaceAll("/\\*[a-z]+\\*/", ""));
    return ConfigReader.read(file, environment);
  }

  private String mistakes(String text) throws IOException {
    return mistakes(text, Map.of());
  }

  private String mistakes(String text, Map<String, String> environment) throws IOException {
    Path file = folder.resolve("config.json");
    Path unused = Files.writeString(file, text.replaceAll("/\\*[a-z]+\\*/", ""));
    return mistakes(file, environment);
  }

  /** Returns the mistakes, one a line, with their files relative to the test's folder. */
  private String mistakes(Path file, Map<String, String> environment) {
    try {
      return "none in project " + ConfigReader.read(file, environment).project();
    } catch (InvalidConfigException e) {
      return String.valueOf(e.getMessage()).replace(folder + "/", "");
    }
  }
}
