package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import java.math.BigDecimal;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Online tables of one kind, in a database of a test's own, made and filled by hand in the form
 * that runs write. A value is a Boolean, Long, Float, Double, BigDecimal, String, byte[],
 * LocalDate, LocalDateTime in UTC, {@link Json}, or a List of these and nulls.
 */
public interface StoredRows {
  /** Text that is JSON. */
  record Json(String text) {}

  /** Returns the database's port on this machine. */
  int port();

  /**
   * @param port where the database is reached
   */
  OnlineStoreSettings settings(int port, Duration timeout);

  Storage storage();

  void create(LiveView view) throws SQLException;

  /** Drops a view's table, if there is one. */
  void drop(LiveView view) throws SQLException;

  void put(
      LiveView view,
      String key,
      List<@Nullable Object> values,
      @Nullable LocalDateTime event,
      LocalDateTime updated)
      throws SQLException;

  /** Ends the sessions of the readers. */
  void killSessions() throws SQLException;

  /** Returns the object that JSON storage keeps. */
  static String object(List<Feature> features, List<@Nullable Object> values) {
    List<String> members = new ArrayList<>();
    for (int i = 0; i < features.size(); i++) {
      members.add(string(features.get(i).name()) + ": " + json(values.get(i)));
    }
    return "{" + String.join(", ", members) + "}";
  }

  /** Returns a value as JSON storage keeps it. */
  static String json(@Nullable Object value) {
    return switch (value) {
      case null -> "null";
      case Boolean b -> b.toString();
      case Long n -> n.toString();
      case Float f ->
          Float.isFinite(f) && !f.equals(-0.0f) ? f.toString() : '"' + f.toString() + '"';
      case Double d ->
          Double.isFinite(d) && !d.equals(-0.0) ? d.toString() : '"' + d.toString() + '"';
      case BigDecimal d -> '"' + d.toPlainString() + '"';
      case String s -> string(s);
      case byte[] b -> '"' + Base64.getEncoder().encodeToString(b) + '"';
      case LocalDate d -> '"' + d.toString() + '"';
      case LocalDateTime t -> '"' + instant(t) + '"';
      case Json j -> j.text();
      case List<?> list ->
          "[" + String.join(", ", list.stream().map(StoredRows::json).toList()) + "]";
      default -> throw new IllegalArgumentException("a " + value.getClass());
    };
  }

  /** Returns an instant with six digits of the second, of which readers cut zeros off. */
  static String instant(LocalDateTime utc) {
    return "%sT%02d:%02d:%02d.%06dZ"
        .formatted(
            utc.toLocalDate(),
            utc.getHour(),
            utc.getMinute(),
            utc.getSecond(),
            utc.getNano() / 1_000);
  }

  private static String string(String text) {
    return new JsonMapper().writeValueAsString(text);
  }
}
