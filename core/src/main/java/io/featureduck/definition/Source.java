package io.featureduck.definition;

import io.featureduck.type.FeatureType;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;

/**
 * Rows that features are computed from.
 *
 * @param timestampField the column of the event time
 * @param cursorField the column that says when a row was last written; the timestamp field where
 *     the config names none
 * @param incremental whether rows are only added, or changed in place with a newer cursor
 * @param allowedLateness how far a row's cursor may lie before the instant it became visible
 * @param timezone what an instant without zone is read in
 * @param rowId a column that tells rows apart which have the same event time and cursor
 * @param columns types that override what the source itself says, by column
 * @param isStatic whether a view that joins this source may ignore that it changes
 */
public record Source(
    String name,
    Location location,
    String timestampField,
    String cursorField,
    boolean incremental,
    Duration allowedLateness,
    ZoneId timezone,
    Optional<String> rowId,
    Map<String, FeatureType> columns,
    boolean isStatic) {
  public Source {
    columns = Map.copyOf(columns);
  }

  /** Returns the timezone by a name that databases know: theirs for a fixed offset is Etc/GMT-2. */
  public String zoneName() {
    if (!(timezone.normalized() instanceof ZoneOffset offset)) {
      return timezone.getId();
    }
    int hours = offset.getTotalSeconds() / 3_600;
    if (hours * 3_600 != offset.getTotalSeconds()) {
      throw new IllegalArgumentException("no database knows the zone " + timezone);
    }
    // The sign is the other way round, as in POSIX.
    return hours == 0 ? "UTC" : "Etc/GMT%+d".formatted(-hours);
  }

  /** Where the rows are. */
  public sealed interface Location {}

  /**
   * Files of one format.
   *
   * @param path absolute, or an {@code s3://} address; may hold globs
   */
  public record Files(Format format, String path) implements Location {}

  /**
   * A table of a database.
   *
   * @param connection in the form that DuckDB's scanner takes: {@code host=… dbname=…}
   */
  public record Table(Database database, Secret connection, String schema, String table)
      implements Location {}

  /** A file format. */
  public enum Format {
    PARQUET,
    CSV,
    JSON
  }

  /** A database that DuckDB scans. */
  public enum Database {
    POSTGRES,
    MYSQL
  }
}
