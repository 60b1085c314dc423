package io.featureduck.feast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.featureduck.feast.FeastImport.Imported;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What becomes of single things of a repository, told in the form in which definitions.py tells
 * them; that this is what Feast has is ImportFeastCommandTest's.
 */
class FeastImportTest {
  private static final JsonMapper JSON = new JsonMapper();

  @TempDir Path folder;

  @Test
  void onlineStore_postgres_keepsVariablesAndTakesNoPassword() throws IOException {
    Imported imported =
        imported(repository ->
            repository.set(
                "settings",
                json(
                    """
                    {"project": "p", "online_store": {"type": "postgres", "host": "$DB_HOST", "port": "${DB_PORT}",
                      "database": "feast db", "db_schema": "online", "user": "me@home", "password": "hunter2"},
                     "offline_store": {"type": "postgres", "host": "db", "database": "dwh", "user": "o'neil",
                      "password": "${DWH_PASSWORD}", "sslmode": null, "sslrootcert_path": "ca.pem"}}
                    """)));

    assertThat(imported.config().path("online_store"))
        .isEqualTo(
            json(
                """
                {"type": "postgres", "url": "postgresql://me%40home@${DB_HOST}:${DB_PORT}/feast%20db?sslmode=require",
                 "password": "${FEAST_ONLINE_STORE_PASSWORD}", "schema": "online"}
                """));
    assertThat(source(imported, "accounts").path("connection_string").asString())
        .isEqualTo(
            "host=db port=5432 dbname=dwh user='o\\'neil' sslrootcert=ca.pem password='${DWH_PASSWORD}'");
    assertThat(imported.toString()).doesNotContain("hunter2");
    assertThat(imported.changed())
        .contains(
            new Finding(
                "online store",
                "postgres",
                "its password is not copied",
                "set FEAST_ONLINE_STORE_PASSWORD"));
  }

  @Test
  void onlineStore_unixSocket_becomesAVariable() throws IOException {
    Imported imported =
        imported(repository ->
            repository.set(
                "settings",
                json(
                    """
                    {"project": "p", "online_store": {"type": "postgres", "host": "/run/postgresql", "database": "d",
                      "user": "u", "password": "secret"}}
                    """)));

    assertThat(imported.config().path("online_store"))
        .isEqualTo(json("{\"type\": \"postgres\", \"url\": \"${FEATUREDUCK_STORE_URL}\"}"));
    assertThat(imported.changed().toString()).doesNotContain("FEAST_ONLINE_STORE_PASSWORD");
    assertThat(imported.changed().toString()).contains("its host can't stand in a URL");
  }

  @Test
  void offlineStore_oneOfSeveralOrNone_isThatOfTheTables() throws IOException {
    Imported several =
        imported(repository ->
            repository.set(
                "settings",
                json(
                    """
                    {"project": "p", "offline_store": {"type": "hybrid", "offline_stores": [{"type": "dask", "conf": {}},
                      {"type": "postgres", "conf": {"host": "db", "port": 6000, "database": "dwh", "user": "u", "sslmode": "disable"}}]}}
                    """)));
    Imported none =
        imported(repository -> repository.set("settings", json("{\"project\": \"p\"}")));

    assertThat(source(several, "accounts").path("connection_string").asString())
        .isEqualTo("host=db port=6000 dbname=dwh user=u sslmode=disable");
    assertThat(source(none, "accounts").path("connection_string").asString())
        .isEqualTo("${FEATUREDUCK_SOURCE}");
    assertThat(none.changed().toString()).contains("set FEATUREDUCK_SOURCE to host=");
  }

  @Test
  void settings_ofFeastsService_areNotTaken() throws IOException {
    Imported imported =
        imported(repository ->
            repository.set(
                "settings",
                json(
                    "{\"project\": \"p\", \"auth\": {\"type\": \"oidc\"}, \"feature_server\": {}, \"flags\": {}}")));

    assertThat(imported.notTaken())
        .extracting(Finding::kind, Finding::name)
        .contains(tuple("setting", "auth"), tuple("setting", "feature_server"))
        .doesNotContain(tuple("setting", "flags"));
  }

