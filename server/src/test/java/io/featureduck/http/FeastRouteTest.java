package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureService.Selection;
import io.featureduck.http.ServedStore.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class FeastRouteTest {
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final List<String[]> USER = List.<String[]>of(new String[] {"user_id", "INT64"});

  private static @Nullable ServedStore served;

  @BeforeAll
  static void serve() throws Exception {
    ServedStore store = new ServedStore();
    served =
        store
            .view(
                "stats",
                USER,
                List.of(
                    new String[] {"purchase_count", "INT64", "BIGINT"},
                    new String[] {"ratio", "FLOAT64", "DOUBLE PRECISION"},
                    new String[] {"label", "STRING", "TEXT"}),
                "\"ttl\": \"7d\"")
            .view(
                "kinds",
                USER,
                List.of(
                    new String[] {"flag", "BOOL", "BOOLEAN"},
                    new String[] {"raw", "BYTES", "BYTEA"},
                    new String[] {"seen", "TIMESTAMP", "TIMESTAMPTZ"},
                    new String[] {"tree", "JSON", "JSONB"},
                    new String[] {"times", "ARRAY<TIMESTAMP>", "TIMESTAMPTZ[]"},
                    new String[] {"words", "ARRAY<STRING>", "TEXT[]"}),
                "")
            .view(
                "visits",
                List.of(new String[] {"user_id", "INT64"}, new String[] {"shop", "STRING"}),
                List.<String[]>of(new String[] {"visits", "INT32", "INTEGER"}),
                "")
            .service(
                new FeatureService(
                    "both",
                    List.of(
                        new Selection("stats", List.of("label")),
                        new Selection("visits", List.of())),
                    false));
    store
        .database()
        .execute(
            """
            INSERT INTO online_stats VALUES
              ('1', 3, 0.5, 'a', now() - interval '1 day', '2026-11-23T11:00:00Z'),
              ('2', 9007199254740993, 'NaN', NULL, NULL, '2026-11-23T11:00:00Z'),
              ('3', 7, 1, 'old', '2020-01-01T00:00:00Z', '2026-11-23T11:00:00Z');
            INSERT INTO online_kinds VALUES
              ('1', true, '\\x00ff', '2026-11-23T10:00:00.75Z', '{"a": "b"}',
               '{2026-11-23T10:00:00Z,NULL}', '{x,"y z"}', '2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z');
            INSERT INTO online_visits VALUES ('1|north', 11, '2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z');
            """);
    ServedStore started = store.start();
    assertThat(started.serving().port()).isPositive();
  }

  @AfterAll
  static void stop() throws Exception {
    served().close();
  }

  private static ServedStore served() {
    ServedStore store = served;
    if (store == null) {
      throw new IllegalStateException("not started");
    }
    return store;
  }

  private static Answer post(String body) {
    return served().post("/get-online-features", body);
  }

  @Test
  void post_featuresOfOneView_areColumnsWithTheirStatuses() {
    Answer answer =
        post(
            "{\"entities\": {\"user_id\": [1, 2, 3, 4, 1], \"other\": [{}, [1], 2, 3, 4]}, \"features\": [\"stats:purchase_count\", \"stats:ratio\", \"stats:label\"]}");

    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    JsonNode results = answer.json().path("results");
    assertThat(answer.json().path("metadata").toString())
        .isEqualTo("{\"feature_names\":[\"user_id\",\"purchase_count\",\"ratio\",\"label\"]}");
    assertThat(results.path(0).path("values").toString()).isEqualTo("[1,2,3,4,1]");
    assertThat(results.path(0).path("event_timestamps").path(4).asString())
        .isEqualTo("1970-01-01T00:00:00Z");
    assertThat(results.path(1).path("values").toString())
        .isEqualTo("[3,9007199254740993,null,null,3]");
    assertThat(results.path(1).path("statuses").toString())
        .isEqualTo("[\"PRESENT\",\"PRESENT\",\"OUTSIDE_MAX_AGE\",\"NOT_FOUND\",\"PRESENT\"]");
    assertThat(results.path(1).path("event_timestamps").path(2).asString())
        .isEqualTo("2020-01-01T00:00:00Z");
    assertThat(results.path(2).path("values").toString()).isEqualTo("[0.5,\"NaN\",null,null,0.5]");
    assertThat(results.path(3).path("statuses").toString())
        .isEqualTo("[\"PRESENT\",\"NULL_VALUE\",\"OUTSIDE_MAX_AGE\",\"NOT_FOUND\",\"PRESENT\"]");
  }

  @Test
  void post_eachType_isSentAsFeastSendsIt() {
    JsonNode results =
        post("{\"entities\": {\"user_id\": [1]}, \"features\": [\"kinds:flag\", \"kinds:raw\", \"kinds:seen\", \"kinds:tree\", \"kinds:times\", \"kinds:words\"]}")
            .json()
            .path("results");

    List<String> values =
        results.valueStream().map(result -> result.path("values").path(0).toString()).toList();
    assertThat(values)
        .containsExactly(
            "1",
            "true",
            "\"AP8=\"",
            "1795428000",
            "\"{\\\"a\\\": \\\"b\\\"}\"",
            "[1795428000,null]",
            "[\"x\",\"y z\"]");
  }

  @Test
  void post_service_answersAllOfItsViews() {
    JsonNode answer =
        post("{\"feature_service\": \"both\", \"features\": [], \"entities\": {\"shop\": [\"north\", \"south\"], \"user_id\": [1, \"1\"]}, \"full_feature_names\": true, \"include_feature_view_version_metadata\": true}")
            .json();

    assertThat(answer.path("metadata").toString())
        .isEqualTo(
            "{\"feature_names\":[\"shop\",\"user_id\",\"stats__label\",\"visits__visits\"],\"feature_view_metadata\":[{\"name\":\"stats\",\"version\":1},{\"name\":\"visits\",\"version\":1}]}");
    assertThat(answer.path("results").path(2).path("values").toString()).isEqualTo("[\"a\",\"a\"]");
    assertThat(answer.path("results").path(3).path("values").toString()).isEqualTo("[11,null]");
  }

  @Test
  void post_noEntities_answersEmptyColumns() {
    JsonNode answer =
        post("{\"entities\": {\"user_id\": []}, \"features\": [\"stats@latest:label\"]}").json();

    assertThat(answer.path("results").path(1).toString())
        .isEqualTo("{\"values\":[],\"statuses\":[],\"event_timestamps\":[]}");
  }

  @Test
  void post_versionWithFullNames_isPartOfTheName() {
    JsonNode answer =
        post("{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats@v1:label\"], \"feature_service\": \"\", \"full_feature_names\": true}")
            .json();

    assertThat(answer.path("metadata").path("feature_names").toString())
        .isEqualTo("[\"user_id\",\"stats@v1__label\"]");
  }

  @Test
  void post_moreColumnsThanAllowed_isRefused() {
    StringBuilder columns = new StringBuilder();
    for (int i = 0; i <= 1_000; i++) {
      columns.append("\"c").append(i).append("\": [1], ");
    }

    Answer answer =
        post(
            "{\"entities\": {%s\"user_id\": [1]}, \"features\": [\"stats:label\"]}"
                .formatted(columns));

    assertThat(answer.status()).isEqualTo(422);
  }

  @Test
  void post_keyThatCannotBeOne_isInvalid() {
    JsonNode results =
        post("{\"entities\": {\"user_id\": [\"x\", null]}, \"features\": [\"stats@v1:label\"]}")
            .json()
            .path("results");

    assertThat(results.path(0).path("values").toString()).isEqualTo("[\"x\",null]");
    assertThat(results.path(1).path("statuses").toString()).isEqualTo("[\"INVALID\",\"INVALID\"]");
  }

  @Test
  void post_withoutContentType_isAnswered() {
    Answer answer =
        served()
            .send(
                served()
                    .request("/get-online-features")
                    .POST(
                        BodyPublishers.ofString(
                            "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats:label\"]}")));

    assertThat(answer.status()).isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stat:label\"]}; FeatureViewNotFoundException; 'stat'",
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats@v2:label\"]}; FeatureViewVersionNotFound; v2",
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats:lable\"]}; FeastObjectNotFoundException; 'lable'",
        "{\"entities\": {\"user_id\": [1]}, \"feature_service\": \"bot\"}; FeatureServiceNotFoundException; 'bot'",
      })
  void post_whatIsNotThere_isTheExceptionOfFeastsClient(String body, String name, String message) {
    Answer answer = post(body);

    assertThat(answer.status()).isEqualTo(404);
    assertThat(answer.header("X-Request-Id")).isNotEmpty();
    JsonNode error = JSON.readTree(answer.json().asString());
    assertThat(error.path("module").asString()).isEqualTo("feast.errors");
    assertThat(error.path("class").asString()).isEqualTo(name);
    assertThat(error.path("message").asString()).contains(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "[]; [\"body\"]",
        "{; [\"body\"]",
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats:label\"]} x; [\"body\"]",
        "{\"features\": [\"stats:label\"]}; [\"body\",\"entities\"]",
        "{\"entities\": []}; [\"body\",\"entities\"]",
        "{\"entities\": {\"user_id\": 1}}; [\"body\",\"entities\",\"user_id\"]",
        "{\"entities\": {\"user_id\": [1]}}; [\"body\",\"features\"]",
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"label\"]}; [\"body\",\"features\",\"0\"]",
        "{\"entities\": {\"user_id\": [1]}, \"features\": [\"stats@2:label\"]}; [\"body\",\"features\",\"0\"]",
        "{\"entities\": {\"user_id\": [1]}, \"feature_service\": 1}; [\"body\",\"feature_service\"]",
        "{\"entities\": {\"user_id\": [1]}, \"full_feature_names\": 1}; [\"body\",\"full_feature_names\"]",
        "{\"entities\": {\"shop\": [1]}, \"features\": [\"stats:label\"]}; [\"body\",\"entities\",\"user_id\"]",
        "{\"entities\": {\"user_id\": [1], \"shop\": [1, 2]}, \"features\": [\"stats:label\"]}; [\"body\",\"entities\",\"shop\"]",
      })
  void post_malformed_isSaidWithItsPlace(String body, String place) {
    Answer answer = post(body);

    assertThat(answer.status()).as(answer.body()).isEqualTo(422);
    JsonNode detail = answer.json().path("detail").path(0);
    assertThat(detail.path("loc").toString()).isEqualTo(place);
    assertThat(detail.path("msg").asString()).isNotEmpty();
  }

  @Test
  void post_moreEntitiesThanAllowed_isRefused() {
    Answer answer =
        post(
            "{\"entities\": {\"user_id\": [1"
                + ",1".repeat(1_000)
                + "]}, \"features\": [\"stats:label\"]}");

    assertThat(answer.status()).isEqualTo(413);
    assertThat(answer.json().path("code").asString()).isEqualTo("too_many_entities");
  }
}
