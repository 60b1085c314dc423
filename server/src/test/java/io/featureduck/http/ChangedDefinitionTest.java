package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.ServedStore.Answer;
import java.sql.SQLException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Requests that find the columns of their view's definition gone, because the definition was
 * changed since the server asked for it. Nothing tells the server but its poll, which each request
 * here is quicker than, or else it is answered from the new definition anyway.
 */
class ChangedDefinitionTest {
  private static final int ROUNDS = 10;
  private static final List<String[]> CUSTOMER =
      List.<String[]>of(new String[] {"customer_id", "INT64"});

  private ServedStore served = start();

  private static ServedStore start() {
    try {
      return new ServedStore();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @BeforeEach
  void makeView() throws Exception {
    served.view(
        "users",
        CUSTOMER,
        List.<String[]>of(
            new String[] {"kept", "INT64", "BIGINT"},
            new String[] {"gone0", "INT64", "BIGINT"},
            new String[] {"gone1", "INT64", "BIGINT"},
            new String[] {"gone2", "INT64", "BIGINT"}),
        "\"cache\": {\"max_age\": \"0s\"}");
    served
        .database()
        .execute(
            "INSERT INTO online_users SELECT i::text, i, 1, 2, 3, now(), now() FROM generate_series(1, 50) i");
    served.start();
    ServedStore.await(() -> served.get("/features/users/1").status() == 200);
  }

  @AfterEach
  void close() throws Exception {
    served.close();
  }

  /** Drops one feature with its column, at once. */
  private void drop(int feature) throws SQLException {
    StringBuilder left = new StringBuilder("[{\"name\": \"kept\", \"type\": \"INT64\"}");
    for (int i = feature + 1; i < 3; i++) {
      left.append(", {\"name\": \"gone").append(i).append("\", \"type\": \"INT64\"}");
    }
    served
        .database()
        .execute(
            """
            BEGIN;
            UPDATE featureduck_views SET hash = 'without %1$d',
              definition = jsonb_set(definition, '{features}', '%2$s]');
            ALTER TABLE online_users DROP COLUMN gone%1$d;
            COMMIT
            """
                .formatted(feature, left));
  }

  @Test
  void get_columnIsGoneWithItsFeature_answersByTheNewDefinition() throws Exception {
    for (int feature = 0; feature < 3; feature++) {
      drop(feature);

      Answer answer = served.get("/features/users/7");

      assertThat(answer.status()).as(answer.body()).isEqualTo(200);
      assertThat(answer.json().path("features").path("kept").asInt()).isEqualTo(7);
      assertThat(answer.json().path("features").has("gone" + feature)).isFalse();
      assertThat(answer.json().has("stale")).isFalse();
    }
  }

  @Test
  void batch_columnIsGoneWithItsFeature_answersByTheNewDefinition() throws Exception {
    for (int feature = 0; feature < 3; feature++) {
      drop(feature);

      Answer answer =
          served.post("/features/users/batch", "{\"entities\": [3, \"not one\", 4, 99]}");

      assertThat(answer.status()).as(answer.body()).isEqualTo(200);
      assertThat(answer.json().path("results"))
          .extracting(row -> row.path("status").asString())
          .containsExactly("found", "error", "found", "not_found");
      assertThat(answer.json().path("results").get(2).path("features").path("kept").asInt())
          .isEqualTo(4);
      assertThat(answer.body()).doesNotContain("gone" + feature);
    }
  }

  private double cacheMisses() {
    Matcher line =
        Pattern.compile("featureduck_cache_requests_total\\{result=\"miss\"} (\\S+)")
            .matcher(served.get("/metrics").body());
    assertThat(line.find()).isTrue();
    return Double.parseDouble(line.group(1));
  }

  @Test
  void lookups_askedAgain_areCountedOnce() throws Exception {
    double before = cacheMisses();
    for (int feature = 0; feature < 2; feature++) {
      drop(feature);
      Answer answer =
          feature == 0
              ? served.get("/features/users/7")
              : served.post("/features/users/batch", "{\"entities\": [3, 4, 5]}");
      assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    }

    assertThat(cacheMisses() - before).isEqualTo(4);
  }

  @Test
  void get_featureIsAskedForByName_isRefusedOnceItIsGone() throws Exception {
    drop(0);

    Answer gone = served.get("/features/users/7?features=kept,gone0");
    Answer kept = served.get("/features/users/7?features=kept");

    assertThat(gone.status()).as(gone.body()).isEqualTo(400);
    assertThat(gone.json().path("code").asString()).isEqualTo("unknown_feature");
    assertThat(kept.json().path("features").toString()).isEqualTo("{\"kept\":7}");
  }

  @Test
  void get_tableIsGoneWithItsView_isUnknown() throws Exception {
    served
        .database()
        .execute("BEGIN; DELETE FROM featureduck_views; DROP TABLE online_users; COMMIT");

    Answer answer = served.get("/features/users/7");
    Answer batch = served.post("/features/users/batch", "{\"entities\": [3]}");

    assertThat(answer.status()).as(answer.body()).isEqualTo(404);
    assertThat(answer.json().path("code").asString()).isEqualTo("unknown_view");
    assertThat(batch.status()).isEqualTo(404);
  }

  @Test
  void get_tableIsGoneForThatOfANewVersion_answersFromThere() throws Exception {
    served
        .database()
        .execute(
            """
            BEGIN;
            ALTER TABLE online_users RENAME TO online_users__v2;
            UPDATE featureduck_views SET version = 2;
            UPDATE featureduck_watermarks SET version = 2;
            UPDATE featureduck_changes SET version = 2;
            COMMIT
            """);

    Answer answer = served.get("/features/users/7");

    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    assertThat(answer.json().path("version").asInt()).isEqualTo(2);
  }

  @Test
  void get_columnIsGoneAndItsFeatureIsNot_failsAsItDid() throws Exception {
    served.database().execute("ALTER TABLE online_users DROP COLUMN gone0");

    for (int i = 0; i < ROUNDS; i++) {
      Answer answer = served.get("/features/users/7");

      assertThat(answer.status()).as(answer.body()).isEqualTo(503);
      assertThat(answer.json().path("code").asString()).isEqualTo("store_unavailable");
      assertThat(answer.json().path("detail").asString()).contains("SQLSTATE 42703");
    }
  }
}
