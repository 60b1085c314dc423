package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The whole road: every feature of every customer of the sample store, as {@code up} serves it,
 * against what plain Java makes of the CSV. Nothing of ours and nothing of DuckDB's is in the
 * expected values.
 */
class CdnowAcceptanceTest {
  private static final int CUSTOMERS = 23_570;
  private static final int BATCH = 1_000;
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();

  private final HttpClient http = HttpClient.newHttpClient();

  @TempDir private Path directory;

  private record Purchase(LocalDate day, int quantity, BigDecimal amount) {
    Instant at() {
      return day.atStartOfDay(ZoneOffset.UTC).toInstant();
    }
  }

  @Test
  void up_everyCustomer_isServedWhatPlainJavaComputes() throws Exception {
    Path config = configWithoutSchedules();
    try (FeatureDuckProcess up =
        FeatureDuckProcess.start(
            directory,
            Map.of(),
            "up",
            "--port",
            "0",
            "--directory",
            "shop",
            "--config",
            config.toString())) {
      LocalDate before = LocalDate.now(ZoneOffset.UTC);
      URI server = up.awaitReady();
      LocalDate today = lastDay(server);
      assertThat(today).isBetween(before.minusDays(1), LocalDate.now(ZoneOffset.UTC));
      Map<Integer, List<Purchase>> purchases = purchasesEndingOn(today);

      assertThat(purchases).hasSize(CUSTOMERS);
      compareUserFeatures(server, purchases);
      compareUserActivity(server, purchases);
      compareProfiles(server, purchases, today);

      // The windows' borders: orders of a window's first midnight lie outside, of its last inside;
      // a microsecond earlier it is the other way round.
      Instant midnight = today.atStartOfDay(ZoneOffset.UTC).toInstant();
      for (Instant asOf : List.of(midnight, midnight.minusNanos(1_000))) {
        materializeAsOf(config, asOf);
        awaitAsOf(server, "user_activity", asOf);
        compareUserFeatures(server, purchases);
        compareUserActivity(server, purchases);
      }
    }
  }

  private void compareUserFeatures(URI server, Map<Integer, List<Purchase>> all) throws Exception {
    each(
        server,
        "user_features",
        all,
        (purchases, features, asOf) -> {
          BigDecimal total =
              purchases.stream().map(Purchase::amount).reduce(BigDecimal.ZERO, BigDecimal::add);
          assertThat(features.path("purchase_count").asInt()).isEqualTo(purchases.size());
          assertThat(features.path("total_spent").decimalValue()).isEqualTo(total);
          double average = total.doubleValue() / purchases.size();
          assertThat(features.path("avg_order_value").asDouble())
              .isEqualTo(average, within(1e-9 * Math.abs(average)));
          assertThat(Instant.parse(features.path("last_order_at").asString()))
              .isEqualTo(newest(purchases));
        });
  }

  private void compareUserActivity(URI server, Map<Integer, List<Purchase>> all) throws Exception {
    each(
        server,
        "user_activity",
        all,
        (purchases, features, asOf) -> {
          for (int days : List.of(7, 30, 90)) {
            Instant start = asOf.minus(Duration.ofDays(days));
            List<Purchase> inside =
                purchases.stream().filter(purchase -> purchase.at().isAfter(start)).toList();
            String window = "_" + days + "d";
            assertThat(features.path("orders" + window).asInt()).isEqualTo(inside.size());
            if (inside.isEmpty()) {
              assertThat(features.path("spent" + window).isNull()).isTrue();
              assertThat(features.path("items" + window).isNull()).isTrue();
            } else {
              assertThat(features.path("spent" + window).decimalValue())
                  .isEqualTo(
                      inside.stream()
                          .map(Purchase::amount)
                          .reduce(BigDecimal.ZERO, BigDecimal::add));
              assertThat(features.path("items" + window).asInt())
                  .isEqualTo(inside.stream().mapToInt(Purchase::quantity).sum());
            }
          }
        });
  }

  private void compareProfiles(URI server, Map<Integer, List<Purchase>> all, LocalDate today)
      throws Exception {
    Instant exported = today.atStartOfDay(ZoneOffset.UTC).toInstant();
    each(
        server,
        "customer_profile",
        all,
        (purchases, features, asOf) -> {
          Purchase first = purchases.getFirst();
          for (Purchase purchase : purchases) {
            first = purchase.day().isBefore(first.day()) ? purchase : first;
          }
          assertThat(exported).isBeforeOrEqualTo(asOf);
          assertThat(features.path("cohort").asString())
              .isEqualTo("joined " + YearMonth.from(first.day()));
          assertThat(features.path("first_ordered_on").asString())
              .isEqualTo(first.day().toString());
          assertThat(features.path("first_quantity").asInt()).isEqualTo(first.quantity());
          assertThat(features.path("first_amount").decimalValue()).isEqualTo(first.amount());
        });
  }

  private interface Comparison {
    /**
     * @param purchases up to {@code asOf}, at least one
     */
    void compare(List<Purchase> purchases, JsonNode features, Instant asOf);
  }

