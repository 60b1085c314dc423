package io.featureduck.config;

import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.ServerSettings;
import io.featureduck.definition.Source;
import io.featureduck.type.FeatureType;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.node.MissingNode;

/**
 * Reads {@code config.json} and what it includes. All mistakes are found in one reading: in the
 * text, the structure (by the JSON Schema beside this class), the names and what they refer to, the
 * expressions, durations, schedules. What needs a database or a source to be asked is not checked
 * here.
 */
public final class ConfigReader {
  private static final List<String> REQUIRED_LISTS = List.of("entities", "sources", "views");

  private final Map<String, String> environment;
  private final Mistakes mistakes = new Mistakes();
  private final List<Document> documents = new ArrayList<>();
  private boolean complete = true;

  private ConfigReader(Map<String, String> environment) {
    this.environment = environment;
  }

  /**
   * Reads a config.
   *
   * @param file the main file; relative paths in it start at its folder
   * @param environment what {@code ${NAME}} is taken from
   * @throws InvalidConfigException with every mistake that there is
   */
  public static FeatureStore read(Path file, Map<String, String> environment) {
    ConfigReader reader = new ConfigReader(Map.copyOf(environment));
    FeatureStore store = reader.store(file);
    List<Mistake> mistakes = reader.mistakes.inOrderOf(reader.documents);
    if (!mistakes.isEmpty()) {
      throw new InvalidConfigException(mistakes);
    }
    return store;
  }

  private FeatureStore store(Path file) {
    Document main = load(file);
    Interpolation interpolation = new Interpolation(environment, mistakes);
    if (complete) {
      interpolation.apply(main);
      Structure.check(main, false, mistakes);
      for (Path included : new Includes(root(main)).files(file)) {
        Document document = load(included);
        if (!document.root().isMissingNode()) {
          interpolation.apply(document);
          Structure.check(document, true, mistakes);
        }
      }
    }
    return store(root(main));
  }

  private Node root(Document document) {
    return new Node(document, "", document.root(), mistakes);
  }

  /** Reads one file; its root is missing where that fails. */
  private Document load(Path file) {
    JsonText text = new JsonText();
    Document document;
    try {
      document = new Document(file, text.parse(Files.readAllBytes(file)));
      documents.add(document);
    } catch (IOException e) {
      document = new Document(file, MissingNode.getInstance());
      documents.add(document);
      mistakes.add(document, "", unreadable(file, e));
    }
    Document read = document;
    text.failure().ifPresent(failure -> mistakes.add(read, "", failure));
    text.repeated()
        .forEach((pointer, at) ->
            mistakes.add(read, pointer, "this key is there twice, again at " + at));
    complete &= !document.root().isMissingNode();
    return document;
  }

  private static String unreadable(Path file, IOException failure) {
    if (failure instanceof NoSuchFileException) {
      return "there is no such file";
    }
    if (Files.isDirectory(file)) {
      return "expected a file, found a folder";
    }
    return failure instanceof AccessDeniedException
        ? "this user may not read the file"
        : "the file can't be read: " + failure.getMessage();
  }

  private FeatureStore store(Node main) {
    for (String key : REQUIRED_LISTS) {
      if (complete
          && main.isObject()
          && main.lacks(key)
          && documents.stream().noneMatch(document -> document.root().has(key))) {
        main.mistake("'%s' is missing".formatted(key));
      }
    }
    if (!main.items("experiments").isEmpty()) {
      main.child("experiments").mistake("experiments are not built yet: expected an empty list");
    }
    Node server = main.child("server");
    ServerSettings serverSettings = SettingsReader.server(server);
    OnlineStoreSettings storeSettings = SettingsReader.onlineStore(main.child("online_store"));
    MaterializerSettings materializerSettings =
        SettingsReader.materializer(main.child("materializer"), home());

    List<Node> entityNodes = all("entities");
    References entityNames = new References("entity", entityNodes, complete);
    Map<String, Entity> entities = new HashMap<>();
    List<Entity> entityList = new ArrayList<>();
    for (Node node : entityNodes) {
      entity(node)
          .ifPresent(entity -> {
            entityList.add(entity);
            entities.putIfAbsent(entity.name(), entity);
          });
    }

    List<Node> sourceNodes = all("sources");
    References sourceNames = new References("source", sourceNodes, complete);
    List<Source> sources = sourceNodes.stream().map(SourceReader::read).toList();

    List<Node> viewNodes = all("views");
    References viewNames = new References("view", viewNodes, complete);
    Duration cacheMaxAge = SettingsReader.cacheMaxAge(server);
    ViewReader viewReader = new ViewReader(entityNames, sourceNames, entities, cacheMaxAge);
    List<FeatureView> views = viewNodes.stream().map(viewReader::read).toList();
    Map<String, FeatureView> viewByName = new HashMap<>();
    for (FeatureView view : views) {
      if (!viewReader.isPartlyRead(view.name())) {
        viewByName.putIfAbsent(view.name(), view);
      }
    }

    List<Node> serviceNodes = all("services");
    References unused = new References("service", serviceNodes, complete);
    ServiceReader serviceReader = new ServiceReader(viewNames, viewByName);
    List<FeatureService> services = serviceNodes.stream().map(serviceReader::read).toList();

    return new FeatureStore(
        main.name("project"),
        serverSettings,
        storeSettings,
        materializerSettings,
        entityList,
        sources,
        views,
        services);
  }

  /** Returns the elements of a list that the main file and the included ones may have. */
  private List<Node> all(String key) {
    return documents.stream().flatMap(document -> root(document).items(key).stream()).toList();
  }

  private static Optional<Entity> entity(Node entity) {
    String name = entity.name("name");
    List<JoinKey> joinKeys = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (Node node : entity.items("join_keys")) {
      Node keyName = node.child("name");
      Optional<String> column = keyName.identifier();
      if (column.isPresent() && !seen.add(column.get())) {
        keyName.mistake("join key %s is there twice".formatted(keyName.shown()));
      }
      Optional<FeatureType> type = node.text("type").flatMap(FeatureType::parse);
      if (column.isPresent() && type.filter(JoinKey::isKeyType).isPresent()) {
        joinKeys.add(new JoinKey(column.get(), type.get()));
      }
    }
    return joinKeys.isEmpty()
        ? Optional.empty()
        : Optional.of(new Entity(name, joinKeys, entity.text("description", "")));
  }

  private String home() {
    String home = environment.get("HOME");
    return home == null ? System.getProperty("user.home", ".") : home;
  }
}
