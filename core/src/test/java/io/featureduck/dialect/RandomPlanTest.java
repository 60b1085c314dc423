package io.featureduck.dialect;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Aggregation.Function;
import io.featureduck.definition.DurationText;
import io.featureduck.definition.Source;
import io.featureduck.plan.Views;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random views over random rows, on DuckDB and in a naive model; a failure tells its seed. */
final class RandomPlanTest {
  private static final Instant AS_OF = Instant.parse("2024-06-30T00:00:00Z");
  private static final int ROWS = 300;

  /** Filters with what they mean; NULL is false. */
  private static final Map<String, Predicate<Row>> FILTERS =
      Map.of(
          "amount > 0", row -> row.amount != null && row.amount.signum() > 0,
          "NOT amount > 0", row -> row.amount != null && row.amount.signum() <= 0,
          "name IS NULL OR name IN ('a', 'b')",
              row -> row.name == null || row.name.equals("a") || row.name.equals("b"),
          "amount IS NULL", row -> row.amount == null,
          "LENGTH(name) = 1 AND id % 2 = 0",
              row -> row.name != null && row.name.length() == 1 && row.id % 2 == 0,
          "at >= now() - INTERVAL '3' DAY",
              row -> !row.at.isBefore(AS_OF.minusSeconds(3 * 86_400)));

  private static final List<Function> FUNCTIONS = List.of(Function.values());
  private static final List<String> WINDOWS = List.of("1h", "1d", "3d", "1w", "30d");

  @TempDir Path directory;

  private record Row(
      int id,
      @Nullable Integer customer,
      @Nullable BigDecimal amount,
      @Nullable String name,
      Instant at,
      @Nullable Instant written) {}

  private record Wanted(
      Function function, String column, Optional<String> filter, Optional<String> window) {}

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void run_randomView_isAsTheNaiveModel(long seed) throws Exception {
    Random random = new Random(seed);
    List<Row> rows = rows(random);
    Source source = source(rows);
    List<String> names = FILTERS.keySet().stream().sorted().toList();
    Optional<String> filter = maybe(random, names);
    Views view = Views.over("rows");
    filter.ifPresent(view::filter);
    Map<String, Wanted> wanted = new LinkedHashMap<>();
    for (int i = 0; i < 8; i++) {
      Function function = FUNCTIONS.get(random.nextInt(FUNCTIONS.size()));
      String column =
          switch (function) {
            case SUM, AVG, STDDEV, APPROX_PERCENTILE -> "amount";
            case COUNT, MIN, MAX, COUNT_DISTINCT, APPROX_COUNT_DISTINCT, FIRST, LAST, LAST_N ->
                random.nextBoolean() ? "amount" : "name";
          };
      Optional<String> own = maybe(random, names);
      Optional<String> window = maybe(random, WINDOWS);
      String[] windows = window.stream().toArray(String[]::new);
      view.aggregate(function, column, "f" + i, own.orElse(""), windows);
      wanted.put(
          "f" + i + window.map(w -> "_" + w).orElse(""), new Wanted(function, column, own, window));
    }

    Map<String, Map<String, String>> actual;
    try (DuckDbRunner duckdb = new DuckDbRunner()) {
      actual = duckdb.run(view.view(), AS_OF, source);
    }

    Map<String, List<Row>> entities = entities(rows, filter);
    assertThat(actual.keySet()).as("seed %d", seed).containsExactlyElementsOf(entities.keySet());
    entities.forEach((entity, ofEntity) ->
        wanted.forEach((name, feature) ->
            assertSame(
                "seed %d, entity %s: %s".formatted(seed, entity, feature),
                feature.function,
                Objects.requireNonNull(actual.get(entity)).get(name),
                naive(feature, ofEntity))));
  }

  private static Optional<String> maybe(Random random, List<String> of) {
    return random.nextInt(3) == 0
        ? Optional.empty()
        : Optional.of(of.get(random.nextInt(of.size())));
  }

