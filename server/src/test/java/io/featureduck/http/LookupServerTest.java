package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.ServedStore.Answer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URLEncoder;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class LookupServerTest {
  private static final List<String[]> CUSTOMER =
      List.<String[]>of(new String[] {"customer_id", "INT64"});
  private static final List<String[]> USER_FEATURES =
      List.of(
          new String[] {"purchase_count", "INT64", "BIGINT"},
          new String[] {"total_spent", "DECIMAL(12,2)", "NUMERIC(12,2)"},
          new String[] {"avg_order_value", "FLOAT64", "DOUBLE PRECISION"});

  private static @Nullable ServedStore served;

  @BeforeAll
  static void serve() throws Exception {
    ServedStore store = new ServedStore();
    served =
        store
            .view("user_features", CUSTOMER, USER_FEATURES, "")
            .view("expiring", CUSTOMER, USER_FEATURES, "\"ttl\": \"7d\"")
            .view(
                "named",
                List.<String[]>of(new String[] {"name", "STRING"}),
                List.<String[]>of(new String[] {"score", "INT32", "INTEGER"}),
                "")
            .view(
                "pairs",
                List.of(new String[] {"region", "STRING"}, new String[] {"day", "DATE"}),
                List.<String[]>of(new String[] {"score", "INT32", "INTEGER"}),
                "");
    store.register("untouched", CUSTOMER, USER_FEATURES, "");
    store
        .database()
        .execute(
            """
            INSERT INTO online_user_features VALUES
              ('1', 3, 99.50, 33.166666666666664, '2026-11-23T10:00:00Z', '2026-11-23T11:00:00.5Z'),
              ('2', 1, 7, NULL, '2026-11-23T10:00:00.123456Z', '2026-11-23T11:00:00Z'),
              ('9223372036854775807', 9007199254740993, 0, 'NaN', NULL, '2026-11-23T11:00:00Z');
            INSERT INTO online_expiring VALUES
              ('1', 3, 99.5, 33, now() - interval '8 days', '2026-11-23T11:00:00Z'),
              ('2', 3, 99.5, 33, now() - interval '6 days', '2026-11-23T11:00:00Z');
            INSERT INTO online_pairs VALUES ('north|2024-01-31', 7, NULL, '2026-11-23T11:00:00Z');
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

  private static void assertProblem(Answer answer, int status, String code) {
    assertThat(answer.status()).as(answer.body()).isEqualTo(status);
    assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
    assertThat(answer.header("X-Request-Id")).isNotEmpty();
    JsonNode problem = answer.json();
    assertThat(problem.path("type").asString()).isEqualTo("urn:featureduck:" + code);
    assertThat(problem.path("code").asString()).isEqualTo(code);
    assertThat(problem.path("status").asInt()).isEqualTo(status);
    assertThat(problem.path("title").asString()).isNotEmpty();
    assertThat(problem.path("request_id").asString()).isEqualTo(answer.header("X-Request-Id"));
  }

  private static String detail(Answer answer) {
    return answer.json().path("detail").asString();
  }

  @Test
  void get_knownEntity_answersRow() {
    Answer answer = served().get("/features/user_features/1");

    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.header("Content-Type")).isEqualTo("application/json");
    assertThat(answer.body())
        .startsWith(
            "{\"view\":\"user_features\",\"version\":1,\"entity\":\"1\",\"status\":\"found\","
                + "\"features\":{\"purchase_count\":3,\"total_spent\":99.50,\"avg_order_value\":33.166666666666664},"
                + "\"event_timestamp\":\"2026-11-23T10:00:00Z\",\"updated_at\":\"2026-11-23T11:00:00.500Z\",\"as_of\":\"");
    assertThat(answer.json().path("as_of").asString()).endsWith("Z");
  }

  @Test
  void get_askedTwice_answersTheSameFromTheCache() {
    String first = served().get("/features/user_features/2").body();

    assertThat(served().get("/features/user_features/2").body()).isEqualTo(first);
    assertThat(first).contains("\"event_timestamp\":\"2026-11-23T10:00:00.123456Z\"");
  }

  @Test
  void get_largeIntegerAndNaN_keepsAllDigits() {
    assertThat(served().get("/features/user_features/9223372036854775807").body())
        .contains(
            "{\"purchase_count\":9007199254740993,\"total_spent\":0.00,\"avg_order_value\":\"NaN\"},\"event_timestamp\":null");
  }

  @Test
  void get_someFeatures_answersThoseInTheAskedOrder() {
    assertThat(
            served()
                .get("/features/user_features/1?features=avg_order_value,purchase_count")
                .body())
        .contains(
            "\"features\":{\"avg_order_value\":33.166666666666664,\"purchase_count\":3},\"event_timestamp\"");
  }

  @Test
  void get_unknownFeature_isRefusedWithTheNearestName() {
    Answer answer = served().get("/features/user_features/1?features=total_spend");

    assertProblem(answer, 400, "unknown_feature");
    assertThat(detail(answer)).contains("total_spend").contains("did you mean 'total_spent'");
  }

  @Test
  void get_unknownView_isNotFound() {
    Answer answer = served().get("/features/user_feature/1");

    assertProblem(answer, 404, "unknown_view");
    assertThat(detail(answer)).contains("did you mean 'user_features'");
  }

  @Test
  void get_unknownEntity_isNotFoundAlsoFromTheCache() {
    assertProblem(served().get("/features/user_features/404"), 404, "unknown_entity");
    assertProblem(served().get("/features/user_features/404"), 404, "unknown_entity");
  }

  @Test
  void get_valueOfAnotherType_isNotFoundNamingTheType() {
    Answer answer = served().get("/features/user_features/abc");

    assertProblem(answer, 404, "unknown_entity");
    assertThat(detail(answer)).contains("customer_id").contains("INT64");
  }

  @Test
  void get_leadingZeros_answersTheCanonicalKey() {
    assertThat(served().get("/features/user_features/001").body()).contains("\"entity\":\"1\"");
  }

  @Test
  void get_olderThanTtl_isExpiredWithoutFeatures() {
    JsonNode expired = served().get("/features/expiring/1").json();

    assertThat(expired.path("status").asString()).isEqualTo("expired");
    assertThat(expired.path("features").path("purchase_count").isNull()).isTrue();
    assertThat(expired.path("event_timestamp").isString()).isTrue();
    assertThat(served().get("/features/expiring/2").json().path("status").asString())
        .isEqualTo("found");
  }

  @Test
  void get_neverMaterialized_isUnavailableWhileOthersAreServed() {
    Answer answer = served().get("/features/untouched/1");

    assertProblem(answer, 503, "store_unavailable");
    assertThat(answer.header("Retry-After")).isEqualTo("1");
    assertThat(detail(answer)).contains("never materialized");
    assertThat(served().get("/features/user_features/1").status()).isEqualTo(200);
  }

  @Test
  void get_unknownParameter_isRefusedNamingThoseExpected() {
    Answer answer = served().get("/features/user_features/1?feature=a");

    assertProblem(answer, 400, "invalid_request");
    assertThat(detail(answer)).contains("feature").contains("expected features");
  }

  @Test
  void request_withId_isAnsweredWithIt() {
    assertThat(
            served()
                .send(served().request("/features/user_features/1").header("X-Request-Id", "abc"))
                .header("X-Request-Id"))
        .isEqualTo("abc");
    assertThat(
            served()
                .send(served().request("/features/nothing/1").header("X-Request-Id", "abc"))
                .json()
                .path("request_id")
                .asString())
        .isEqualTo("abc");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a/b",
        "..",
        "../x",
        ".",
        "%2F",
        "a+b",
        "a b",
        "it's \"quoted\"",
        "duck 🦆",
        "é",
        "x?y#z",
        "a|b",
        "back\\slash",
        "100%",
        "",
        "batch",
        "line\nbreak"
      })
  void get_anyText_isServed(String name) throws Exception {
    String key = name.replace("\\", "\\\\").replace("|", "\\|");
    served()
        .database()
        .execute(
            "INSERT INTO online_named VALUES ('%s', 7, NULL, now()) ON CONFLICT DO NOTHING"
                .formatted(key.replace("'", "''")));
    String encoded = URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");

    Answer answer = served().get("/features/named/" + encoded);

    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    assertThat(answer.json().path("entity").asString()).isEqualTo(key);
    assertThat(answer.json().path("features").path("score").asInt()).isEqualTo(7);
    JsonNode row =
        served()
            .post(
                "/features/named/batch",
                "{\"entities\": [%s]}"
                    .formatted(
                        new String(
                            io.featureduck.json.JsonBytes.quoted(name), StandardCharsets.UTF_8)))
            .json()
            .path("results")
            .path(0);
    assertThat(row.path("entity").asString()).isEqualTo(key);
    assertThat(row.path("status").asString()).isEqualTo("found");
  }

  @Test
  void get_rawTarget_isTakenAsItIs() throws Exception {
    served()
        .database()
        .execute(
            "INSERT INTO online_named VALUES ('../raw/./x+y', 8, NULL, now()), ('ü', 9, NULL, now())");

    assertThat(raw("GET /features/named/../raw/./x+y HTTP/1.1\r\nHost: a\r\n"))
        .startsWith("HTTP/1.1 200")
        .contains("\"entity\":\"../raw/./x+y\"");
    assertThat(raw("GET http://somewhere:1/features/named/%C3%BC HTTP/1.1\r\nHost: a\r\n"))
        .startsWith("HTTP/1.1 200")
        .contains("\"score\":9");
    assertThat(raw("GET /features/named/%FF HTTP/1.1\r\nHost: a\r\n"))
        .startsWith("HTTP/1.1 400")
        .contains("UTF-8");
    assertThat(raw("GET /features/named/%zz HTTP/1.1\r\nHost: a\r\n")).startsWith("HTTP/1.1 400");
  }

  @Test
  void request_thatIsTooLongOrNone_isAProblem() throws Exception {
    assertThat(raw("GET /features/named/" + "x".repeat(20_000) + " HTTP/1.1\r\nHost: a\r\n"))
        .contains(" 414 ")
        .contains("urn:featureduck:invalid_request");
    assertThat(raw("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x".repeat(20_000) + "\r\n"))
        .contains(" 431 ")
        .contains("urn:featureduck:invalid_request");
  }

  @Test
  void get_keyOfTheLargestLength_isServed() throws Exception {
    String name = "é".repeat(1_024);
    served()
        .database()
        .execute("INSERT INTO online_named VALUES ('%s', 5, NULL, now())".formatted(name));

    assertThat(
            served()
                .get("/features/named/" + URLEncoder.encode(name, StandardCharsets.UTF_8))
                .status())
        .isEqualTo(200);
    assertProblem(
        served().get("/features/named/" + URLEncoder.encode(name + "x", StandardCharsets.UTF_8)),
        404,
        "unknown_entity");
    assertProblem(served().get("/features/named/a%00b"), 404, "unknown_entity");
  }

  private static String raw(String head) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), served().serving().port())) {
      socket.setSoTimeout(10_000);
      socket
          .getOutputStream()
          .write((head + "Connection: close\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void get_severalJoinKeys_takesTheEncodedKey() {
    assertThat(served().get("/features/pairs/north%7C2024-01-31").body())
        .contains("\"entity\":\"north|2024-01-31\"");
    assertProblem(served().get("/features/pairs/north"), 404, "unknown_entity");
  }

  @Test
  void batch_mixedEntities_answersEachInOrder() {
    Answer answer =
        served()
            .post(
                "/features/user_features/batch",
                "{\"entities\": [\"2\", 1, {\"customer_id\": \"1\"}, 404, \"x\", 1.5, null, 9223372036854775808], \"features\": [\"purchase_count\"]}");

    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    JsonNode root = answer.json();
    assertThat(root.path("view").asString()).isEqualTo("user_features");
    assertThat(root.path("version").asInt()).isEqualTo(1);
    assertThat(root.path("as_of").asString()).endsWith("Z");
    List<String> statuses =
        root.path("results").valueStream().map(row -> row.path("status").asString()).toList();
    assertThat(statuses)
        .containsExactly(
            "found", "found", "found", "not_found", "error", "error", "error", "error");
    assertThat(root.path("results").path(0).path("entity").asString()).isEqualTo("2");
    assertThat(root.path("results").path(2).path("features").path("purchase_count").asInt())
        .isEqualTo(3);
    assertThat(root.path("results").path(0).has("view")).isFalse();
    assertThat(root.path("results").path(3).path("features").path("purchase_count").isNull())
        .isTrue();
    JsonNode bad = root.path("results").path(4);
    assertThat(bad.path("error").path("code").asString()).isEqualTo("invalid_request");
    assertThat(bad.path("error").path("detail").asString()).contains("customer_id");
    assertThat(bad.path("features").path("purchase_count").isNull()).isTrue();
  }

  @Test
  void batch_severalJoinKeys_takesObjects() {
    JsonNode row =
        served()
            .post(
                "/features/pairs/batch",
                "{\"entities\": [{\"day\": \"2024-01-31\", \"region\": \"north\"}]}")
            .json()
            .path("results")
            .path(0);

    assertThat(row.path("entity").asString()).isEqualTo("north|2024-01-31");
    assertThat(row.path("features").path("score").asInt()).isEqualTo(7);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{\"entities\": [1, 2;malformed JSON at line 1, column;none",
        "{\"entities\": [1,, 2]};malformed JSON at line 1, column 17;none",
        "`{\n  \"entities\": [x]}`;malformed JSON at line 2, column 1;none",
        "[];no JSON object;none",
        "{};\"entities\" is missing;/entities",
        "{\"entity\": [1]};unknown key 'entity': expected \"entities\";/entity",
        "{\"entities\": 1};no array;/entities",
        "{\"entities\": [1, {\"customer\": 1}]};expected a string, a number or {\"customer_id\": …};/entities/1",
        "{\"entities\": [{}]};key 'customer_id' is missing;/entities/0",
        "{\"entities\": [[1]]};an entity is no array;/entities/0",
        "{\"entities\": [1], \"features\": \"a\"};no array of names;/features",
        "{\"entities\": [1], \"features\": [1]};no string;/features/0",
        "{\"entities\": [1]} x;malformed JSON at line 1, column;none",
        "{\"entities\": [1]} {};something follows;none",
        "{\"entities\": [1], \"entities\": [2]};comes twice;/entities"
      })
  void batch_wrongBody_isRefusedWithItsPlace(String body, String detail, String pointer) {
    Answer answer = served().post("/features/user_features/batch", body);

    assertProblem(answer, 400, "invalid_request");
    assertThat(detail(answer)).contains(detail);
    if (!pointer.equals("none")) {
      assertThat(answer.json().path("pointer").asString()).isEqualTo(pointer);
    }
  }

  @Test
  void batch_scalarForSeveralJoinKeys_isRefusedNamingThem() {
    Answer answer = served().post("/features/pairs/batch", "{\"entities\": [\"north\"]}");

    assertProblem(answer, 400, "invalid_request");
    assertThat(detail(answer)).contains("\"region\"").contains("\"day\"");
    assertThat(answer.json().path("pointer").asString()).isEqualTo("/entities/0");
  }

  @Test
  void batch_unknownFeature_isRefusedWithItsPointer() {
    Answer answer =
        served()
            .post(
                "/features/user_features/batch",
                "{\"entities\": [1], \"features\": [\"purchase_count\", \"total\"]}");

    assertProblem(answer, 400, "unknown_feature");
    assertThat(answer.json().path("pointer").asString()).isEqualTo("/features/1");
  }

  @Test
  void batch_tooManyEntities_isRefused() {
    String entities = "1,".repeat(1_000) + "1";

    assertProblem(
        served().post("/features/user_features/batch", "{\"entities\": [" + entities + "]}"),
        413,
        "too_many_entities");
  }

  @Test
  void batch_ofTheLargestSize_isAnswered() {
    StringBuilder entities = new StringBuilder("1");
    for (int i = 2; i <= 1_000; i++) {
      entities.append(',').append(i);
    }

    JsonNode root =
        served().post("/features/user_features/batch", "{\"entities\": [" + entities + "]}").json();

    assertThat(root.path("results").size()).isEqualTo(1_000);
    assertThat(root.path("results").path(999).path("entity").asString()).isEqualTo("1000");
  }

  @Test
  void batch_bodyTooLarge_isRefusedWithAndWithoutLength() {
    byte[] body =
        ("{\"entities\": [\"" + "x".repeat(100_000) + "\"]}").getBytes(StandardCharsets.UTF_8);

    assertProblem(
        served()
            .send(
                served()
                    .request("/features/user_features/batch")
                    .header("Content-Type", "application/json")
                    .POST(BodyPublishers.ofByteArray(body))),
        413,
        "body_too_large");
    assertProblem(
        served()
            .send(
                served()
                    .request("/features/user_features/batch")
                    .header("Content-Type", "application/json")
                    .POST(
                        BodyPublishers.ofInputStream(
                            () -> new java.io.ByteArrayInputStream(body)))),
        413,
        "body_too_large");
  }

  @Test
  void batch_otherContentType_isRefused() {
    Answer answer =
        served()
            .send(
                served()
                    .request("/features/user_features/batch")
                    .header("Content-Type", "text/csv")
                    .POST(BodyPublishers.ofString("1")));

    assertProblem(answer, 415, "unsupported_media_type");
    assertThat(detail(answer)).contains("text/csv").contains("application/json");
  }

  @Test
  void batch_unknownView_isNotFound() {
    assertProblem(served().post("/features/nothing/batch", "{}"), 404, "unknown_view");
  }

  @ParameterizedTest
  @CsvSource({
    "PUT, /features/user_features/1, 'GET, HEAD, DELETE'",
    "POST, /features/user_features/1, 'GET, HEAD, DELETE'",
    "PUT, /features/user_features/batch, 'GET, HEAD, POST, DELETE'",
    "POST, /views, 'GET, HEAD'",
    "GET, /views/user_features/materialize, POST",
    "POST, /health/live, 'GET, HEAD'",
    "POST, /metrics, 'GET, HEAD'"
  })
  void request_wrongMethod_isRefusedNamingThoseAllowed(String method, String target, String allow) {
    Answer answer = served().send(served().request(target).method(method, BodyPublishers.noBody()));

    assertProblem(answer, 405, "method_not_allowed");
    assertThat(answer.header("Allow")).isEqualTo(allow);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/feature",
        "/features",
        "/features/",
        "/features/x",
        "/views/a/b",
        "/health"
      })
  void request_unknownPath_isNotFound(String target) {
    assertThat(served().get(target).status()).isEqualTo(404);
  }

  @Test
  void head_knownEntity_hasNoBody() {
    Answer answer =
        served()
            .send(
                served()
                    .request("/features/user_features/1")
                    .method("HEAD", BodyPublishers.noBody()));

    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).isEmpty();
  }
}
