package io.featureduck.migrate;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.List;
import java.util.Map;

/** What the columns of the old table are called. */
public record OldColumns(
    String featureView,
    String entityKey,
    String features,
    String eventTimestamp,
    String updatedAt) {
  private static final List<String> ROLES =
      List.of("feature_view", "entity_key", "features", "event_timestamp", "updated_at");

  /**
   * @param names by role, which is the column's usual name; a role that isn't there has that name
   * @throws FeatureException INVALID_CONFIG where a role is none
   */
  public static OldColumns of(Map<String, String> names) {
    for (String role : names.keySet()) {
      if (!ROLES.contains(role)) {
        throw new FeatureException(
            ErrorCode.INVALID_CONFIG,
            "'%s' is no column of a single-table store: there are %s"
                .formatted(role, String.join(", ", ROLES)));
      }
    }
    return new OldColumns(
        names.getOrDefault("feature_view", "feature_view"),
        names.getOrDefault("entity_key", "entity_key"),
        names.getOrDefault("features", "features"),
        names.getOrDefault("event_timestamp", "event_timestamp"),
        names.getOrDefault("updated_at", "updated_at"));
  }
}
