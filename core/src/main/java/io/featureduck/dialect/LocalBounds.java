package io.featureduck.dialect;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;

/**
 * Bounds of instants for columns that hold local times, so that the column itself is compared and
 * its index serves. Where the clocks are changed nearby, a later instant may have an earlier local
 * time; the bounds are then a little wider, and never too narrow.
 */
final class LocalBounds {
  /** More than any zone has ever moved: Samoa left out a day. */
  private static final Duration MARGIN = Duration.ofHours(26);

  private LocalBounds() {}

  /** Returns a local time that each instant after {@code bound} is later than. */
  static LocalDateTime after(Instant bound, ZoneId zone) {
    LocalDateTime local = LocalDateTime.ofInstant(bound, zone);
    return isChangeNear(bound, zone) ? local.minus(MARGIN) : local;
  }

  /** Returns a local time that no instant up to {@code bound} is later than. */
  static LocalDateTime upTo(Instant bound, ZoneId zone) {
    LocalDateTime local = LocalDateTime.ofInstant(bound, zone);
    return isChangeNear(bound, zone) ? local.plus(MARGIN) : local;
  }

  private static boolean isChangeNear(Instant bound, ZoneId zone) {
    ZoneRules rules = zone.getRules();
    if (rules.isFixedOffset()) {
      return false;
    }
    ZoneOffsetTransition next = rules.nextTransition(bound.minus(MARGIN));
    return next != null && next.getInstant().isBefore(bound.plus(MARGIN));
  }
}
