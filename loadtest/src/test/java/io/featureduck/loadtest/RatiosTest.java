package io.featureduck.loadtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RatiosTest {
  private final Ratios ratios = new Ratios();

  @Test
  void ratio_machineSlowerInOneRound_isTakenWithinRounds() {
    add(100, 200);
    add(10, 20);
    add(90, 180);

    assertThat(ratios.ratio("ours", "theirs")).isEqualTo(0.5, within(1e-12));
  }

  @Test
  void ratio_evenNumberOfRounds_isTheMiddleOfTheInnerTwo() {
    add(1, 1);
    add(2, 1);
    add(4, 1);
    add(9, 1);

    assertThat(ratios.ratio("ours", "theirs")).isEqualTo(3.0, within(1e-12));
  }

  @Test
  void row_twoRounds_tellsMediansAndTheRangeOfTheRatio() {
    add(1000, 2000);
    add(1500, 2000);

    assertThat(ratios.row("cached GET", "ours", "theirs", "/s", "at least 0.7"))
        .isEqualTo(
            "| cached GET | 1,250.0 /s | 2,000.0 /s | **0.63** (0.50 to 0.75) | at least 0.7 |");
  }

  @Test
  void median_nameThatWasNotMeasured_isRefusedByName() {
    assertThatThrownBy(() -> ratios.median("theirs")).hasMessageContaining("theirs");
  }

  private void add(double ours, double theirs) {
    ratios.add("ours", ours);
    ratios.add("theirs", theirs);
  }
}
