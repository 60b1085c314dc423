package io.featureduck.feast;

import io.featureduck.feast.FeastRepository.DataSource;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Makes sources of file and Postgres sources. */
final class SourceImport {
  private static final String KIND = "data source";
  private static final Pattern SCHEME = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*)://.*");
  private static final Pattern TABLE =
      Pattern.compile(
          "(?:(?<schema>[A-Za-z_][\\w$]*|\"(?:[^\"]|\"\")+\")\\.)?(?<table>[A-Za-z_][\\w$]*|\"(?:[^\"]|\"\")+\")");
  private static final Map<String, String> STREAMS =
      Map.of(
          "PushSource", "rows are not pushed to it",
          "KafkaSource", "Kafka is not read",
          "KinesisSource", "Kinesis is not read");

  /**
   * A source that was taken.
   *
   * @param name in the config
   */
  record Taken(String name, DataSource source) {}

  private final Path repository;
  private final Path folder;
  private final FeastStores stores;
  private final Findings findings;
  private final Map<String, Taken> taken = new HashMap<>();

  /**
   * @param repository absolute; relative paths of the repository start there
   * @param folder absolute; relative paths of the config will start there
   */
  SourceImport(Path repository, Path folder, FeastStores stores, Findings findings) {
    this.repository = repository;
    this.folder = folder;
    this.stores = stores;
    this.findings = findings;
  }

  /** Adds the repository's sources to {@code config}. */
  void addTo(ArrayNode config, List<DataSource> sources) {
    Names names = new Names(sources.stream().map(SourceImport::wantedName).toList());
    Set<String> used = new HashSet<>();
    for (DataSource source : sources) {
      Optional<ObjectNode> made = made(source);
      if (made.isEmpty()) {
        continue;
      }
      String name = names.of(wantedName(source)).orElse("");
      // Nobody but the config names sources, so any name will do.
      for (int i = 1; name.isEmpty() || !used.add(name); i++) {
        name = "source_" + i;
      }
      ObjectNode node = config.addObject().put("name", name);
      node.setAll(made.get());
      taken.put(source.name(), new Taken(name, source));
      if (isNamed(source)) {
        findings.renamed(KIND, source.name(), name);
      }
      findings.labelsLeft(KIND, source.name(), source.owner(), source.tags());
    }
  }

  /** Returns a source that was taken, by its name in Feast. */
  Optional<Taken> taken(String feastName) {
    return Optional.ofNullable(taken.get(feastName));
  }

  /** Tells whether a source was given a name; else Feast names it by its path or table. */
  private static boolean isNamed(DataSource source) {
    return !source.name().equals(source.path()) && !source.name().equals(source.table());
  }

  private static String wantedName(DataSource source) {
    if (isNamed(source)) {
      return source.name();
    }
    return source.kind().equals("file")
        ? source.name().replaceFirst("^.*/", "").replaceFirst("\\.[^.]*$", "")
        : source.name().replaceFirst("^.*\\.", "");
  }

  /** Returns a source without its name; where there is none, why is told. */
  private Optional<ObjectNode> made(DataSource source) {
    Optional<ObjectNode> place =
        switch (source.kind()) {
          case "file" -> files(source);
          case "postgres" -> table(source);
          default -> other(source);
        };
    if (place.isPresent() && source.connectionRef()) {
      return refused(
          source,
          "its credentials come by a connection_ref",
          "declare it in the config, with its connection_string");
    }
    if (place.isPresent() && source.timestampField().isEmpty()) {
      String failure = source.inferenceFailure();
      return refused(
          source,
          "it has no timestamp_field"
              + (failure.isEmpty() ? "" : ", and could not be asked for one: " + failure),
          "give it one");
    }
    return place.map(node -> {
      node.put("timestamp_field", SettingText.literal(source.column(source.timestampField())));
      if (!source.createdTimestampColumn().isEmpty()) {
        node.put(
            "cursor_field", SettingText.literal(source.column(source.createdTimestampColumn())));
      }
      if (!source.description().isEmpty()) {
        node.put("description", SettingText.literal(source.description()));
      }
      return node;
    });
  }

  private Optional<ObjectNode> other(DataSource source) {
    String name = source.className();
    String stream = STREAMS.get(name);
    if (stream != null) {
      return refused(
          source,
          source.batchSource().isEmpty()
              ? stream
              : "%s: its views are computed from its batch source '%s'"
                  .formatted(stream, source.batchSource()),
          "");
    }
    return name.equals("RequestSource")
        ? refused(source, "values that come with a request are for on-demand feature views", "")
        : refused(
            source,
            "a %s is not read".formatted(name),
            "export it to Parquet or to a table of Postgres or MySQL, and declare that in the config");
  }

  private Optional<ObjectNode> files(DataSource source) {
    String path = source.path().startsWith("file://") ? source.path().substring(7) : source.path();
    Matcher scheme = SCHEME.matcher(path);
    if (scheme.matches() && !scheme.group(1).equals("s3")) {
      return refused(
          source,
          "files at %s:// are not read".formatted(scheme.group(1)),
          "copy them to a local folder or to s3://");
    }
    if (!source.s3Endpoint().isEmpty()) {
      return refused(source, "an S3 of one's own is not read", "copy its files to a local folder");
    }
    if (source.format().equals("delta")) {
      return refused(source, "Delta tables are not read", "export it to Parquet");
    }
    String format = format(source);
    ObjectNode node = JsonNodeFactory.instance.objectNode().put("source_type", format);
    try {
      return Optional.of(
          node.put(
              "path", SettingText.literal(scheme.matches() ? path : local(Path.of(path), format))));
    } catch (InvalidPathException e) {
      return refused(source, "'%s' is no path".formatted(path), "");
    }
  }

  /** Feast reads Parquet where it isn't told a format; a file's own name knows better. */
  private static String format(DataSource source) {
    String path = source.path().toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|zst)$", "");
    if (source.format().isEmpty() && path.endsWith(".csv")) {
      return "csv";
    }
    return source.format().isEmpty() && path.matches(".*\\.(json|jsonl|ndjson)")
        ? "json"
        : "parquet";
  }

  /** Returns a path as the config has it: relative where it is near the config. */
  private String local(Path path, String format) {
    Path absolute = repository.resolve(path).normalize();
    boolean near =
        !path.isAbsolute() && (repository.startsWith(folder) || folder.startsWith(repository));
    String text = (near ? folder.relativize(absolute) : absolute).toString();
    return Files.isDirectory(absolute) ? text + "/**/*." + format : text;
  }

  private Optional<ObjectNode> table(DataSource source) {
    if (source.table().isEmpty()) {
      return refused(
          source,
          "it is a query: a source is a table or a view of the database",
          "run CREATE VIEW there with its query, and name that as its table");
    }
    Matcher table = TABLE.matcher(source.table().strip());
    if (!table.matches()) {
      return refused(
          source,
          "'%s' is no table's name, with its schema or without".formatted(source.table()),
          "");
    }
    FeastStores.TableStore store = stores.tables();
    String schema = table.group("schema");
    return Optional.of(
        JsonNodeFactory.instance
            .objectNode()
            .put("source_type", "postgres")
            .put("connection_string", store.connectionString())
            .put(
                "schema", schema == null ? store.schema() : SettingText.literal(identifier(schema)))
            .put("table", SettingText.literal(identifier(table.group("table")))));
  }

  /** Reads an identifier as Postgres does. */
  private static String identifier(String sql) {
    return sql.startsWith("\"")
        ? sql.substring(1, sql.length() - 1).replace("\"\"", "\"")
        : sql.toLowerCase(Locale.ROOT);
  }

  private Optional<ObjectNode> refused(DataSource source, String reason, String hint) {
    findings.notTaken(KIND, source.name(), reason, hint);
    return Optional.empty();
  }
}
