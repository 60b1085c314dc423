package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NamesTest {
  @ParameterizedTest
  @CsvSource({
    "total_spent, total_spent",
    "Total Spent, total_spent",
    "totalSpent, total_spent",
    "spent__7d, spent_7d",
    "7d_spent, feature_7d_spent",
    "'', feature",
    "'  ', feature",
    "größe, gr_e",
    "_private_, private",
    "taken, taken_2",
    "event_timestamp, event_timestamp_2",
    "日本, feature",
    "a234567890123456789012345678901234567890123456789, a23456789012345678901234567890123456789012345678"
  })
  void of_anyText_makesANameThatFollowsTheRule(String old, String expected) {
    Set<String> taken = new HashSet<>(Names.RESERVED);
    taken.add("taken");

    String name = Names.of(old, "feature", taken);

    assertThat(name).isEqualTo(expected);
    assertThat(Names.isName(name)).isTrue();
  }

  @Test
  void of_longNameThatIsTaken_makesRoomForTheNumber() {
    String longest = "a".repeat(48);

    String name = Names.of(longest, "feature", Set.of(longest));

    assertThat(name).hasSize(48).endsWith("_2");
  }
}
