package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class ScheduleTest {
  private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");

  @Test
  void next_cronInAZone_isTheTickThere() {
    Instant now = Instant.parse("2026-03-28T23:30:00Z");

    assertThat(Schedule.parse("*/5 * * * *", ZoneOffset.UTC).next(now))
        .contains(Instant.parse("2026-03-28T23:35:00Z"));
    // Berlin's clocks go from 2 to 3 in that night.
    assertThat(Schedule.parse("30 4 * * *", BERLIN).next(now))
        .contains(Instant.parse("2026-03-29T02:30:00Z"));
  }

  @Test
  void last_atATick_isThatTick() {
    Schedule schedule = Schedule.parse("*/5 * * * *", ZoneOffset.UTC);
    Instant tick = Instant.parse("2026-11-23T10:05:00Z");

    assertThat(schedule.last(tick)).contains(tick);
    assertThat(schedule.last(tick.plusNanos(1))).contains(tick);
    assertThat(schedule.last(tick.minusNanos(1))).contains(tick.minusSeconds(300));
  }

  @Test
  void last_afterTheClocksWentOn_isTheTickThere() {
    assertThat(Schedule.parse("30 4 * * *", BERLIN).last(Instant.parse("2026-03-29T12:00:00Z")))
        .contains(Instant.parse("2026-03-29T02:30:00Z"));
  }

  @Test
  void last_randomInstants_isTheOneThatNextComesAfter() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (String cron : new String[] {"*/5 * * * *", "0 3 * * *", "15 */6 * * 1-5", "7 0 1 * *"}) {
      for (ZoneId zone : new ZoneId[] {ZoneOffset.UTC, BERLIN}) {
        Schedule schedule = Schedule.parse(cron, zone);
        for (int i = 0; i < 200; i++) {
          Instant now =
              Instant.parse("2026-01-01T00:00:00Z").plusMillis(random.nextLong(31_536_000_000L));
          Instant last = schedule.last(now).orElseThrow();
          String what = "seed %d: %s in %s at %s".formatted(seed, cron, zone, now);

          assertThat(last).as(what).isBeforeOrEqualTo(now);
          assertThat(schedule.next(last).orElseThrow()).as(what).isAfter(now);
          assertThat(schedule.next(last.minus(Duration.ofMillis(1))))
              .as(what)
              .isEqualTo(Optional.of(last));
        }
      }
    }
  }
}
