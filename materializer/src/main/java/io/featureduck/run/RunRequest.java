package io.featureduck.run;

import java.time.Instant;
import java.util.Optional;

/**
 * What a run is asked for.
 *
 * @param full compute every entity anew, also where an increment would do
 * @param asOf the instant to compute for; the source's clock where empty
 * @param scheduledAt the tick of a schedule that it is for; a tick is run once, by one process
 */
public record RunRequest(boolean full, Optional<Instant> asOf, Optional<Instant> scheduledAt) {
  /** Returns a request for whatever brings the view up to now. */
  public static RunRequest now() {
    return new RunRequest(false, Optional.empty(), Optional.empty());
  }
}