  @Test
  void files_byPathAndFormat_areReadOrRefused() throws IOException {
    Files.createDirectories(folder.resolve("data/days"));

    assertThat(file("data/x.csv", "")).isEqualTo("csv data/x.csv");
    assertThat(file("data/x.JSONL.gz", "")).isEqualTo("json data/x.JSONL.gz");
    assertThat(file("data/x.csv", "parquet")).isEqualTo("parquet data/x.csv");
    assertThat(file("../x", "")).isEqualTo("parquet ../x");
    assertThat(file("data/days", "")).isEqualTo("parquet data/days/**/*.parquet");
    assertThat(file("/data/x.parquet", "")).isEqualTo("parquet /data/x.parquet");
    assertThat(file("file:///data/x.parquet", "")).isEqualTo("parquet /data/x.parquet");
    assertThat(file("s3://bucket/${x}.parquet", "")).isEqualTo("parquet s3://bucket/$${x}.parquet");
    assertThat(file("gs://bucket/x.parquet", "")).contains("files at gs:// are not read");
    assertThat(file("data/x", "delta")).contains("Delta tables are not read");
  }

  private String file(String path, String format) throws IOException {
    Imported imported =
        imported(repository -> {
          ObjectNode source = (ObjectNode) repository.path("sources").get(0);
          source.put("path", path).put("format", format);
        });
    JsonNode source = source(imported, "orders");
    return source.isMissingNode()
        ? imported.notTaken().toString()
        : source.path("source_type").asString() + " " + source.path("path").asString();
  }

  @Test
  void paths_configAboveOrElsewhere_areRelativeOrAbsolute(@TempDir Path elsewhere)
      throws IOException {
    Path inside = folder.resolve("shop");
    Imported above = FeastImport.of(repository(any -> {}), inside, folder);
    Imported beside = FeastImport.of(repository(any -> {}), folder, elsewhere);

    assertThat(source(above, "orders").path("path").asString()).isEqualTo("shop/orders.parquet");
    assertThat(source(beside, "orders").path("path").asString())
        .isEqualTo(folder.resolve("orders.parquet").toString());
  }

  @Test
  void sources_thatCanNotBeHad_takeTheirViewsAlong() throws IOException {
    Imported imported =
        imported(repository -> {
          ((ObjectNode) repository.path("sources").get(0))
              .put("timestamp_field", "")
              .put("inference_failure", "no such file");
          ((ObjectNode) repository.path("sources").get(1)).put("connection_ref", true);
        });

    assertThat(imported.notTaken().toString())
        .contains(
            "data source 'orders': it has no timestamp_field, and could not be asked for one: no such file")
        .contains("data source 'accounts': its credentials come by a connection_ref")
        .contains("feature view 'spending': its source 'orders' was not taken");
    assertThat(imported.config().path("sources")).isEmpty();
    assertThat(imported.config().path("views")).isEmpty();
  }

  @Test
  void table_inFormsOfSql_isReadAsPostgresDoes() throws IOException {
    assertThat(table("Orders")).isEqualTo("public.orders");
    assertThat(table("sales.\"Or\"\"ders\"")).isEqualTo("sales.Or\"ders");
    assertThat(table("db.sales.orders")).contains("'db.sales.orders' is no table's name");
  }

  private String table(String sql) throws IOException {
    Imported imported =
        imported(repository -> ((ObjectNode) repository.path("sources").get(1)).put("table", sql));
    JsonNode source = source(imported, "accounts");
    return source.isMissingNode()
        ? imported.notTaken().toString()
        : source.path("schema").asString() + "." + source.path("table").asString();
  }

  @Test
  void fieldMapping_ofTimes_namesTheColumns_butOfJoinKeysRefusesTheView() throws IOException {
    Imported times =
        imported(repository ->
            ((ObjectNode) repository.path("sources").get(0))
                .put("created_timestamp_column", "written")
                .set("field_mapping", json("{\"ts\": \"at\", \"ins\": \"written\"}")));
    Imported keys =
        imported(repository ->
            ((ObjectNode) repository.path("sources").get(0))
                .set("field_mapping", json("{\"cust\": \"customer_id\"}")));

    assertThat(source(times, "orders").path("timestamp_field").asString()).isEqualTo("ts");
    assertThat(source(times, "orders").path("cursor_field").asString()).isEqualTo("ins");
    assertThat(keys.notTaken().toString())
        .contains("its join key 'customer_id' is the source's column 'cust'");
  }

  @Test
  void ttl_anyLength_isADurationOrNone() throws IOException {
    assertThat(ttl(0)).isEmpty();
    assertThat(ttl(86_400 * 14)).isEqualTo("14d");
    assertThat(ttl(5_400)).isEqualTo("90m");
    assertThat(ttl(7_200)).isEqualTo("2h");
    assertThat(ttl(0.25)).isEqualTo("1s");
    assertThat(ttl(86_400.0 * 40_000)).isEmpty();
  }

