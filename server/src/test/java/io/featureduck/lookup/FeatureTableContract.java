package io.featureduck.lookup;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.http.ServedStore;
import io.featureduck.http.StoreProxy;
import io.featureduck.json.JsonBytes;
import io.featureduck.lookup.StoredRows.Json;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.math.BigDecimal;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every kind of table promises; each kind's test extends this with how its rows are kept. The
 * bytes of an answer are the same for all kinds, but for what a database can't keep:
 *
 * <table>
 * <caption>Known differences</caption>
 * <tr><th>kind<th>what<th>there
 * <tr><td>MySQL, columns<td>FLOAT32, FLOAT64 that are NaN or infinite<td>refused when written
 * <tr><td>MySQL, columns<td>names of features beyond U+FFFF<td>refused when the table is made
 * <tr><td>PostgreSQL, both<td>JSON<td>as jsonb writes it: names by length, then by their bytes, a
 *     space behind comma and colon, numbers without exponent
 * <tr><td>MySQL, both<td>JSON<td>MariaDB: as it was written, blanks included. MySQL: as jsonb, but
 *     for numbers with fraction or exponent, which are doubles
 * <tr><td>PostgreSQL, columns<td>DATE, TIMESTAMP before year 1 and after 9999<td>kept there alone
 * </table>
 */
abstract class FeatureTableContract {
  /** Longer than a busy machine takes, and shorter than a test waits. */
  static final Duration PATIENT = Duration.ofSeconds(15);

  private static final Duration IMPATIENT = Duration.ofSeconds(1);
  private static final LocalDateTime UPDATED =
      LocalDateTime.of(2026, 11, 23, 11, 0, 0, 500_000_000);
  private static final String UPDATED_JSON = "\"2026-11-23T11:00:00.500Z\"";

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final List<StoreTables> opened = new ArrayList<>();
  private @Nullable StoreProxy proxy;

  /** Returns where rows are kept, in a database of the test class's own. */
  abstract StoredRows rows();

  /** Tells whether rows of this kind can hold a value that is not null. */
  boolean holds(Object value) {
    return true;
  }

  @BeforeEach
  void dropOlderTable() throws Exception {
    rows().drop(view());
  }

  @AfterEach
  void close() throws Exception {
    for (StoreTables tables : opened) {
      Future<Void> closing = onLoop(tables::close);
      assertThat(closing.await(20, SECONDS)).isNull();
    }
    StoreProxy used = proxy;
    if (used != null) {
      ServedStore.await(() -> used.open() == 0);
    }
    assertThat(vertx.close().await(20, SECONDS)).isNull();
  }

  /** What is read through; made when it is first asked for. */
  final StoreProxy proxy() throws TimeoutException {
    StoreProxy known = proxy;
    if (known == null) {
      known = new StoreProxy(vertx, rows().port());
      proxy = known;
    }
    return known;
  }

  final LiveView view(Feature... features) {
    return new LiveView(
        "users",
        1,
        List.of(new JoinKey("id", Primitive.STRING)),
        List.of(features),
        Optional.empty(),
        Optional.empty(),
        rows().storage(),
        Duration.ZERO,
        "{}",
        Optional.of(Instant.EPOCH),
        1);
  }

  static Feature feature(String name, String type) {
    return new Feature(name, FeatureType.parse(type).orElseThrow());
  }

  final FeatureTable table(LiveView view) throws TimeoutException {
    return table(view, rows().settings(proxy().port(), PATIENT));
  }

  final FeatureTable table(LiveView view, OnlineStoreSettings settings) throws TimeoutException {
    StoreTables tables = onLoop(() -> new StoreTables(vertx, settings));
    opened.add(tables);
    return tables.table(new ServedView(view, new LookupMetrics().view(view.view(), 1)));
  }

  private interface Work<T> {
    T run();
  }

  private <T> T onLoop(Work<T> work) throws TimeoutException {
    return Future.<T>future(
            promise -> context.runOnContext(nothing -> promise.complete(work.run())))
        .await(20, SECONDS);
  }

  final Future<List<FeatureRow>> fetching(FeatureTable table, List<String> keys)
      throws TimeoutException {
    return onLoop(() -> table.fetch(keys));
  }

