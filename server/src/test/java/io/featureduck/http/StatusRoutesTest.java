package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.ServedStore.Answer;
import io.featureduck.store.Pause;
import io.vertx.core.json.JsonObject;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class StatusRoutesTest {
  private static final List<String[]> CUSTOMER =
      List.<String[]>of(new String[] {"customer_id", "INT64"});
  private static final List<String[]> COUNT =
      List.<String[]>of(new String[] {"purchases", "INT64", "BIGINT"});

  private final ServedStore served;

  StatusRoutesTest() throws Exception {
    served = new ServedStore();
  }

  @BeforeEach
  void serve() throws Exception {
    served
        .view(
            "user_features",
            CUSTOMER,
            COUNT,
            "\"owner\": \"growth\", \"freshness\": {\"warn\": \"30s\", \"error\": \"1h\"}")
        .start();
  }

  @AfterEach
  void stop() throws Exception {
    served.close();
  }

  @Test
  void views_oneLive_describesIt() {
    JsonNode view = served.get("/views").json().path("views").path(0);

    assertThat(view.path("view").asString()).isEqualTo("user_features");
    assertThat(view.path("owner").asString()).isEqualTo("growth");
    assertThat(view.path("join_keys").path(0).path("type").asString()).isEqualTo("INT64");
    assertThat(view.path("features").path(0).path("name").asString()).isEqualTo("purchases");
    assertThat(
            served
                .get("/views/user_features")
                .json()
                .path("definition")
                .path("freshness")
                .path("warn")
                .asString())
        .isEqualTo("30s");
    assertThat(served.get("/views/user_feature").json().path("detail").asString())
        .contains("did you mean 'user_features'");
  }

  @Test
  void views_paused_saysSinceWhenAndByWhom() {
    assertThat(served.get("/views").json().path("views").path(0).path("paused").asBoolean(true))
        .isFalse();
    Pause pause = served.store().pause("user_features", "a test");

    JsonNode listed = served.get("/views").json().path("views").path(0);
    JsonNode shown = served.get("/views/user_features").json();

    assertThat(listed.path("paused").asBoolean()).isTrue();
    assertThat(listed.path("paused_by").asString()).isEqualTo("a test");
    assertThat(shown.path("paused_at").asString()).isEqualTo(pause.at().toString());
  }

  @Test
  void freshness_eventsOfAMinuteAgo_isAWarning() {
    JsonNode freshness = served.get("/views/user_features/freshness").json();

    assertThat(freshness.path("state").asString()).isEqualTo("warn");
    assertThat(freshness.path("event_age_seconds").asDouble()).isBetween(60.0, 90.0);
    assertThat(freshness.path("run_age_seconds").asDouble()).isBetween(0.0, 30.0);
    assertThat(freshness.path("rows").asInt()).isEqualTo(1);
  }

  @Test
  void runs_ofAView_areListedNewestFirst() throws Exception {
    served.commit("user_features", "", "NULL");

    JsonNode runs = served.get("/runs?view=user_features&limit=1").json().path("runs");

    assertThat(runs.size()).isEqualTo(1);
    assertThat(runs.path(0).path("run_id").asInt()).isEqualTo(2);
    assertThat(runs.path(0).path("status").asString()).isEqualTo("succeeded");
    assertThat(runs.path(0).path("error").isNull()).isTrue();
    assertThat(served.get("/runs?view=nothing").status()).isEqualTo(404);
    assertThat(served.get("/runs?limit=0").status()).isEqualTo(400);
    assertThat(served.get("/runs?limit=x").status()).isEqualTo(400);
    assertThat(served.get("/runs?views=x").status()).isEqualTo(400);
  }

  @Test
  void materialize_aRunBegins_answersItsId() {
    served
        .vertx()
        .eventBus()
        .<JsonObject>consumer(
            "featureduck.materialize",
            message -> {
              boolean full = message.body().getBoolean("full");
              message.reply(new JsonObject().put("run_id", full ? 7 : 8));
            });

    Answer answer = served.post("/views/user_features/materialize", "{\"full\": true}");

    assertThat(answer.status()).isEqualTo(202);
    assertThat(answer.body()).isEqualTo("{\"run_id\":7}");
    assertThat(
            served
                .send(
                    served
                        .request("/views/user_features/materialize")
                        .POST(BodyPublishers.noBody()))
                .body())
        .isEqualTo("{\"run_id\":8}");
    assertThat(served.post("/views/user_features/materialize", "{\"ful\": true}").status())
        .isEqualTo(400);
    assertThat(served.post("/views/user_features/materialize", "[1]").status()).isEqualTo(400);
    assertThat(served.post("/views/user_features/materialize", "{\"full\": 1}").status())
        .isEqualTo(400);
    assertThat(
            served.post("/views/user_features/materialize", "{").json().path("detail").asString())
        .contains("line 1");
  }

  @Test
  void materialize_anotherRunIsOn_isAConflict() {
    served
        .vertx()
        .eventBus()
        .<JsonObject>consumer(
            "featureduck.materialize", message -> message.fail(409, "run_in_progress"));

    Answer answer = served.post("/views/user_features/materialize", "{}");

    assertThat(answer.status()).isEqualTo(409);
    assertThat(answer.json().path("code").asString()).isEqualTo("run_in_progress");
  }

  @Test
  void materialize_noMaterializerHere_isUnavailable() {
    assertThat(served.post("/views/user_features/materialize", "{}").status()).isEqualTo(503);
    assertThat(served.post("/views/user_feature/materialize", "{}").status()).isEqualTo(404);
  }

  @Test
  void materialize_viewThatNeverCouldBeRun_isAskedForAllTheSame() {
    served
        .vertx()
        .eventBus()
        .<JsonObject>consumer(
            "featureduck.materialize", message -> message.reply(new JsonObject().put("run_id", 7)));

    Answer answer = served.post("/views/broken/materialize", "{}");

    assertThat(answer.status()).isEqualTo(202);
    assertThat(answer.json().path("run_id").asLong()).isEqualTo(7);
  }

  @Test
  void ready_aViewWithoutTable_namesIt() throws Exception {
    try (ServedStore store = new ServedStore()) {
      store.register("untouched", CUSTOMER, COUNT, "");
      Answer ready = store.start().get("/health/ready");

      assertThat(store.get("/health/live").status()).isEqualTo(200);
      assertThat(ready.status()).isEqualTo(503);
      assertThat(ready.json().path("detail").asString()).contains("never materialized: untouched");
    }
  }

  @Test
  void ready_aViewIsAddedToAServerThatWasReady_staysReady() throws Exception {
    assertThat(served.get("/health/ready").status()).isEqualTo(200);

    served.register("untouched", CUSTOMER, COUNT, "");

    ServedStore.await(() -> served.get("/views/untouched").status() == 200);
    assertThat(served.get("/health/ready").status()).isEqualTo(200);
  }

  @Test
  void get_definitionChanged_isServedAsItIsNow() throws Exception {
    served
        .database()
        .execute(
            "INSERT INTO online_user_features VALUES ('1', 5, now() - interval '1 day', now())");
    assertThat(served.get("/features/user_features/1").body()).contains("\"status\":\"found\"");

    served
        .database()
        .execute(
            "UPDATE featureduck_views SET hash = 'new', definition = jsonb_set(definition, '{view,ttl}', '\"1h\"')");

    ServedStore.await(() -> served.get("/features/user_features/1").body().contains("expired"));
  }

  @Test
  void metrics_someLookupsAndRuns_areCounted() throws Exception {
    served.database().execute("INSERT INTO online_user_features VALUES ('1', 5, now(), now())");
    served.get("/features/user_features/1");
    served.get("/features/user_features/1");
    served.get("/features/user_features/2");
    served
        .vertx()
        .eventBus()
        .publish(
            "featureduck.runs",
            new JsonObject()
                .put("type", "failed")
                .put("view", "user_features")
                .put("version", 1)
                .put("seconds", 0.2));
    String view = "{version=\"1\",view=\"user_features\"}";
    ServedStore.await(() ->
        served
            .get("/metrics")
            .body()
            .contains(
                "featureduck_runs_total{status=\"failed\",version=\"1\",view=\"user_features\"} 1.0"));

    String text =
        served
            .get("/metrics")
            .body()
            .replace(
                "view=\"user_features\",version=\"1\"", "version=\"1\",view=\"user_features\"");

    assertThat(text)
        .contains(
            "featureduck_lookups_total{status=\"found\",version=\"1\",view=\"user_features\"} 2.0",
            "featureduck_lookups_total{status=\"not_found\",version=\"1\",view=\"user_features\"} 1.0",
            "featureduck_lookups_total{status=\"error\",version=\"1\",view=\"user_features\"} 0.0",
            "featureduck_lookup_seconds_bucket{version=\"1\",view=\"user_features\",le=\"1.0E-4\"}",
            "featureduck_lookup_seconds_bucket{version=\"1\",view=\"user_features\",le=\"2.5\"} 3",
            "featureduck_lookup_seconds_count" + view + " 3",
            "featureduck_run_seconds_count" + view + " 1",
            "featureduck_view_rows" + view + " 1.0",
            "featureduck_view_table_bytes" + view,
            "featureduck_view_freshness_seconds" + view + " 6",
            "featureduck_view_last_success_timestamp_seconds" + view + " 1",
            "featureduck_cache_requests_total{result=\"hit\"} 1.0",
            "featureduck_cache_requests_total{result=\"miss\"} 2.0",
            "featureduck_cache_entries 2.0",
            "featureduck_store_queries_total{status=\"ok\"} 2.0",
            "featureduck_store_batch_keys_bucket{le=\"1.0\"} 2",
            "featureduck_store_query_seconds_count 2",
            "featureduck_store_queue_keys 0.0",
            "featureduck_store_up 1.0",
            "featureduck_shed_total{reason=\"queue_full\"} 0.0");
  }
}
