package io.featureduck.feast;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NamesTest {
  @ParameterizedTest
  @CsvSource({
    "plain_1, plain_1",
    "DriverStats, driver_stats",
    "driverID, driver_id",
    "my-shop.v2, my_shop_v2",
    "a__b, a_b",
    "_hidden_, hidden",
    "Café (2nd), cafe_2nd",
    "HTTPServer, httpserver",
  })
  void converted_text_followsTheRule(String text, String name) {
    assertThat(Names.converted(text)).isEqualTo(name);
  }

  @Test
  void of_nameThatCanNotBeMade_isEmptyAndSaysSo() {
    Names names = new Names(List.of("7days", "ñ漢", "x".repeat(49)));

    assertThat(names.of("7days")).isEmpty();
    assertThat(names.refusal("7days")).contains("can't be made one of ours");
    assertThat(names.of("ñ漢")).contains("n");
    assertThat(names.of("x".repeat(49))).isEmpty();
  }

  @Test
  void of_namesAlike_firstIsTheOneThatNeedsNoChange() {
    Names names = new Names(List.of("My View", "my-view", "my_view"));

    assertThat(names.of("my_view")).contains("my_view");
    assertThat(names.of("My View")).isEmpty();
    assertThat(names.refusal("my-view")).contains("as that of 'my_view'");
  }
}
