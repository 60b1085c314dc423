package io.featureduck.dialect;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.LogicalPlan.Scan;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.Views;
import io.featureduck.type.FeatureType;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a source's server is asked for, so that its indexes serve; both servers side by side. */
final class SelectionSqlTest {
  private static final Instant AFTER = Instant.parse("2026-01-01T10:00:00Z");
  private static final Instant UP_TO = Instant.parse("2026-01-02T10:00:00.5Z");

  private static final Scan SCAN =
      new Scan(
          Views.source(
              "orders",
              Views.postgres("orders", "at", "at").location(),
              "at",
              "at",
              "Europe/Berlin",
              Optional.empty(),
              Map.of()),
          new SourceSchema(
              List.of(
                  column("id", "INT64", "BIGINT", false),
                  column("name", "STRING", "VARCHAR", false),
                  column("kind", "STRING", "ENUM('a', 'b')", false),
                  column("day", "DATE", "DATE", false),
                  column("new", "BOOL", "BOOLEAN", false),
                  column("at", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", true),
                  column("local", "TIMESTAMP", "TIMESTAMP", false),
                  column("date", "TIMESTAMP", "DATE", false))));

  private static SourceSchema.Column column(
      String name, String type, String engineType, boolean zoned) {
    return new SourceSchema.Column(name, FeatureType.parse(type), engineType, zoned);
  }

  private static Column named(String name) {
    return new Column(Optional.empty(), name);
  }

  private static String postgres(RowSelection selection) {
    return ServerSql.of(Source.Database.POSTGRES).condition(SCAN, selection);
  }

  private static String mySql(RowSelection selection) {
    return ServerSql.of(Source.Database.MYSQL).condition(SCAN, selection);
  }

  private static RowSelection.Within within(String column, boolean orNull) {
    return new RowSelection.Within(named(column), AFTER, Optional.of(UP_TO), orNull);
  }

  private static RowSelection.OneOf oneOf(String column, boolean foreign, String... values) {
    return new RowSelection.OneOf(
        List.of(named(column)), List.of(values).stream().map(List::of).toList(), foreign);
  }

  @Test
  void condition_all_isNone() {
    assertThat(postgres(new RowSelection.All())).isEmpty();
    assertThat(mySql(new RowSelection.All())).isEmpty();
  }

  @Test
  void condition_times_areComparedAsTheColumnHoldsThem() {
    assertThat(postgres(within("at", false)))
        .isEqualTo(
            "\"at\" > TIMESTAMPTZ '2026-01-01 10:00:00+00' AND \"at\" <= TIMESTAMPTZ '2026-01-02 10:00:00.5+00'");
    assertThat(postgres(within("local", true)))
        .isEqualTo(
            "(\"local\" > TIMESTAMP '2026-01-01 11:00:00' AND \"local\" <= TIMESTAMP '2026-01-02 11:00:00.5' OR \"local\" IS NULL)");
    assertThat(mySql(within("local", false)))
        .isEqualTo(
            "`local` > TIMESTAMP '2026-01-01 11:00:00' AND `local` <= TIMESTAMP '2026-01-02 11:00:00.5'");
  }

  @Test
  void condition_dayAsTime_takesTheWholeDay() {
    assertThat(postgres(within("date", false)))
        .isEqualTo("\"date\" >= DATE '2026-01-01' AND \"date\" <= DATE '2026-01-02'");
    assertThat(mySql(within("date", false)))
        .isEqualTo("`date` >= DATE '2026-01-01' AND `date` <= DATE '2026-01-02'");
  }

  @Test
  void condition_keys_areLiteralsOfTheirTypes() {
    assertThat(postgres(oneOf("id", false, "1", "-2"))).isEqualTo("\"id\" IN (1, -2)");
    assertThat(postgres(oneOf("name", false, "it's", "a\\b")))
        .isEqualTo("\"name\" IN ('it''s', E'a\\\\b')");
    assertThat(mySql(oneOf("name", false, "it's"))).startsWith("`name` IN (");
    assertThat(postgres(oneOf("day", false, "2026-01-01")))
        .isEqualTo("\"day\" IN (DATE '2026-01-01')");
    assertThat(postgres(oneOf("new", false, "true"))).isEqualTo("\"new\" IN (TRUE)");
    assertThat(
            postgres(
                new RowSelection.OneOf(
                    List.of(named("id"), named("name")),
                    List.of(List.of("1", "a"), List.of("2", "b")),
                    false)))
        .isEqualTo("(\"id\", \"name\") IN ((1, 'a'), (2, 'b'))");
    assertThat(postgres(oneOf("id", false))).isEqualTo("1 = 0");
  }

  @Test
  void condition_mySqlTextsBeyondAscii_areComparedInUnicodeWhereTheyMayDiffer() {
    assertThat(mySql(oneOf("name", false, "ü"))).isEqualTo("`name` IN ('ü')");
    assertThat(mySql(oneOf("name", true, "a", "b"))).isEqualTo("`name` IN ('a', 'b')");
    assertThat(mySql(oneOf("name", true, "a", "ü")))
        .isEqualTo("CONVERT(`name` USING utf8mb4) IN ('a', 'ü')");
    assertThat(
            mySql(
                new RowSelection.OneOf(
                    List.of(named("name"), named("kind")),
                    List.of(List.of("ü", "a"), List.of("b", "b")),
                    false)))
        .isEqualTo("(CONVERT(`name` USING utf8mb4), `kind`) IN (('ü', 'a'), ('b', 'b'))");
  }

  @Test
  void condition_mySqlFlag_isTrueWhateverItsNumber() {
    assertThat(mySql(oneOf("new", false, "true"))).isEqualTo("(`new` <> 0) IN (TRUE)");
  }

  @Test
  void condition_textsOfAnotherSource_neverFailAnEnum() {
    assertThat(postgres(oneOf("kind", false, "a"))).isEqualTo("\"kind\" IN ('a')");
    assertThat(postgres(oneOf("kind", true, "z"))).isEqualTo("CAST(\"kind\" AS text) IN ('z')");
    assertThat(postgres(oneOf("name", true, "z"))).isEqualTo("\"name\" IN ('z')");
  }
}
