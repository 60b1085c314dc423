package io.featureduck.feast;

import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a Feast repository defines, as {@code definitions.py} writes it. Texts are empty where Feast
 * has none.
 *
 * @param settings of {@code feature_store.yaml}, environment variables not put in
 * @param others what is only named: views that Feast computes otherwise, permissions
 */
record FeastRepository(
    String feastVersion,
    JsonNode settings,
    List<Entity> entities,
    List<DataSource> sources,
    List<View> views,
    List<Service> services,
    List<Other> others) {
  private static final JsonMapper JSON =
      JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

  static FeastRepository of(JsonNode document) {
    return JSON.treeToValue(document, FeastRepository.class);
  }

  /**
   * @param type a name of Feast's {@code ValueType}; {@code UNKNOWN} where it is left to the views
   */
  record Entity(
      String name,
      String joinKey,
      String type,
      String description,
      Map<String, String> tags,
      String owner) {
    /** Tells whether this stands for the entity of views that have none. */
    boolean isDummy() {
      return name.startsWith("__dummy");
    }
  }

  /**
   * @param kind {@code file}, {@code postgres} or {@code other}
   * @param fieldMapping from columns to the names that Feast calls them by
   * @param batchSource the name of a stream source's batch source
   * @param path of files
   * @param format of files, where one is given: {@code parquet} or {@code delta}
   * @param table of Postgres, as SQL; empty where there is a {@code query}
   * @param inferenceFailure why the timestamp field could not be asked for
   */
  record DataSource(
      String name,
      String kind,
      String className,
      String timestampField,
      String createdTimestampColumn,
      Map<String, String> fieldMapping,
      String batchSource,
      String path,
      String format,
      String s3Endpoint,
      String table,
      String query,
      boolean connectionRef,
      String inferenceFailure,
      String description,
      Map<String, String> tags,
      String owner) {
    /** Returns the column that Feast calls {@code name}. */
    String column(String name) {
      for (Map.Entry<String, String> mapped : fieldMapping.entrySet()) {
        if (mapped.getValue().equals(name)) {
          return mapped.getKey();
        }
      }
      return name;
    }
  }

  /**
   * @param joinKeys those whose types the view's schema or its source says
   * @param features none where only the source could tell, and could not be asked
   * @param source the name of the batch source
   * @param sourceViews the views that it is derived from
   * @param transformed whether Feast computes it by code or aggregations of its own
   * @param inferenceFailure why the source could not be asked
   */
  record View(
      String name,
      List<String> entities,
      List<Field> joinKeys,
      List<Field> features,
      String source,
      String streamSource,
      List<String> sourceViews,
      boolean transformed,
      double ttlSeconds,
      boolean online,
      boolean enabled,
      String version,
      String org,
      String inferenceFailure,
      String description,
      Map<String, String> tags,
      String owner) {}

  /**
   * @param type a name of Feast's {@code ValueType}
   * @param described whether it has a description or tags
   */
  record Field(String name, String type, boolean described, boolean vectorIndex) {}

  /**
   * @param logs whether Feast logs what is served
   */
  record Service(
      String name,
      List<Part> views,
      boolean logs,
      String description,
      Map<String, String> tags,
      String owner) {}

  /**
   * @param features all of the view's where there is none
   */
  record Part(
      String view,
      String alias,
      List<String> features,
      Map<String, String> joinKeyMap,
      String version) {}

  record Other(String kind, String name) {}
}
