package io.featureduck.config;

import static java.util.stream.Collectors.joining;

import io.featureduck.definition.MySqlAddress;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.definition.Source.Database;
import io.featureduck.definition.Source.Files;
import io.featureduck.definition.Source.Format;
import io.featureduck.definition.Source.Location;
import io.featureduck.definition.Source.Table;
import io.featureduck.type.FeatureType;
import java.nio.file.InvalidPathException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** Reads sources. */
final class SourceReader {
  private static final Set<String> NOT_BUILT = Set.of("iceberg", "delta", "hudi", "kafka", "cdc");
  private static final List<String> FILE_KEYS = List.of("path");
  private static final List<String> TABLE_KEYS = List.of("connection_string", "schema", "table");
  private static final Pattern SCHEME = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*://.*");

  private SourceReader() {}

  static Source read(Node source) {
    String timestamp = source.identifier("timestamp_field").orElse("");
    return new Source(
        source.name("name"),
        location(source),
        timestamp,
        source.identifier("cursor_field").orElse(timestamp),
        source.flag("incremental"),
        source.durationOrZero("allowed_lateness", Duration.ofMinutes(10)),
        source.zone("timezone"),
        source.identifier("row_id"),
        columns(source),
        source.flag("static"));
  }

  private static Location location(Node source) {
    String type = source.text("source_type", "");
    return switch (type) {
      case "parquet" -> files(source, Format.PARQUET);
      case "csv" -> files(source, Format.CSV);
      case "json" -> files(source, Format.JSON);
      case "postgres" -> {
        expectKeys(source, type, List.of("connection_string", "table"), FILE_KEYS);
        yield new Table(
            Database.POSTGRES,
            new Secret(source.identifier("connection_string").orElse("")),
            source.identifier("schema").orElse("public"),
            source.identifier("table").orElse(""));
      }
      case "mysql" -> {
        expectKeys(source, type, List.of("connection_string", "table"), FILE_KEYS);
        yield mySql(source);
      }
      default -> {
        if (NOT_BUILT.contains(type)) {
          source
              .child("source_type")
              .mistake(
                  "%s sources are not built yet: expected 'parquet', 'csv', 'json', 'postgres' or 'mysql'"
                      .formatted(type));
        }
        yield new Files(Format.PARQUET, "");
      }
    };
  }

  private static Table mySql(Node source) {
    Optional<MySqlAddress> address = source.child("connection_string").mySqlAddress();
    Optional<String> schema =
        source.identifier("schema").or(() -> address.flatMap(MySqlAddress::database));
    if (schema.isEmpty() && address.isPresent() && source.lacks("schema")) {
      source.mistake("'schema' is missing, and 'connection_string' names no database either");
    }
    return new Table(
        Database.MYSQL,
        new Secret(address.map(MySqlAddress::connectionString).orElse("")),
        schema.orElse(""),
        source.identifier("table").orElse(""));
  }

  private static Files files(Node source, Format format) {
    expectKeys(source, source.text("source_type", ""), FILE_KEYS, TABLE_KEYS);
    Node path = source.child("path");
    String text = path.identifier().orElse("");
    if (text.startsWith("s3://")) {
      return new Files(format, text);
    }
    if (SCHEME.matcher(text).matches()) {
      path.mistake("expected a local path or an s3:// address, found " + path.shown());
      return new Files(format, "");
    }
    try {
      return new Files(format, source.folder().resolve(text).normalize().toString());
    } catch (InvalidPathException refused) {
      path.mistake("%s is no path".formatted(path.shown()));
      return new Files(format, "");
    }
  }

  private static void expectKeys(
      Node source, String type, List<String> needed, List<String> foreign) {
    String missing =
        needed.stream().filter(source::lacks).map(key -> "'" + key + "'").collect(joining(" and "));
    if (!missing.isEmpty()) {
      source.mistake(
          "%s %s missing: a %s source needs %s"
              .formatted(
                  missing,
                  missing.contains(" and ") ? "are" : "is",
                  type,
                  missing.contains(" and ") ? "them" : "it"));
    }
    for (String key : foreign) {
      if (source.has(key)) {
        source.child(key).mistake("a %s source has no '%s'".formatted(type, key));
      }
    }
  }

  private static Map<String, FeatureType> columns(Node source) {
    Map<String, FeatureType> columns = new HashMap<>();
    source
        .entries("columns")
        .forEach((name, node) -> node.type().ifPresent(type -> columns.put(name, type)));
    return columns;
  }
}
