package io.featureduck.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearestTest {
  @Test
  void hint_misspeltName_namesTheNearest() {
    assertThat(Nearest.hint("ordres", List.of("orders", "order_items", "customers")))
        .isEqualTo("; did you mean 'orders'?");
  }

  @Test
  void to_otherCase_isNear() {
    assertThat(Nearest.to("Amount", List.of("amount", "count"))).contains("amount");
  }

  @Test
  void to_shortName_allowsOneEdit() {
    assertThat(Nearest.to("n0", List.of("n", "windows"))).contains("n");
    assertThat(Nearest.to("ab", List.of("cd"))).isEmpty();
  }

  @Test
  void to_nothingAlike_isEmpty() {
    assertThat(Nearest.to("weather", List.of("orders", "customers"))).isEmpty();
    assertThat(Nearest.to("x".repeat(10_000), List.of("orders"))).isEmpty();
  }
}
