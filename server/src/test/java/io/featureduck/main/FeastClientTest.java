package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureService.Selection;
import io.featureduck.http.ServedStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Feast's own Python client, with its {@code remote} online store, reads from a server of ours. */
@Execution(ExecutionMode.CONCURRENT)
class FeastClientTest {
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final List<String[]> USER = List.<String[]>of(new String[] {"user_id", "INT64"});

  @TempDir private static Path folder;

  private static JsonNode answers = JSON.createObjectNode();

  @BeforeAll
  static void readByFeast() throws Exception {
    try (ServedStore store = new ServedStore()) {
      ServedStore served =
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
                  List.<String[]>of(new String[] {"visits", "INT64", "BIGINT"}),
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
                ('1', 3, 0.5, 'a', now() - interval '1 day', now()),
                ('2', 9007199254740993, 0.25, NULL, NULL, now()),
                ('3', 7, 1, 'old', '2020-01-01T00:00:00Z', now());
              INSERT INTO online_kinds VALUES
                ('1', true, '\\x00ff', '2026-11-23T10:00:00Z', '{"a": "b"}',
                 '{2026-11-23T10:00:00Z,1970-01-01T00:00:01Z}', '{x,"y z"}', now(), now());
              INSERT INTO online_visits VALUES ('1|north', 11, now(), now());
              """);
      String url = "http://127.0.0.1:" + served.start().serving().port();
      Path script = folder.resolve("read_by_feast.py");
      FeastEnvironment.copy("read_by_feast.py", script);
      Path read = folder.resolve("answers.json");
      FeastEnvironment.execute(
          Map.of(),
          FeastEnvironment.python().toString(),
          "-Wignore",
          script.toString(),
          folder.resolve("twin").toString(),
          url,
          read.toString());
      answers = JSON.readTree(read);
    }
  }

  private static void assertColumn(String asked, String name, String values, String statuses) {
    JsonNode column = answers.path(asked).path(name);
    assertThat(column.path("values").toString()).as("%s %s", asked, name).isEqualTo(values);
    assertThat(column.path("statuses").toString()).as("%s %s", asked, name).isEqualTo(statuses);
  }

  @Test
  void getOnlineFeatures_byList_hasValuesAndTrueStatuses() {
    assertColumn(
        "list",
        "user_id",
        "[1,2,3,4,1]",
        "[\"PRESENT\",\"PRESENT\",\"PRESENT\",\"PRESENT\",\"PRESENT\"]");
    assertColumn(
        "list",
        "purchase_count",
        "[3,9007199254740993,null,null,3]",
        "[\"PRESENT\",\"PRESENT\",\"OUTSIDE_MAX_AGE\",\"NOT_FOUND\",\"PRESENT\"]");
    assertColumn(
        "list",
        "label",
        "[\"a\",null,null,null,\"a\"]",
        "[\"PRESENT\",\"NULL_VALUE\",\"OUTSIDE_MAX_AGE\",\"NOT_FOUND\",\"PRESENT\"]");
    assertThat(answers.path("list").path("ratio").path("values").toString())
        .isEqualTo("[0.5,0.25,null,null,0.5]");
  }

  @Test
  void getOnlineFeatures_ofEachKind_hasTheValue() {
    String present = "[\"PRESENT\"]";
    assertColumn("kinds", "flag", "[true]", present);
    assertColumn("kinds", "raw", "[\"AP8=\"]", present);
    assertColumn("kinds", "seen", "[1795428000]", present);
    assertColumn("kinds", "tree", "[\"{\\\"a\\\": \\\"b\\\"}\"]", present);
    assertColumn("kinds", "times", "[[1795428000,1]]", present);
    assertColumn("kinds", "words", "[[\"x\",\"y z\"]]", present);
  }

  @Test
  void getOnlineFeatures_byServiceWithCompositeKeys_hasAllViews() {
    assertColumn("service", "stats__label", "[\"a\",\"a\"]", "[\"PRESENT\",\"PRESENT\"]");
    assertColumn("service", "visits__visits", "[11,null]", "[\"PRESENT\",\"NOT_FOUND\"]");
  }

  @Test
  void getOnlineFeatures_unknownView_isToldAsFeastDoes() {
    assertThat(answers.path("unknown").asString())
        .contains("FeatureViewNotFoundException", "nowhere");
  }
}
