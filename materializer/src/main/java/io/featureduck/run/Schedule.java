package io.featureduck.run;

import com.cronutils.model.Cron;
import com.cronutils.model.CronType;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.model.time.ExecutionTime;
import com.cronutils.parser.CronParser;
import java.time.Instant;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/** When a view is run: a cron expression of five fields, read in the view's time zone. */
final class Schedule {
  private final ExecutionTime times;
  private final ZoneId zone;

  private Schedule(ExecutionTime times, ZoneId zone) {
    this.times = times;
    this.zone = zone;
  }

  /**
   * @throws IllegalArgumentException where {@code cron} is none
   */
  static Schedule parse(String cron, ZoneId zone) {
    Cron parsed =
        new CronParser(CronDefinitionBuilder.instanceDefinitionFor(CronType.UNIX)).parse(cron);
    return new Schedule(ExecutionTime.forCron(parsed), zone);
  }

  /** Returns the first tick after {@code instant}; empty where there is none any more. */
  Optional<Instant> next(Instant instant) {
    return times.nextExecution(instant.atZone(zone)).map(tick -> tick.toInstant());
  }

  /** Returns the last tick at or before {@code instant}; empty where there was none. */
  Optional<Instant> last(Instant instant) {
    // A tick is a whole second, and lastExecution looks strictly before.
    Instant after = instant.truncatedTo(ChronoUnit.SECONDS).plusSeconds(1);
    return times.lastExecution(after.atZone(zone)).map(tick -> tick.toInstant());
  }
}