  final List<FeatureRow> fetch(FeatureTable table, List<String> keys) throws TimeoutException {
    return fetching(table, keys).await(20, SECONDS);
  }

  final List<FeatureRow> fetch(FeatureTable table, String... keys) throws TimeoutException {
    return fetch(table, List.of(keys));
  }

  static String json(FeatureRow row) {
    assertThat(row).isNotSameAs(FeatureRow.MISSING);
    assertThat(row.failure()).isNull();
    JsonBytes out = new JsonBytes(64);
    row.writeWhole(out);
    return new String(out.toArray(), UTF_8);
  }

  /** Returns what is expected of a row whose features are {@code object}, without event time. */
  static String answer(String object) {
    return object + ",\"event_timestamp\":null,\"updated_at\":" + UPDATED_JSON;
  }

  final void put(LiveView view, String key, @Nullable Object... values) throws SQLException {
    rows().put(view, key, Arrays.asList(values), null, UPDATED);
  }

  static void assertFails(Future<?> fetching, ErrorCode code) {
    assertThatThrownBy(() -> fetching.await(20, SECONDS))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).as(e.toString()).isEqualTo(code));
  }

  // Rows by key.

  @Test
  void fetch_duplicatesAndUnknowns_answersEachInOrder() throws Exception {
    LiveView view = view(feature("n", "INT64"));
    rows().create(view);
    put(view, "a", 1L);
    put(view, "b", 2L);

    List<FeatureRow> found = fetch(table(view), "b", "x", "a", "b", "", "a");

    assertThat(found.get(1)).isSameAs(FeatureRow.MISSING);
    assertThat(found.get(4)).isSameAs(FeatureRow.MISSING);
    assertThat(List.of(json(found.get(0)), json(found.get(3)))).containsOnly(answer("{\"n\":2}"));
    assertThat(List.of(json(found.get(2)), json(found.get(5)))).containsOnly(answer("{\"n\":1}"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 5, 16, 17, 63, 64, 65, 100, 127, 128})
  void fetch_anyNumberOfKeys_answersAll(int asked) throws Exception {
    LiveView view = view(feature("n", "INT64"));
    rows().create(view);
    for (int i = 0; i < asked; i += 2) {
      put(view, "k" + i, (long) i);
    }
    List<String> keys = new ArrayList<>();
    for (int i = 0; i < asked; i++) {
      keys.add("k" + i);
    }

    List<FeatureRow> found = fetch(table(view), keys);

    assertThat(found).hasSize(asked);
    for (int i = 0; i < asked; i++) {
      if (i % 2 == 0) {
        assertThat(json(found.get(i))).isEqualTo(answer("{\"n\":%d}".formatted(i)));
      } else {
        assertThat(found.get(i)).isSameAs(FeatureRow.MISSING);
      }
    }
  }

  @Test
  void fetch_keysThatCollationsConfuse_findsEachAndNoOther() throws Exception {
    List<String> keys =
        List.of(
            "",
            " ",
            "a",
            "A",
            "a ",
            " a",
            "ä",
            "a\u0308",
            "Ä",
            "ß",
            "ss",
            "ı",
            "i",
            "I",
            "north|1",
            "back\\\\slash",
            "a\\|b|c",
            "a/b",
            "../x",
            "it's",
            "\"quoted\"",
            "`tick`",
            "?",
            "%",
            "_",
            "\u0001",
            "tab\tline\n",
            "🦆",
            "\uFFFD",
            "🦆".repeat(500),
            "x".repeat(2_048),
            "1",
            "01",
            "1.0",
            "1e0");
    LiveView view = view(feature("n", "INT32"));
    rows().create(view);
    // Each second one, so that a key that is taken for another finds what isn't its own.
    for (int i = 0; i < keys.size(); i += 2) {
      put(view, keys.get(i), (long) i);
    }
    FeatureTable table = table(view);

    List<FeatureRow> together = fetch(table, keys);

    for (int i = 0; i < keys.size(); i++) {
      FeatureRow alone = fetch(table, keys.get(i)).getFirst();
      if (i % 2 == 0) {
        assertThat(json(alone)).isEqualTo(answer("{\"n\":%d}".formatted(i)));
        assertThat(json(together.get(i))).isEqualTo(json(alone));
      } else {
        assertThat(alone).as(keys.get(i)).isSameAs(FeatureRow.MISSING);
        assertThat(together.get(i)).as(keys.get(i)).isSameAs(FeatureRow.MISSING);
      }
    }
  }

  // Values.

  /** A value as it is written and its JSON. */
  record Case(String type, Object value, String json) {
    @Override
    public String toString() {
      return type + " " + (json.length() > 60 ? json.substring(0, 60) + "…" : json);
    }
  }

  /** A kind that can't keep some of these hides this method by one that leaves them out. */
  static Stream<Case> values() {
    return Stream.of(
        new Case("BOOL", true, "true"),
        new Case("BOOL", false, "false"),
        new Case("INT32", -2_147_483_648L, "-2147483648"),
        new Case("INT32", 2_147_483_647L, "2147483647"),
        new Case("INT64", 0L, "0"),
        new Case("INT64", Long.MIN_VALUE, "-9223372036854775808"),
        new Case("INT64", Long.MAX_VALUE, "9223372036854775807"),
        new Case("INT64", 9_007_199_254_740_993L, "9007199254740993"),
        new Case("FLOAT32", 0.1f, "0.1"),
        new Case("FLOAT32", 16_777_216f, "1.6777216E7"),
        new Case("FLOAT32", 1.1754944E-38f, "1.1754944E-38"),
        new Case("FLOAT32", Float.MIN_VALUE, "1.4E-45"),
        new Case("FLOAT32", -Float.MAX_VALUE, "-3.4028235E38"),
        new Case("FLOAT32", -0.0f, "-0.0"),
        new Case("FLOAT32", 1.0f, "1.0"),
        new Case("FLOAT32", Float.NaN, "\"NaN\""),
        new Case("FLOAT32", Float.POSITIVE_INFINITY, "\"Infinity\""),
        new Case("FLOAT32", Float.NEGATIVE_INFINITY, "\"-Infinity\""),
        new Case("FLOAT64", 0.0, "0.0"),
        new Case("FLOAT64", -0.0, "-0.0"),
        new Case("FLOAT64", 0.1, "0.1"),
        new Case("FLOAT64", 100.0, "100.0"),
        new Case("FLOAT64", 33.166666666666664, "33.166666666666664"),
        new Case("FLOAT64", 1e7, "1.0E7"),
        new Case("FLOAT64", 9_007_199_254_740_992.0, "9.007199254740992E15"),
        new Case("FLOAT64", 1e308, "1.0E308"),
        new Case("FLOAT64", Double.MAX_VALUE, "1.7976931348623157E308"),
        new Case("FLOAT64", -Double.MIN_VALUE, "-4.9E-324"),
        new Case("FLOAT64", 2.2250738585072014E-308, "2.2250738585072014E-308"),
        new Case("FLOAT64", Double.NaN, "\"NaN\""),
        new Case("FLOAT64", Double.POSITIVE_INFINITY, "\"Infinity\""),
        new Case("FLOAT64", Double.NEGATIVE_INFINITY, "\"-Infinity\""),
        decimal("DECIMAL(38,0)", "99999999999999999999999999999999999999"),
        decimal("DECIMAL(38,38)", "-0.00000000000000000000000000000000000001"),
        decimal("DECIMAL(38,10)", "0.0000000000"),
        decimal("DECIMAL(38,4)", "1234567890123456789012345678901234.5000"),
        decimal("DECIMAL(12,2)", "-7.00"),
        decimal("DECIMAL(20,0)", "18446744073709551615"),
        new Case("STRING", "", "\"\""),
        new Case("STRING", " trailing ", "\" trailing \""),
        new Case("STRING", "null", "\"null\""),
        new Case("STRING", "NaN", "\"NaN\""),
        new Case(
            "STRING",
            "q\"b\\/\n\r\t\b\f\u0001\u001f\u007f",
            "\"q\\\"b\\\\/\\n\\r\\t\\u0008\\u000c\\u0001\\u001f\u007f\""),
        new Case("STRING", "é🦆\u2028\uFFFF\uD83D\uDE00", "\"é🦆\u2028\uFFFF😀\""),
        new Case("STRING", "\\u0041 \\n", "\"\\\\u0041 \\\\n\""),
        new Case("STRING", "x".repeat(1 << 20), '"' + "x".repeat(1 << 20) + '"'),
        new Case("STRING", "🦆\n".repeat(1 << 18), '"' + "🦆\\n".repeat(1 << 18) + '"'),
        new Case("BYTES", new byte[0], "\"\""),
        new Case("BYTES", new byte[] {0, -1, 16}, "\"AP8Q\""),
        new Case("BYTES", new byte[] {-5, -17}, "\"++8=\""),
        new Case("BYTES", new byte[] {-1}, "\"/w==\""),
        new Case("DATE", LocalDate.of(1, 1, 1), "\"0001-01-01\""),
        new Case("DATE", LocalDate.of(2024, 2, 29), "\"2024-02-29\""),
        new Case("DATE", LocalDate.of(9999, 12, 31), "\"9999-12-31\""),
        time(LocalDateTime.of(1, 1, 1, 0, 0), "0001-01-01T00:00:00Z"),
        time(LocalDateTime.of(1582, 10, 10, 1, 2, 3), "1582-10-10T01:02:03Z"),
        time(
            LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999_999_000), "1969-12-31T23:59:59.999999Z"),
        time(LocalDateTime.of(2026, 3, 29, 2, 30, 0, 120_000_000), "2026-03-29T02:30:00.120Z"),
        time(LocalDateTime.of(2026, 3, 29, 2, 30, 0, 1_000), "2026-03-29T02:30:00.000001Z"),
        time(
            LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999_999_000), "9999-12-31T23:59:59.999999Z"),
        new Case("JSON", new Json("null"), "null"),
        new Case("JSON", new Json("\"text\\n🦆\""), "\"text\\n🦆\""),
        new Case("JSON", new Json("{}"), "{}"),
        new Case("JSON", new Json("[]"), "[]"),
        new Case("JSON", new Json("{\"a\": 1}"), "{\"a\": 1}"),
        new Case(
            "JSON",
            new Json("{\"a\": [null, true, \"é\\\\\"], \"big\": 12345678901234567890.123}"),
            "{\"a\": [null, true, \"é\\\\\"], \"big\": 12345678901234567890.123}"),
        new Case("ARRAY<BOOL>", Arrays.asList(true, null, false), "[true,null,false]"),
        new Case("ARRAY<INT64>", List.of(Long.MIN_VALUE, 0L), "[-9223372036854775808,0]"),
        new Case("ARRAY<INT64>", List.of(), "[]"),
        new Case("ARRAY<FLOAT32>", Arrays.asList(1.5f, 0.1f, null), "[1.5,0.1,null]"),
        new Case(
            "ARRAY<FLOAT64>",
            Arrays.asList(Double.NaN, null, Double.NEGATIVE_INFINITY, -0.0, 1e300),
            "[\"NaN\",null,\"-Infinity\",-0.0,1.0E300]"),
        new Case("ARRAY<DECIMAL(5,2)>", Arrays.asList(new BigDecimal("1.50"), null), "[1.50,null]"),
        new Case(
            "ARRAY<STRING>",
            Arrays.asList("a,b", null, "\"x\"\\", "", "null", "{}", "🦆\u0001"),
            "[\"a,b\",null,\"\\\"x\\\"\\\\\",\"\",\"null\",\"{}\",\"🦆\\u0001\"]"),
        new Case("ARRAY<BYTES>", Arrays.asList(new byte[] {0}, null), "[\"AA==\",null]"),
        new Case("ARRAY<DATE>", List.of(LocalDate.of(2024, 2, 29)), "[\"2024-02-29\"]"),
        new Case(
            "ARRAY<TIMESTAMP>",
            Arrays.asList(LocalDateTime.of(2026, 11, 23, 8, 0, 0, 1_000), null),
            "[\"2026-11-23T08:00:00.000001Z\",null]"),
        new Case(
            "ARRAY<JSON>",
            Arrays.asList(new Json("{\"a\": [1, 2]}"), null, new Json("\"]\"")),
            "[{\"a\": [1, 2]},null,\"]\"]"),
        new Case("ARRAY<STRING>", Collections.nCopies(10_000, "v"), vs(10_000)));
  }

  private static Case decimal(String type, String digits) {
    return new Case(type, new BigDecimal(digits), digits);
  }

  private static Case time(LocalDateTime utc, String text) {
    return new Case("TIMESTAMP", utc, '"' + text + '"');
  }

  private static String vs(int count) {
    return "[" + String.join(",", Collections.nCopies(count, "\"v\"")) + "]";
  }

  @ParameterizedTest
  @MethodSource("values")
  void fetch_value_isTheSameJsonInEachKind(Case given) throws Exception {
    LiveView view = view(feature("before", "INT32"), feature("f", given.type()));
    rows().create(view);
    put(view, "k", 1L, given.value());
    put(view, "none", 2L, null);

    List<FeatureRow> found = fetch(table(view), "k", "none");

    assertThat(json(found.get(0)))
        .isEqualTo(answer("{\"before\":1,\"f\":%s}".formatted(given.json())));
    assertThat(json(found.get(1))).isEqualTo(answer("{\"before\":2,\"f\":null}"));
  }

  @Test
  void fetch_times_areInUtcWithMicroseconds() throws Exception {
    LiveView view = view();
    rows().create(view);
    rows()
        .put(
            view,
            "k",
            List.of(),
            LocalDateTime.of(2026, 11, 23, 10, 0, 0, 123_456_000),
            LocalDateTime.of(9999, 12, 31, 23, 59, 59));

    FeatureRow row = fetch(table(view), "k").getFirst();

    assertThat(json(row))
        .isEqualTo(
            "{},\"event_timestamp\":\"2026-11-23T10:00:00.123456Z\",\"updated_at\":\"9999-12-31T23:59:59Z\"");
    assertThat(row.eventMicros()).isEqualTo(1_795_428_000_123_456L);
  }

  @Test
  void fetch_oneFeatureOfMany_isCutOutWhole() throws Exception {
    LiveView view =
        view(feature("a", "STRING"), feature("bb", "INT64"), feature("c", "ARRAY<INT64>"));
    rows().create(view);
    put(view, "k", "x,\"y", 7L, List.of(1L, 2L));

    FeatureRow row = fetch(table(view), "k").getFirst();

    JsonBytes out = new JsonBytes(64);
    byte[][] labels = RowJson.labels(view.features());
    for (int feature : new int[] {2, 0, 1}) {
      row.writeValue(out, feature, labels[feature].length);
      out.raw(';');
    }
    assertThat(new String(out.toArray(), UTF_8)).isEqualTo("[1,2];\"x,\\\"y\";7;");
  }

  @Test
  void fetch_namesThatNeedQuoting_areRead() throws Exception {
    LiveView view =
        view(
            feature("select", "INT64"),
            feature("a\"b", "INT64"),
            feature("a`b", "INT64"),
            feature("a\\", "INT64"),
            feature("größe", "INT64"),
            feature("?", "INT64"));
    rows().create(view);
    put(view, "k", 1L, 2L, 3L, 4L, 5L, 6L);

    assertThat(json(fetch(table(view), "k").getFirst()))
        .isEqualTo(answer("{\"select\":1,\"a\\\"b\":2,\"a`b\":3,\"a\\\\\":4,\"größe\":5,\"?\":6}"));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void fetch_randomRows_isWhatTheirValuesAre(long seed) throws Exception {
    System.out.println("seed " + seed);
    RandomRows random = new RandomRows(new Random(seed), this::holds);
    LiveView view = view(random.features().toArray(Feature[]::new));
    rows().create(view);
    List<String> keys = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      List<@Nullable Object> values = random.row(view.features());
      keys.add("k" + i);
      put(view, "k" + i, values.toArray());
      expected.add(answer(RandomRows.json(view.features(), values)));
    }
    Collections.reverse(keys);
    Collections.reverse(expected);

    List<FeatureRow> found = fetch(table(view), keys);

    for (int i = 0; i < keys.size(); i++) {
      assertThat(json(found.get(i)))
          .as("seed %d, %s", seed, keys.get(i))
          .isEqualTo(expected.get(i));
    }
  }

  // Failures.

  @Test
  void fetch_noTable_neverMaterialized() throws Exception {
    assertThatThrownBy(() -> fetch(table(view(feature("n", "INT64"))), "a"))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
              assertThat(e).hasMessageContaining("never materialized");
            });
  }

  @Test
  void fetch_frozen_failsWithTimeoutAndRecovers() throws Exception {
    FeatureTable table = table(oneRow(), rows().settings(proxy().port(), IMPATIENT));
    assertFound(table);

    proxy().freeze();

    // The second one is queued or pipelined behind the first.
    Future<List<FeatureRow>> first = fetching(table, List.of("a"));
    Future<List<FeatureRow>> second = fetching(table, List.of("a"));
    assertFails(first, ErrorCode.STORE_TIMEOUT);
    assertThatThrownBy(() -> second.await(20, SECONDS)).isInstanceOf(FeatureException.class);
    // Nobody but the client closes that connection.
    ServedStore.await(() -> proxyOpen() == 0);
    // Nor does a connection open.
    assertFails(fetching(table, List.of("a")), ErrorCode.STORE_TIMEOUT);

    proxy().heal();
    assertRecovers(table);
  }

  @Test
  void fetch_connectionCut_failsAtOnceAndRecovers() throws Exception {
    LiveView view = oneRow();
    FeatureTable table = table(view);
    assertFound(table);
    proxy().hold(StoreProxy.Kind.ANY);
    Future<List<FeatureRow>> first = fetching(table, List.of("a"));
    Future<List<FeatureRow>> second = fetching(table, List.of("a"));
    ServedStore.await(() -> proxyBytesHeld() > 0);

    proxy().cut();

    // At once, for else it would be a timeout.
    assertFails(first, ErrorCode.STORE_UNAVAILABLE);
    assertFails(second, ErrorCode.STORE_UNAVAILABLE);
    assertFails(fetching(table, List.of("a")), ErrorCode.STORE_UNAVAILABLE);

    proxy().heal();
    assertRecovers(table);
  }

  @Test
  void fetch_connectionResetBetweenLookups_isOpenedAgain() throws Exception {
    LiveView view = oneRow();
    FeatureTable table = table(view);
    for (int round = 0; round < 3; round++) {
      assertFound(table);
      proxy().reset();
      ServedStore.await(() -> proxyOpen() == 0);
      assertRecovers(table);
    }
  }

  @Test
  void fetch_sessionsKilledByTheServer_isOpenedAgain() throws Exception {
    LiveView view = oneRow();
    FeatureTable table = table(view);
    assertFound(table);

    rows().killSessions();

    ServedStore.await(() -> proxyOpen() == 0);
    assertRecovers(table);
  }

  @Test
  void fetch_tableReplacedByOneWithMoreFeatures_readsOn() throws Exception {
    LiveView view = oneRow();
    FeatureTable table = table(view);
    assertFound(table);
    assertThat(fetch(table, "a", "b")).hasSize(2);

    rows().drop(view);
    LiveView wider = view(feature("more", "STRING"), feature("n", "INT64"));
    rows().create(wider);
    put(wider, "a", "x", 1L);

    assertFound(table);
    assertThat(fetch(table, "a", "b")).hasSize(2);
    assertThat(json(fetch(table(wider), "a").getFirst()))
        .isEqualTo(answer("{\"more\":\"x\",\"n\":1}"));
  }

  private LiveView oneRow() throws SQLException {
    LiveView view = view(feature("n", "INT64"));
    rows().create(view);
    put(view, "a", 1L);
    return view;
  }

  private void assertFound(FeatureTable table) throws TimeoutException {
    assertThat(json(fetch(table, "a").getFirst())).isEqualTo(answer("{\"n\":1}"));
  }

  /** Asserts that rows are found before long; an attempt to connect may still be put off. */
  private void assertRecovers(FeatureTable table) throws TimeoutException {
    ServedStore.await(() -> {
      try {
        return fetch(table, "a").size() == 1;
      } catch (FeatureException e) {
        assertThat(e.code()).isIn(ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_TIMEOUT);
        return false;
      } catch (TimeoutException e) {
        throw new AssertionError(e);
      }
    });
    assertFound(table);
  }

  private int proxyOpen() {
    StoreProxy used = proxy;
    return used == null ? 0 : used.open();
  }

  private long proxyBytesHeld() {
    StoreProxy used = proxy;
    return used == null ? 0 : used.bytesHeld();
  }
}
