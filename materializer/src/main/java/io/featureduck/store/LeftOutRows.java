package io.featureduck.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;

/**
 * By which ttl rows of a view are missing for their age: {@code ttl_seconds} of its watermarks,
 * which the caller has locked. An increment can't bring those back that a longer ttl has.
 */
final class LeftOutRows {
  private final Connection connection;

  LeftOutRows(Connection connection) {
    this.connection = connection;
  }

  /** Notes that a full run left rows out by the view's ttl, and none by any before. */
  void set(LiveView view) throws SQLException {
    String update =
        "UPDATE featureduck_watermarks SET ttl_seconds = ? WHERE view = ? AND version = ?";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setObject(1, view.ttl().map(Duration::toSeconds).orElse(null), Types.BIGINT);
      statement.setString(2, view.view());
      statement.setInt(3, view.version());
      int ignored = statement.executeUpdate();
    }
  }

  /** Notes that more rows are missing by the view's ttl, if it has one. */
  void add(LiveView view) throws SQLException {
    if (view.ttl().isEmpty()) {
      return;
    }
    String update =
        """
        UPDATE featureduck_watermarks SET ttl_seconds = ?
        WHERE view = ? AND version = ? AND (ttl_seconds IS NULL OR ttl_seconds > ?)
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, view.ttl().get().toSeconds());
      statement.setString(2, view.view());
      statement.setInt(3, view.version());
      statement.setLong(4, view.ttl().get().toSeconds());
      int ignored = statement.executeUpdate();
    }
  }
}
