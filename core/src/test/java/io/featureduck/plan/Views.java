package io.featureduck.plan;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.featureduck.definition.Aggregation;
import io.featureduck.definition.DurationText;
import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Join;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Projection;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.definition.Storage;
import io.featureduck.definition.Window;
import io.featureduck.expression.ExpressionParser;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Views and sources for tests, written shortly. */
public final class Views {
  private final List<JoinKey> keys = new ArrayList<>();
  private final List<Join> joins = new ArrayList<>();
  private final List<io.featureduck.expression.Expression> filters = new ArrayList<>();
  private final List<Aggregation> aggregations = new ArrayList<>();
  private final List<Projection> projections = new ArrayList<>();
  private final String source;
  private Optional<String> sql = Optional.empty();

  private Views(String source) {
    this.source = source;
  }

  public static Views over(String source) {
    return new Views(source);
  }

  @CanIgnoreReturnValue
  public Views key(String name, FeatureType type) {
    keys.add(new JoinKey(name, type));
    return this;
  }

  @CanIgnoreReturnValue
  public Views filter(String expression) {
    filters.add(ExpressionParser.parse(expression));
    return this;
  }

  public Views join(String joined, Join.Type type, String left, String right, String... columns) {
    joins.add(new Join(joined, type, List.of(new Join.On(left, right)), List.of(columns)));
    return this;
  }

  /**
   * @param input empty for a count of rows
   */
  @CanIgnoreReturnValue
  public Views aggregate(
      Aggregation.Function function, String input, String alias, String... windows) {
    return aggregate(function, input, alias, "", windows);
  }

  @CanIgnoreReturnValue
  public Views aggregate(
      Aggregation.Function function, String input, String alias, String filter, String[] windows) {
    aggregations.add(
        new Aggregation(
            function,
            input.isEmpty() ? Optional.empty() : Optional.of(ExpressionParser.parse(input)),
            alias,
            List.of(windows).stream()
                .map(text -> new Window(text, DurationText.parse(text)))
                .toList(),
            filter.isEmpty() ? Optional.empty() : Optional.of(ExpressionParser.parse(filter)),
            function == Aggregation.Function.LAST_N ? Optional.of(2) : Optional.empty(),
            function == Aggregation.Function.APPROX_PERCENTILE
                ? Optional.of(0.5)
                : Optional.empty(),
            Optional.empty()));
    return this;
  }

  public Views project(String expression, String alias) {
    projections.add(new Projection(ExpressionParser.parse(expression), alias, Optional.empty()));
    return this;
  }

  public Views sql(String select) {
    sql = Optional.of(select);
    return this;
  }

  public FeatureView view() {
    List<JoinKey> joinKeys =
        keys.isEmpty() ? List.of(new JoinKey("customer_id", Primitive.INT64)) : keys;
    return new FeatureView(
        "v",
        List.of(new Entity("e", joinKeys, "")),
        source,
        joins,
        filters,
        aggregations,
        projections,
        sql,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        ZoneOffset.UTC,
        Optional.empty(),
        Storage.TYPED,
        Duration.ZERO,
        "",
        "",
        Map.of(),
        "{}");
  }

  public static Source postgres(String name, String timestamp, String cursor) {
    return source(
        name,
        new Source.Table(
            Source.Database.POSTGRES,
            new Secret("host=db dbname=shop user=duck password='s3cr\\'et'"),
            "public",
            name),
        timestamp,
        cursor,
        "UTC",
        Optional.of("order_id"),
        Map.of());
  }

  public static Source file(
      String name, Source.Format format, String path, String timestamp, String timezone) {
    return source(
        name,
        new Source.Files(format, path),
        timestamp,
        timestamp,
        timezone,
        Optional.empty(),
        Map.of());
  }

  public static Source source(
      String name,
      Source.Location location,
      String timestamp,
      String cursor,
      String timezone,
      Optional<String> rowId,
      Map<String, FeatureType> columns) {
    return new Source(
        name,
        location,
        timestamp,
        cursor,
        false,
        Duration.ofMinutes(10),
        ZoneId.of(timezone),
        rowId,
        columns,
        false);
  }
}