  /** Asks for all customers, in batches, and compares those who had bought by the view's as_of. */
  private void each(
      URI server, String view, Map<Integer, List<Purchase>> all, Comparison comparison)
      throws Exception {
    int found = 0;
    for (int from = 1; from <= CUSTOMERS; from += BATCH) {
      int to = Math.min(CUSTOMERS, from + BATCH - 1);
      JsonNode answer = batch(server, view, from, to);
      Instant asOf = Instant.parse(answer.path("as_of").asString());
      assertThat(answer.path("results").size()).isEqualTo(to - from + 1);
      for (int customer = from; customer <= to; customer++) {
        JsonNode row = answer.path("results").path(customer - from);
        assertThat(row.path("entity").asString()).isEqualTo(Integer.toString(customer));
        List<Purchase> purchases =
            Objects.requireNonNull(all.get(customer)).stream()
                .filter(purchase -> !purchase.at().isAfter(asOf))
                .toList();
        boolean profile = view.equals("customer_profile");
        if (purchases.isEmpty() && !profile) {
          assertThat(row.path("status").asString()).as("%s", row).isEqualTo("not_found");
          continue;
        }
        found++;
        assertThat(row.path("status").asString()).as("%s", row).isEqualTo("found");
        if (!profile) {
          assertThat(Instant.parse(row.path("event_timestamp").asString()))
              .isEqualTo(newest(purchases));
        }
        comparison.compare(purchases, row.path("features"), asOf);
      }
    }
    assertThat(found).as("customers of %s", view).isGreaterThan(CUSTOMERS - 100);
  }

  private static Instant newest(List<Purchase> purchases) {
    return purchases.stream().map(Purchase::at).max(Instant::compareTo).orElseThrow();
  }

  private JsonNode batch(URI server, String view, int from, int to) throws Exception {
    StringBuilder body = new StringBuilder("{\"entities\": [");
    for (int customer = from; customer <= to; customer++) {
      body.append(customer == from ? "" : ", ").append(customer);
    }
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(server.resolve("/features/" + view + "/batch"))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(30))
                .POST(BodyPublishers.ofString(body.append("]}").toString()))
                .build(),
            BodyHandlers.ofString());
    assertThat(response.statusCode()).as("%s", response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  /** Returns the day that the orders were moved on to: the day of the customers' export. */
  private LocalDate lastDay(URI server) throws Exception {
    JsonNode row = batch(server, "customer_profile", 1, 1).path("results").path(0);
    return Instant.parse(row.path("event_timestamp").asString())
        .atOffset(ZoneOffset.UTC)
        .toLocalDate();
  }

  /** Reads the CSV by hand and moves it on so that its last day is {@code last}. */
  private static Map<Integer, List<Purchase>> purchasesEndingOn(LocalDate last) throws IOException {
    long shift = last.toEpochDay() - LocalDate.of(1998, 6, 30).toEpochDay();
    Map<Integer, List<Purchase>> purchases = new TreeMap<>();
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                Objects.requireNonNull(
                    CdnowAcceptanceTest.class.getResourceAsStream(
                        "/io/featureduck/sample/cdnow_orders.csv")),
                StandardCharsets.UTF_8))) {
      String header = reader.readLine();
      assertThat(header).isEqualTo("order_id,customer_id,order_date,quantity,amount");
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        String[] fields = line.split(",", -1);
        purchases
            .computeIfAbsent(Integer.valueOf(fields[1]), unused -> new ArrayList<>())
            .add(
                new Purchase(
                    LocalDate.parse(fields[2]).plusDays(shift),
                    Integer.parseInt(fields[3]),
                    new BigDecimal(fields[4])));
      }
    }
    return purchases;
  }

  /** The shop's own config, so that what is tested is what ships; runs come from the test alone. */
  private Path configWithoutSchedules() throws IOException {
    String root = Objects.requireNonNull(System.getProperty("featureduck.root"));
    String config = Files.readString(Path.of(root, "config.json"));
    String without = config.replaceAll("\"batch_schedule\": \"[^\"]*\",", "");
    assertThat(without).isNotEqualTo(config);
    return Files.writeString(directory.resolve("config.json"), without);
  }

  private void materializeAsOf(Path config, Instant asOf) throws Exception {
    try (FeatureDuckProcess materialize =
        FeatureDuckProcess.start(
            directory,
            writtenEnvironment(),
            "materialize",
            "user_features",
            "user_activity",
            "--full",
            "--as-of",
            asOf.toString(),
            "--config",
            config.toString())) {
      String ignored = materialize.awaitSuccess();
    }
  }

  /** What {@code up} wrote for other commands. */
  private Map<String, String> writtenEnvironment() throws IOException {
    Map<String, String> environment = new HashMap<>();
    for (String line : Files.readAllLines(directory.resolve("shop/env"))) {
      int equals = line.indexOf('=');
      if (equals > 0 && !line.startsWith("#")) {
        String ignored =
            environment.put(
                line.substring(0, equals), line.substring(equals + 1).replaceAll("^'|'$", ""));
      }
    }
    return environment;
  }

  /** The serving process hears of another's commit within a second. */
  private void awaitAsOf(URI server, String view, Instant asOf) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    Instant served = Instant.MIN;
    while (!served.equals(asOf)) {
      assertThat(System.nanoTime()).as("as_of is %s", served).isLessThan(deadline);
      served = Instant.parse(batch(server, view, 1, 1).path("as_of").asString());
    }
  }
}
