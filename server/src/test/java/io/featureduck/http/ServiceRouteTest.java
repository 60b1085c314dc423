package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureService.Selection;
import io.featureduck.http.ServedStore.Answer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ServiceRouteTest {
  private static final List<String[]> CUSTOMER =
      List.<String[]>of(new String[] {"customer_id", "INT64"});
  private static final List<String[]> COUNTS =
      List.of(
          new String[] {"purchase_count", "INT64", "BIGINT"},
          new String[] {"total_spent", "DECIMAL(12,2)", "NUMERIC(12,2)"});

  private static @Nullable ServedStore served;

  @BeforeAll
  static void serve() throws Exception {
    ServedStore store = new ServedStore();
    served =
        store
            .view("spending", CUSTOMER, COUNTS, "")
            .view("lately", CUSTOMER, COUNTS, "\"ttl\": \"7d\"")
            .view(
                "more", CUSTOMER, List.<String[]>of(new String[] {"more", "INT32", "INTEGER"}), "")
            .view(
                "shops",
                List.<String[]>of(new String[] {"shop", "STRING"}),
                List.<String[]>of(new String[] {"score", "INT32", "INTEGER"}),
                "")
            .view(
                "visits",
                List.of(new String[] {"customer_id", "INT64"}, new String[] {"shop", "STRING"}),
                List.<String[]>of(new String[] {"visits", "INT32", "INTEGER"}),
                "")
            .service(service("all", false, all("spending"), all("shops"), all("visits")))
            .service(
                service(
                    "some",
                    false,
                    new Selection("spending", List.of("total_spent")),
                    new Selection("lately", List.of("purchase_count"))))
            .service(service("twice", true, all("spending"), all("lately")))
            .service(service("clash", false, all("spending"), all("lately")))
            .service(service("part", false, all("spending"), all("removed")))
            .service(
                service(
                    "older",
                    false,
                    all("spending"),
                    new Selection("shops", List.of("score", "stars"))))
            .service(service("gone", false, all("removed")))
            .service(
                service(
                    "middle", false, all("spending"), all("removed"), all("more"), all("shops")))
            .service(
                service(
                    "overridden",
                    true,
                    new Selection("spending", List.of("total_spent")),
                    new Selection("lately", List.of("total_spent", "purchase_count"))))
            .service(service("empty", false, all("untouched"), all("shops")));
    store.register("untouched", CUSTOMER, COUNTS, "");
    store
        .database()
        .execute(
            """
            INSERT INTO online_spending VALUES
              ('1', 3, 99.50, '2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z'),
              ('2', 1, NULL, NULL, '2026-11-23T11:00:00Z');
            INSERT INTO online_lately VALUES
              ('1', 5, 7, now() - interval '8 days', '2026-11-23T11:00:00Z'),
              ('2', 6, 8, now() - interval '6 days', '2026-11-23T11:00:00Z');
            INSERT INTO online_more VALUES ('1', 12, NULL, '2026-11-23T11:00:00Z');
            INSERT INTO online_shops VALUES
              ('a\\|b', 7, '2026-11-23T10:00:00.25Z', '2026-11-23T11:00:00Z'),
              ('42', 8, NULL, '2026-11-23T11:00:00Z');
            INSERT INTO online_visits VALUES
              ('1|a\\|b', 11, '2026-11-23T10:00:00Z', '2026-11-23T11:00:00Z');
            """);
    ServedStore started = store.start();
    assertThat(started.serving().port()).isPositive();
  }

  private static Selection all(String view) {
    return new Selection(view, List.of());
  }

  private static FeatureService service(String name, boolean fullNames, Selection... views) {
    return new FeatureService(name, List.of(views), fullNames);
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
    return served().post("/features/batch", body);
  }

  private static JsonNode results(String body) {
    Answer answer = post(body);
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    return answer.json().path("results");
  }

  private static void assertProblem(
      Answer answer, int status, String code, String pointer, String detail) {
    assertThat(answer.status()).as(answer.body()).isEqualTo(status);
    assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
    assertThat(answer.json().path("code").asString()).isEqualTo(code);
    assertThat(answer.json().path("pointer").asString("")).as(answer.body()).isEqualTo(pointer);
    assertThat(answer.json().path("detail").asString()).contains(detail);
  }

  @Test
  void post_serviceOfSeveralViews_answersOneFlatSetAndAStatusPerView() {
    Answer answer =
        post(
            "{\"service\": \"all\", \"entities\": [{\"customer_id\": 1, \"shop\": \"a|b\"}, {\"shop\": \"a|b\", \"customer_id\": \"9\"}]}");

    assertThat(answer.header("Content-Type")).isEqualTo("application/json");
    assertThat(answer.body())
        .isEqualTo(
            """
            {"service":"all","results":[\
            {"entity":{"customer_id":1,"shop":"a|b"},"status":"found",\
            "features":{"purchase_count":3,"total_spent":99.50,"score":7,"visits":11},\
            "views":{"spending":{"version":1,"status":"found","event_timestamp":"2026-11-23T10:00:00Z"},\
            "shops":{"version":1,"status":"found","event_timestamp":"2026-11-23T10:00:00.250Z"},\
            "visits":{"version":1,"status":"found","event_timestamp":"2026-11-23T10:00:00Z"}}},\
            {"entity":{"customer_id":9,"shop":"a|b"},"status":"not_found",\
            "features":{"purchase_count":null,"total_spent":null,"score":7,"visits":null},\
            "views":{"spending":{"version":1,"status":"not_found","event_timestamp":null},\
            "shops":{"version":1,"status":"found","event_timestamp":"2026-11-23T10:00:00.250Z"},\
            "visits":{"version":1,"status":"not_found","event_timestamp":null}}}]}\
            """);
  }

  @Test
  void post_askedTwice_answersTheSameFromTheCache() {
    String body = "{\"service\": \"some\", \"entities\": [{\"customer_id\": 1}, 2, \"2\", 1]}";
    String first = post(body).body();

    assertThat(post(body).body()).isEqualTo(first);
  }

  @Test
  void post_expiredInOneView_hidesItsFeaturesAndTellsItsTime() {
    JsonNode result = results("{\"service\": \"some\", \"entities\": [1]}").path(0);

    assertThat(result.path("status").asString()).isEqualTo("expired");
    assertThat(result.path("features").toString())
        .isEqualTo("{\"total_spent\":99.5,\"purchase_count\":null}");
    assertThat(result.path("views").path("lately").path("status").asString()).isEqualTo("expired");
    assertThat(result.path("views").path("lately").path("event_timestamp").isString()).isTrue();
  }

  @Test
  void post_fullFeatureNames_nameTheView() {
    JsonNode result = results("{\"service\": \"twice\", \"entities\": [2]}").path(0);

    assertThat(result.path("features").toString())
        .isEqualTo(
            "{\"spending__purchase_count\":1,\"spending__total_spent\":null,\"lately__purchase_count\":6,\"lately__total_spent\":8.0}");
    assertThat(
            results("{\"service\": \"some\", \"full_feature_names\": true, \"entities\": [2]}")
                .path(0)
                .path("features")
                .toString())
        .isEqualTo("{\"spending__total_spent\":null,\"lately__purchase_count\":6}");
  }

  @Test
  void post_featuresOfViewsByName_needNoService() {
    Answer answer =
        post(
            "{\"entities\": [{\"customer_id\": 2, \"shop\": 42}], \"features\": [\"shops:score\", \"spending:purchase_count\", \"shops:score\"]}");

    assertThat(answer.body())
        .startsWith(
            "{\"service\":null,\"results\":[{\"entity\":{\"shop\":\"42\",\"customer_id\":2},\"status\":\"found\",\"features\":{\"score\":8,\"purchase_count\":1},\"views\":{\"shops\":");
  }

  @Test
  void post_viewsThatCannotBeAsked_failAloneAndTheOthersStand() {
    JsonNode part =
        results("{\"service\": \"part\", \"entities\": [{\"customer_id\": 1, \"x\": 2}]}");
    assertThat(part.path(0).path("status").asString()).isEqualTo("error");
    assertThat(part.path(0).path("features").path("purchase_count").asInt()).isEqualTo(3);
    assertThat(part.path(0).path("views").path("removed").toString())
        .isEqualTo(
            "{\"version\":null,\"status\":\"error\",\"event_timestamp\":null,\"error\":{\"code\":\"unknown_view\",\"detail\":\"there is no view 'removed'\"}}");

    JsonNode older = results("{\"service\": \"older\", \"entities\": [{\"customer_id\": 1}]}");
    assertThat(older.path(0).path("features").toString())
        .isEqualTo("{\"purchase_count\":3,\"total_spent\":99.5,\"score\":null,\"stars\":null}");
    assertThat(older.path(0).path("views").path("shops").path("error").path("detail").asString())
        .isEqualTo("view shops has no feature 'stars'");

    JsonNode clash = results("{\"service\": \"clash\", \"entities\": [1]}");
    assertThat(clash.path(0).path("views").path("lately").path("error").path("detail").asString())
        .contains("views spending and lately both have a feature 'purchase_count'");

    JsonNode empty =
        results("{\"service\": \"empty\", \"entities\": [{\"customer_id\": 1, \"shop\": \"42\"}]}");
    assertThat(empty.path(0).path("features").path("score").asInt()).isEqualTo(8);
    assertThat(empty.path(0).path("views").path("untouched").path("error").path("code").asString())
        .isEqualTo("store_unavailable");
  }

  @Test
  void post_viewThatFailsBetweenOthers_failsAloneAlsoWhereTheyAreCached() {
    String body =
        "{\"service\": \"middle\", \"entities\": [{\"customer_id\": 1, \"shop\": \"42\"}]}";
    for (int i = 0; i < 2; i++) {
      JsonNode result = results(body).path(0);

      assertThat(result.path("features").path("more").asInt()).isEqualTo(12);
      assertThat(result.path("features").path("score").asInt()).isEqualTo(8);
      assertThat(result.path("views").path("removed").path("status").asString()).isEqualTo("error");
    }
  }

  @Test
  void post_namesThatClashOnceTheyAreShort_areAnsweredOnce() {
    String body = "{\"service\": \"overridden\", \"full_feature_names\": false, \"entities\": [1]}";

    assertThat(post(body).body())
        .contains("\"features\":{\"total_spent\":99.50,\"purchase_count\":null}");
  }

  @Test
  void post_keyThatCannotBe_isAnErrorOfTheViewsThatItIsOf() {
    JsonNode results =
        results(
            "{\"service\": \"all\", \"entities\": [{\"customer_id\": \"x\", \"shop\": \"42\"}, {\"customer_id\": 1.5, \"shop\": null}]}");

    assertThat(results.path(0).path("entity").toString())
        .isEqualTo("{\"customer_id\":\"x\",\"shop\":\"42\"}");
    assertThat(results.path(0).path("features").path("score").asInt()).isEqualTo(8);
    assertThat(results.path(0).path("views").path("spending").path("error").toString())
        .contains("invalid_request", "customer_id", "INT64");
    assertThat(results.path(1).path("entity").toString())
        .isEqualTo("{\"customer_id\":1.5,\"shop\":null}");
    assertThat(results.path(1).path("status").asString()).isEqualTo("error");
  }

  @Test
  void post_noEntities_answersNone() {
    assertThat(post("{\"service\": \"all\", \"entities\": []}").body())
        .isEqualTo("{\"service\":\"all\",\"results\":[]}");
  }

  @Test
  void post_nothingThatCanBeAsked_isRefusedAsAWhole() {
    assertProblem(
        post("{\"service\": \"gone\", \"entities\": [1]}"),
        404,
        "unknown_view",
        "",
        "there is no view 'removed'");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '%',
      quoteCharacter = '`',
      value = {
        "{\"service\": \"al\", \"entities\": []}% 404% unknown_service% ``% 'al'; did you mean 'all'?",
        "{\"service\": 1, \"entities\": []}% 400% invalid_request% /service% no string",
        "{\"entities\": []}% 400% invalid_request% /service% one of \"service\" and \"features\"",
        "{\"service\": \"all\", \"features\": [\"a:b\"], \"entities\": []}% 400% invalid_request% /features% one of",
        "{\"service\": \"all\"}% 400% invalid_request% /entities% missing",
        "{\"service\": \"all\", \"entities\": {}}% 400% invalid_request% /entities% no array",
        "{\"service\": \"all\", \"entities\": [], \"entities\": []}% 400% invalid_request% /entities% twice",
        "{\"service\": \"all\", \"entities\": [], \"views/x\": 1}% 400% invalid_request% /views~1x% unknown key",
        "{\"service\": \"all\", \"entities\": [1]}% 400% invalid_request% /entities/0% \"customer_id\"",
        "{\"service\": \"all\", \"entities\": [{\"customer_id\": 1}]}% 400% invalid_request% /entities/0% 'shop' is missing",
        "{\"service\": \"some\", \"entities\": [{\"customer_id\": 1, \"shop\": 1}]}% 400% invalid_request% /entities/0% unknown key 'shop'",
        "{\"service\": \"some\", \"entities\": [{\"customer_id\": [1]}]}% 400% invalid_request% /entities/0/customer_id% no string or number",
        "{\"service\": \"some\", \"entities\": [{\"customer_id\": 1, \"customer_id\": 1}]}% 400% invalid_request% /entities/0% twice",
        "{\"service\": \"some\", \"full_feature_names\": 1, \"entities\": []}% 400% invalid_request% /full_feature_names% no boolean",
        "{\"features\": [], \"entities\": []}% 400% invalid_request% /features% no features",
        "{\"features\": [\"shops\"], \"entities\": []}% 400% invalid_request% /features/0% view:feature",
        "{\"features\": [\"shop:score\"], \"entities\": []}% 404% unknown_view% ``% did you mean 'shops'?",
        "{\"features\": [\"shops:scor\"], \"entities\": []}% 400% unknown_feature% ``% did you mean 'score'?",
        "{\"features\": [\"spending:total_spent\", \"lately:total_spent\"], \"entities\": []}% 400% invalid_request% ``% full_feature_names",
        "[]% 400% invalid_request% ``% no JSON object",
        "{\"service\": % 400% invalid_request% ``% malformed JSON at line 1",
      })
  void post_whatIsWrong_isSaidWithItsPlace(
      String body, int status, String code, String pointer, String detail) {
    assertProblem(post(body), status, code, pointer, detail);
  }

  @Test
  void post_moreEntitiesThanAllowed_isRefused() {
    assertProblem(
        post("{\"service\": \"some\", \"entities\": [1" + ",1".repeat(1_000) + "]}"),
        413,
        "too_many_entities",
        "/entities",
        "more than 1000 entities");
  }

  @Test
  void get_isRefused() {
    Answer answer = served().get("/features/batch");

    assertThat(answer.status()).isEqualTo(405);
    assertThat(answer.header("Allow")).isEqualTo("POST");
  }
}
