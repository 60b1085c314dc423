package io.featureduck.store;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The rows of {@code featureduck_views}: what is served. */
final class ViewRecords {
  private static final JsonMapper JSON = new JsonMapper();

  private final StoreDatabase database;
  private final String liveViews;

  ViewRecords(StoreDatabase database) {
    this.database = database;
    this.liveViews =
        """
        SELECT v.view, v.version, %s,
          (SELECT max(u.upper_bound) FROM featureduck_watermarks w
           JOIN featureduck_runs u ON u.run_id = w.run_id
           WHERE w.view = v.view AND w.version = v.version),
          (SELECT coalesce(max(c.generation), 0) FROM featureduck_changes c
           WHERE c.view = v.view AND c.version = v.version)
        FROM featureduck_views v WHERE v.live
        """
            .formatted(database.jsonText("v.definition"));
  }

  /** Returns the views that are live, by name. */
  List<LiveView> liveViews(Connection connection) throws SQLException {
    List<LiveView> views = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(liveViews + " ORDER BY v.view");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        views.add(liveView(rows));
      }
    }
    return List.copyOf(views);
  }

  /** Returns the live version of a view, or empty where none was ever registered. */
  Optional<LiveView> liveView(Connection connection, String view) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(liveViews + " AND v.view = ?")) {
      select.setString(1, view);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? Optional.of(liveView(rows)) : Optional.empty();
      }
    }
  }

  private LiveView liveView(ResultSet rows) throws SQLException {
    return LiveView.parse(
        rows.getString(1),
        rows.getInt(2),
        rows.getString(3),
        database.instant(rows, 4),
        rows.getLong(5));
  }

  /** As {@link OnlineStore#register}, each statement committed on its own. */
  LiveView register(
      Connection connection, FeatureView view, List<Feature> features, String createdBy)
      throws SQLException {
    Optional<LiveView> registered = liveView(connection, view.name());
    if (registered.isEmpty()) {
      // Two processes may come here at once: the first one wins, the other checks against it.
      insert(connection, view.name(), stored(view, features), createdBy);
      registered = liveView(connection, view.name());
    }
    LiveView live = registered.orElseThrow();
    DefinitionChange change = check(live, view, features);
    if (change.addsFeatures() && live.asOf().isPresent()) {
      return live;
    }
    update(connection, live, view, features);
    return liveView(connection, view.name()).orElseThrow();
  }

  private void insert(Connection connection, String view, String stored, String createdBy)
      throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_views (view, version, definition, hash, live, created_by)
        VALUES (?, 1, %s, ?, true, ?)\
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = database.prepareIfNew(connection, insert)) {
      statement.setString(1, view);
      statement.setString(2, stored);
      statement.setString(3, hash(stored));
      statement.setString(4, createdBy);
      int ignored = database.insertIfNew(statement);
    }
  }

  /**
   * Tells whether the definition of a live view may become {@code view} in place.
   *
   * @throws FeatureException INVALID_CONFIG, naming what may not
   */
  private static DefinitionChange check(LiveView live, FeatureView view, List<Feature> features) {
    DefinitionChange change =
        DefinitionChange.between(live, view.json(), view.joinKeys(), features);
    if (!change.refused().isEmpty()) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "view %s differs from its live version %d in what can't be changed in place: %s"
              .formatted(view.name(), live.version(), String.join("; ", change.refused())));
    }
    return change;
  }

  /** Writes the definition of a live view where it differs. */
  void update(Connection connection, LiveView live, FeatureView view, List<Feature> features)
      throws SQLException {
    String stored = stored(view, features);
    String update =
        """
        UPDATE featureduck_views SET definition = %s, hash = ?
        WHERE view = ? AND version = ? AND hash <> ?
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, stored);
      statement.setString(2, hash(stored));
      statement.setString(3, view.name());
      statement.setInt(4, live.version());
      statement.setString(5, hash(stored));
      int ignored = statement.executeUpdate();
    }
  }

  private static String stored(FeatureView view, List<Feature> features) {
    ObjectNode root = JSON.createObjectNode();
    root.set("view", JSON.readTree(view.json()));
    ArrayNode keys = root.putArray("join_keys");
    for (JoinKey key : view.joinKeys()) {
      keys.addObject().put("name", key.name()).put("type", key.type().toString());
    }
    ArrayNode list = root.putArray("features");
    for (Feature feature : features) {
      list.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
    return JSON.writeValueAsString(root);
  }

  private static String hash(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
