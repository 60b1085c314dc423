package io.featureduck.testing;

import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Definitions in their plainest form, for tests that need some. */
public final class TestDefinitions {
  private TestDefinitions() {}

  /** Returns settings of a store in {@code database}. */
  public static OnlineStoreSettings store(TestPostgres.Database database, String schema) {
    return store(database.url(), schema);
  }

  public static OnlineStoreSettings store(String url, String schema) {
    return new OnlineStoreSettings(
        OnlineStoreSettings.Type.POSTGRES,
        url,
        Optional.empty(),
        schema,
        Duration.ofSeconds(1),
        1,
        2,
        128,
        10_000);
  }

  /** Returns a view of entity {@code customer}, key {@code customer_id} INT64. */
  public static FeatureView view(String name, String source, String json) {
    Entity customer =
        new Entity("customer", List.of(new JoinKey("customer_id", Primitive.INT64)), "");
    return new FeatureView(
        name,
        List.of(customer),
        source,
        List.of(),
        List.of(),
        List.of(),
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        ZoneOffset.UTC,
        Optional.empty(),
        Duration.ofSeconds(30),
        "",
        "",
        Map.of(),
        json);
  }
}
