package io.featureduck.testing;

import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.definition.Storage;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Path;
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

  /** Returns settings with small limits, the state below {@code directory}. */
  public static MaterializerSettings materializer(Path directory) {
    return new MaterializerSettings(
        2,
        "500MB",
        2,
        Duration.ofMinutes(2),
        Duration.ofSeconds(15),
        0,
        Duration.ofSeconds(5),
        directory.resolve("state"),
        // That of the product, so that a machine downloads an extension once.
        Path.of(System.getProperty("user.home"), ".featureduck", "extensions"));
  }

  /** Returns a source of a table, with event time {@code at}. */
  public static Source table(
      String name, String connection, String schema, String table, Map<String, FeatureType> types) {
    return source(
        name,
        new Source.Table(Source.Database.POSTGRES, new Secret(connection), schema, table),
        types);
  }

  /** Returns a source of files, with event time {@code at}. */
  public static Source files(
      String name, Source.Format format, String path, Map<String, FeatureType> types) {
    return source(name, new Source.Files(format, path), types);
  }

  private static Source source(
      String name, Source.Location location, Map<String, FeatureType> types) {
    return new Source(
        name,
        location,
        "at",
        "at",
        false,
        Duration.ofMinutes(10),
        ZoneOffset.UTC,
        Optional.empty(),
        types,
        false);
  }

  /** Returns a view of entity {@code customer}, key {@code customer_id} INT64. */
  public static FeatureView view(String name, String source, String json) {
    return view(name, source, Storage.TYPED, json);
  }

  /** As {@link #view(String, String, String)}, with its rows in that form. */
  public static FeatureView view(String name, String source, Storage storage, String json) {
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
        storage,
        Duration.ofSeconds(30),
        "",
        "",
        Map.of(),
        json);
  }
}