  private static List<Row> rows(Random random) {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      // Few distinct instants, so that there are ties; some of them borders of windows, some later.
      Instant at = AS_OF.minusSeconds(3_600L * (random.nextInt(40 * 24) - 10));
      rows.add(
          new Row(
              i,
              random.nextInt(20) == 0 ? null : random.nextInt(12),
              random.nextInt(6) == 0 ? null : BigDecimal.valueOf(random.nextInt(2_000) - 1_000, 2),
              random.nextInt(6) == 0 ? null : List.of("a", "b", "cc", "é").get(random.nextInt(4)),
              at,
              random.nextInt(10) == 0 ? null : at.plusSeconds(random.nextInt(7_200))));
    }
    return rows;
  }

  private Source source(List<Row> rows) throws Exception {
    Path file = directory.resolve("rows.csv");
    String lines =
        rows.stream()
            .map(row ->
                "%d,%s,%s,%s,%s,%s"
                    .formatted(
                        row.id,
                        text(row.customer),
                        text(row.amount),
                        text(row.name),
                        row.at,
                        text(row.written)))
            .collect(Collectors.joining("\n"));
    Files.writeString(file, "id,customer_id,amount,name,at,written\n" + lines + "\n");
    return Views.source(
        "rows",
        new Source.Files(Source.Format.CSV, file.toString()),
        "at",
        "written",
        "UTC",
        Optional.of("id"),
        Map.of("amount", new Decimal(10, 2), "customer_id", Primitive.INT64));
  }

  private static String text(@Nullable Object value) {
    return value == null ? "" : value.toString();
  }

  /** The rows of each entity that the view takes, from the oldest to the newest. */
  private static Map<String, List<Row>> entities(List<Row> rows, Optional<String> filter) {
    Comparator<Row> order =
        Comparator.comparing((Row row) -> row.at)
            .thenComparing(row -> row.written, Comparator.nullsFirst(Comparator.naturalOrder()))
            .thenComparingInt(row -> row.id);
    return rows.stream()
        .filter(row -> row.customer != null && !row.at.isAfter(AS_OF))
        .filter(row -> row.written == null || !row.written.isAfter(AS_OF))
        .filter(row -> filter.map(name -> predicate(name).test(row)).orElse(true))
        .sorted(order)
        .collect(
            Collectors.groupingBy(
                row -> String.valueOf(row.customer), TreeMap::new, Collectors.toList()));
  }

  private static Predicate<Row> predicate(String filter) {
    return Objects.requireNonNull(FILTERS.get(filter));
  }

  private static String naive(Wanted wanted, List<Row> ofEntity) {
    List<Row> rows =
        ofEntity.stream()
            .filter(row -> wanted.filter.map(name -> predicate(name).test(row)).orElse(true))
            .filter(row ->
                wanted
                    .window
                    .map(w -> row.at.isAfter(AS_OF.minus(DurationText.parse(w))))
                    .orElse(true))
            .toList();
    boolean amounts = wanted.column.equals("amount");
    List<String> all =
        rows.stream()
            .map(row -> Objects.toString(amounts ? row.amount : row.name, "NULL"))
            .toList();
    List<BigDecimal> numbers =
        rows.stream().map(row -> row.amount).filter(Objects::nonNull).sorted().toList();
    List<String> known =
        amounts
            ? numbers.stream().map(BigDecimal::toString).toList()
            : all.stream().filter(name -> !name.equals("NULL")).sorted().toList();
    return switch (wanted.function) {
      case COUNT -> String.valueOf(known.size());
      case COUNT_DISTINCT, APPROX_COUNT_DISTINCT ->
          String.valueOf(known.stream().distinct().count());
      case FIRST -> all.isEmpty() ? "NULL" : all.getFirst();
      case LAST -> all.isEmpty() ? "NULL" : all.getLast();
      case LAST_N -> all.isEmpty() ? "NULL" : all.reversed().stream().limit(2).toList().toString();
      case MIN -> known.isEmpty() ? "NULL" : known.getFirst();
      case MAX -> known.isEmpty() ? "NULL" : known.getLast();
      case SUM ->
          numbers.isEmpty()
              ? "NULL"
              : numbers.stream().reduce(BigDecimal.ZERO, BigDecimal::add).toString();
      case AVG -> numbers.isEmpty() ? "NULL" : String.valueOf(mean(numbers));
      case STDDEV -> numbers.size() < 2 ? "NULL" : String.valueOf(spread(numbers));
      case APPROX_PERCENTILE -> numbers.isEmpty() ? "NULL" : numbers.toString();
    };
  }

  private static double mean(List<BigDecimal> numbers) {
    return numbers.stream().mapToDouble(BigDecimal::doubleValue).average().orElseThrow();
  }

  private static double spread(List<BigDecimal> numbers) {
    double mean = mean(numbers);
    double squares =
        numbers.stream().mapToDouble(number -> Math.pow(number.doubleValue() - mean, 2)).sum();
    return Math.sqrt(squares / (numbers.size() - 1));
  }

  private static void assertSame(
      String what, Function function, @Nullable String actual, String expected) {
    switch (function) {
      case AVG, STDDEV -> {
        if (expected.equals("NULL")) {
          assertThat(actual).as(what).isEqualTo(expected);
        } else {
          double wanted = Double.parseDouble(expected);
          double found = Double.parseDouble(Objects.requireNonNull(actual));
          assertThat(Math.abs(found - wanted))
              .as(what)
              .isLessThanOrEqualTo(1e-9 * Math.max(1, Math.abs(wanted)));
        }
      }
      case APPROX_COUNT_DISTINCT -> {
        double wanted = Double.parseDouble(expected);
        double found = Double.parseDouble(Objects.requireNonNull(actual));
        // DuckDB's sketch is off by a few even where there are few.
        assertThat(Math.abs(found - wanted)).as(what).isLessThanOrEqualTo(2 + 0.3 * wanted);
      }
      case APPROX_PERCENTILE -> {
        // Rough by its name, so only that there is one.
        assertThat(Objects.requireNonNull(actual).equals("NULL"))
            .as(what)
            .isEqualTo(expected.equals("NULL"));
      }
      case COUNT, SUM, MIN, MAX, COUNT_DISTINCT, FIRST, LAST, LAST_N ->
          assertThat(actual).as(what).isEqualTo(expected);
    }
  }
}
