package io.featureduck.feast;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ConfigTextTest {
  @Test
  void of_anyJson_breaksOnlyWhatIsTooLongForALine() {
    JsonNode config =
        new JsonMapper()
            .readTree(
                """
                {"a": {"b": [1, {"c": "x\\"y"}], "d": {}}, "e": [], "f": ["%s", {"g": null}]}
                """
                    .formatted("z".repeat(90)));

    String text = ConfigText.of(config);

    assertThat(text)
        .isEqualTo(
            """
            {
              "a": {"b": [1, {"c": "x\\"y"}], "d": {}},
              "e": [],
              "f": [
                "%s",
                {"g": null}
              ]
            }
            """
                .formatted("z".repeat(90)));
    assertThat(new JsonMapper().readTree(text)).isEqualTo(config);
  }
}