  private String ttl(double seconds) throws IOException {
    return imported(repository ->
            ((ObjectNode) repository.path("views").get(0)).put("ttl_seconds", seconds))
        .config()
        .path("views")
        .get(0)
        .path("ttl")
        .asString("");
  }

  @Test
  void features_ofTypesAndNames_areTakenOrTold() throws IOException {
    Imported imported =
        imported(repository ->
            ((ObjectNode) repository.path("views").get(0))
                .set(
                    "features",
                    json(
                        """
                        [{"name": "a", "type": "UNIX_TIMESTAMP_LIST", "described": false, "vector_index": false},
                         {"name": "b", "type": "DECIMAL", "described": false, "vector_index": false},
                         {"name": "c", "type": "UNKNOWN", "described": false, "vector_index": false},
                         {"name": "d", "type": "STRING_SET", "described": false, "vector_index": false},
                         {"name": "e", "type": "FLOAT_LIST", "described": true, "vector_index": true},
                         {"name": "f", "type": "STRUCT", "described": false, "vector_index": false},
                         {"name": "Entity_Key", "type": "STRING", "described": false, "vector_index": false}]
                        """)));

    assertThat(imported.config().path("views").get(0).path("projections"))
        .isEqualTo(
            json(
                """
                [{"column": "a", "type": "ARRAY<TIMESTAMP>"}, {"column": "b"}, {"column": "c"},
                 {"column": "e", "type": "ARRAY<FLOAT32>"}]
                """));
    assertThat(imported.notTaken())
        .extracting(Finding::name)
        .contains("spending:d", "spending:f", "spending:Entity_Key");
    assertThat(imported.changed().toString())
        .contains("feature 'spending:b': a Decimal is a number here")
        .contains("feature view 'spending': the config has no vector index, of e");
  }

  @Test
  void features_mappedToOneName_areTakenOnce() throws IOException {
    Imported imported =
        imported(repository -> {
          ((ObjectNode) repository.path("sources").get(0))
              .set("field_mapping", json("{\"x\": \"Total\", \"y\": \"orderCount\"}"));
          ((ObjectNode) repository.path("views").get(0))
              .set(
                  "features",
                  json(
                      """
                      [{"name": "Total", "type": "DOUBLE", "described": false, "vector_index": false},
                       {"name": "orderCount", "type": "INT64", "described": false, "vector_index": false},
                       {"name": "total", "type": "DOUBLE", "described": false, "vector_index": false}]
                      """));
        });

    assertThat(imported.config().path("views").get(0).path("projections"))
        .isEqualTo(
            json(
                """
                [{"column": "y", "alias": "order_count", "type": "INT64"}, {"column": "total", "type": "FLOAT64"}]
                """));
    assertThat(imported.notTaken().toString())
        .contains("feature 'spending:Total': its name would be 'total' here, as that of another");
  }

  @Test
  void features_sourceThatCouldNotBeAsked_areAllItsColumns() throws IOException {
    Imported imported =
        imported(repository ->
            ((ObjectNode) repository.path("views").get(0))
                .put("inference_failure", "connection refused")
                .set("features", json("[]")));

    assertThat(imported.config().path("views").get(0).has("projections")).isFalse();
    assertThat(imported.changed().toString()).contains("could not be asked: connection refused");
  }

  @Test
  void entities_withoutAType_areToldWithWhy() throws IOException {
    Imported imported =
        imported(repository -> {
          ((ObjectNode) repository.path("entities").get(0)).put("type", "UNKNOWN");
          ((ObjectNode) repository.path("views").get(0))
              .put("inference_failure", "connection refused");
        });

    assertThat(imported.notTaken().toString())
        .contains(
            "entity 'customer': nothing says what type its join key 'customer_id' has, and its source could not be asked: connection refused; give the entity a value_type")
        .contains("feature view 'spending': its entity 'customer' was not taken");
  }

  @Test
  void names_thatComeOutAlike_areRefusedButTheOneThatNeedsNoChange() throws IOException {
    Imported imported =
        imported(repository -> {
          ObjectNode other = (ObjectNode) repository.path("views").get(0).deepCopy();
          repository.withArray("views").insert(0, other.put("name", "Spending"));
        });

    assertThat(imported.config().path("views")).hasSize(1);
    assertThat(imported.notTaken())
        .contains(
            new Finding(
                "feature view",
                "Spending",
                "its name would be 'spending' here, as that of 'spending'",
                "give it another name in Feast"));
  }

