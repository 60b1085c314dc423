package io.featureduck.dialect;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bounds of local times let no row through the net, whatever the clocks do. */
final class LocalBoundsTest {
  private static final int CASES = 20_000;

  @ParameterizedTest
  @ValueSource(
      strings = {"UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"})
  void bounds_randomInstantsNearby_areNeverTooNarrow(String name) {
    ZoneId zone = ZoneId.of(name);
    Random random = new Random(7);
    for (int i = 0; i < CASES; i++) {
      // Of the years in which these zones changed their clocks, Samoa's lost day among them.
      Instant bound = Instant.ofEpochSecond(1_200_000_000L + random.nextInt(200_000_000));
      Instant later = bound.plusSeconds(1 + random.nextInt(200_000));
      Instant earlier = bound.minusSeconds(random.nextInt(200_000));

      assertThat(local(later, zone)).isAfter(LocalBounds.after(bound, zone));
      assertThat(local(earlier, zone)).isBeforeOrEqualTo(LocalBounds.upTo(bound, zone));
    }
  }

  @Test
  void bounds_clocksAreNotChangedNearby_areTheInstantItself() {
    Instant bound = Instant.parse("2026-07-01T10:00:00.123456Z");
    LocalDateTime local = LocalDateTime.parse("2026-07-01T12:00:00.123456");

    assertThat(LocalBounds.after(bound, ZoneId.of("Europe/Berlin"))).isEqualTo(local);
    assertThat(LocalBounds.upTo(bound, ZoneId.of("Europe/Berlin"))).isEqualTo(local);
  }

  private static LocalDateTime local(Instant instant, ZoneId zone) {
    return LocalDateTime.ofInstant(instant, zone);
  }
}