  @Test
  void view_thatNoConfigMayHave_isToldInTheReadersWords() throws IOException {
    Imported imported =
        imported(repository -> {
          ((ObjectNode) repository.path("views").get(0)).put("name", "features");
          ((ObjectNode) repository.path("services").get(0).path("views").get(0))
              .put("view", "features");
        });

    assertThat(imported.config().path("views")).isEmpty();
    assertThat(imported.config().has("services")).isFalse();
    assertThat(imported.notTaken().toString())
        .contains("feature view 'features': no view can be called 'features'")
        .contains("feature service 'model': nothing that it has was taken");
  }

  @Test
  void service_referencesToOneView_areOneSelection() throws IOException {
    Imported imported =
        imported(repository -> {
          ((ObjectNode) repository.path("views").get(0))
              .set(
                  "features",
                  json(
                      """
                      [{"name": "total", "type": "DOUBLE", "described": false, "vector_index": false},
                       {"name": "most", "type": "DOUBLE", "described": false, "vector_index": false},
                       {"name": "least", "type": "DOUBLE", "described": false, "vector_index": false}]
                      """));
          ((ObjectNode) repository.path("services").get(0))
              .set(
                  "views",
                  json(
                      """
                      [{"view": "spending", "alias": "", "features": ["most"], "join_key_map": {}, "version": ""},
                       {"view": "spending", "alias": "", "features": ["total"], "join_key_map": {}, "version": "v2"},
                       {"view": "gone", "alias": "", "features": [], "join_key_map": {}, "version": ""}]
                      """));
        });

    assertThat(imported.config().path("services"))
        .isEqualTo(
            json(
                "[{\"name\": \"model\", \"views\": [{\"view\": \"spending\", \"features\": [\"most\", \"total\"]}]}]"));
    assertThat(imported.notTaken().toString())
        .contains("feature service 'model': it is without 'gone', that is no view that was taken");
    assertThat(imported.changed().toString()).contains("it wants version v2 of view 'spending'");
  }

  private Imported imported(Consumer<ObjectNode> change) throws IOException {
    return FeastImport.of(repository(change), folder, folder);
  }

  /** Returns a repository of two sources, a view and a service, with a change. */
  private static FeastRepository repository(Consumer<ObjectNode> change) {
    ObjectNode repository =
        (ObjectNode)
            json(
                """
                {"feast_version": "0.67.0", "settings": {"project": "p"},
                 "entities": [{"name": "customer", "join_key": "customer_id", "type": "INT64", "description": "", "tags": {}, "owner": ""}],
                 "sources": [
                  {"name": "orders", "kind": "file", "class_name": "FileSource", "timestamp_field": "at",
                   "created_timestamp_column": "", "field_mapping": {}, "batch_source": "", "path": "orders.parquet", "format": "",
                   "s3_endpoint": "", "table": "", "query": "", "connection_ref": false, "inference_failure": "",
                   "description": "", "tags": {}, "owner": ""},
                  {"name": "accounts", "kind": "postgres", "class_name": "PostgreSQLSource", "timestamp_field": "at",
                   "created_timestamp_column": "", "field_mapping": {}, "batch_source": "", "path": "", "format": "",
                   "s3_endpoint": "", "table": "accounts", "query": "", "connection_ref": false, "inference_failure": "",
                   "description": "", "tags": {}, "owner": ""}],
                 "views": [{"name": "spending", "entities": ["customer"], "join_keys": [],
                   "features": [{"name": "total", "type": "DOUBLE", "described": false, "vector_index": false}],
                   "source": "orders", "stream_source": "", "source_views": [], "transformed": false, "ttl_seconds": 0.0,
                   "online": true, "enabled": true, "version": "latest", "org": "", "inference_failure": "",
                   "description": "", "tags": {}, "owner": ""}],
                 "services": [{"name": "model", "logs": false, "description": "", "tags": {}, "owner": "",
                   "views": [{"view": "spending", "alias": "", "features": ["total"], "join_key_map": {}, "version": ""}]}],
                 "others": []}
                """);
    change.accept(repository);
    return FeastRepository.of(repository);
  }

  private static JsonNode json(String text) {
    return JSON.readTree(text);
  }

  /** Returns a source of the config by its name; a missing node where there is none. */
  private static JsonNode source(Imported imported, String name) {
    for (JsonNode source : imported.config().path("sources")) {
      if (source.path("name").asString().equals(name)) {
        return source;
      }
    }
    return MissingNode.getInstance();
  }
}
