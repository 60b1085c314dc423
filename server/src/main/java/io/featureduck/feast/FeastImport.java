package io.featureduck.feast;

import io.featureduck.config.ConfigReader;
import io.featureduck.config.InvalidConfigException;
import io.featureduck.config.Mistake;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Makes a config of a Feast repository. What the config can't have is told, each thing with why;
 * what comes out is read once as every config is, and only what passes that is given out.
 */
public final class FeastImport {
  private static final String SETTINGS = "feature_store.yaml";
  private static final String PROJECT = "project";
  private static final Pattern PLACE = Pattern.compile("/(views|services)/(\\d+)(?:/.*)?");
  private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)\\}");

  private final FeastRepository repository;
  private final Findings findings = new Findings();
  private final Path directory;
  private final Path folder;

  private FeastImport(FeastRepository repository, Path directory, Path folder) {
    this.repository = repository;
    this.directory = directory;
    this.folder = folder;
  }

  /**
   * What was made of a repository.
   *
   * @param feastVersion that read the repository
   * @param notTaken what the config has not
   * @param changed what it has otherwise than Feast, and what is to be set for it
   */
  public record Imported(
      String feastVersion, ObjectNode config, List<Finding> notTaken, List<Finding> changed) {
    public Imported {
      notTaken = List.copyOf(notTaken);
      changed = List.copyOf(changed);
    }
  }

  /**
   * Runs a repository and makes a config of it.
   *
   * @param python that has Feast; else one is looked for in the repository and the environment
   * @param folder where the config will be: relative paths in it start there
   * @throws FeatureException INVALID_CONFIG where {@code directory} is no Feast repository;
   *     SOURCE_UNAVAILABLE where it can't be run, with what was raised
   */
  public static Imported read(
      Path directory, Optional<String> python, Path folder, Map<String, String> environment)
      throws IOException, InterruptedException {
    if (!Files.isRegularFile(directory.resolve(SETTINGS))) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "%s is no Feast repository: there is no %s in it".formatted(directory, SETTINGS));
    }
    // Feast's own word for it, with links followed; so both ends of a relative path must be.
    Path real = directory.toRealPath();
    FeastRepository repository = FeastPython.of(python, real, environment).run(real);
    return of(repository, real, folder.toRealPath());
  }

  /** Makes a config of what a repository defines; both paths are absolute. */
  static Imported of(FeastRepository repository, Path directory, Path folder) throws IOException {
    return new FeastImport(repository, directory, folder).imported();
  }

  private Imported imported() throws IOException {
    FeastStores stores = new FeastStores(repository.settings(), findings);
    ObjectNode config = JsonNodeFactory.instance.objectNode();
    config.put(PROJECT, project());
    config.set("online_store", stores.onlineStore());
    EntityImport entities = new EntityImport(findings);
    entities.addTo(config.putArray("entities"), repository);
    SourceImport sources = new SourceImport(directory, folder, stores, findings);
    sources.addTo(config.putArray("sources"), repository.sources());
    List<ViewImport.Taken> views =
        new ArrayList<>(new ViewImport(entities, sources, findings).views(repository.views()));
    settle(
        config,
        "views",
        views.stream().map(ViewImport.Taken::json).toList(),
        (index, reason) ->
            findings.notTaken(ViewImport.KIND, views.remove(index).feastName(), reason, ""));
    tellOthers();
    Map<String, ObjectNode> services =
        new ServiceImport(views, findings).services(repository.services());
    List<String> names = new ArrayList<>(services.keySet());
    settle(
        config,
        "services",
        List.copyOf(services.values()),
        (index, reason) -> findings.notTaken(ServiceImport.KIND, names.remove(index), reason, ""));
    stores.tellOtherSettings();
    return new Imported(repository.feastVersion(), config, findings.notTaken(), findings.changed());
  }

  private String project() {
    String project = repository.settings().path(PROJECT).asString("");
    String name = Names.converted(project);
    if (!Names.isName(name)) {
      name = "feast";
    }
    findings.renamed(PROJECT, project, name);
    return name;
  }

  /** Tells of what Feast computes, or keeps, in ways that are none of ours. */
  private void tellOthers() {
    for (FeastRepository.Other other : repository.others()) {
      switch (other.kind()) {
        case "on-demand feature view" ->
            findings.notTaken(
                other.kind(),
                other.name(),
                "Python computes it for each request",
                "compute it where it is asked for; what needs nothing of a request can be a projection of its view");
        case "stream feature view" ->
            findings.notTaken(
                other.kind(),
                other.name(),
                "it is computed from a stream",
                "declare what it computes as a view of its batch source");
        case "label view" ->
            findings.notTaken(
                other.kind(),
                other.name(),
                "labels that people give are not collected here",
                "declare a view of its batch source");
        default -> findings.notTaken(other.kind(), other.name(), "there is none here", "");
      }
    }
  }

  /** Hears that an element was dropped: where it was, and what is wrong with it. */
  private interface Dropped {
    void at(int index, String reason);
  }

  /** Puts a list into the config, without the elements that a reader of configs refuses. */
  private void settle(ObjectNode config, String key, List<ObjectNode> elements, Dropped dropped)
      throws IOException {
    ArrayNode list = config.putArray(key).addAll(elements);
    Map<Integer, String> refused = refused(config, key);
    while (!refused.isEmpty()) {
      refused.forEach((index, reason) -> {
        list.remove(index);
        dropped.at(index, reason);
      });
      refused = refused(config, key);
    }
    if (key.equals("services") && list.isEmpty()) {
      config.remove(key);
    }
  }

  /** Returns what is wrong with elements of a list, the last of them first. */
  private Map<Integer, String> refused(ObjectNode config, String key) throws IOException {
    Map<Integer, String> refused = new TreeMap<>(java.util.Comparator.reverseOrder());
    for (Mistake mistake : mistakes(config)) {
      Matcher place = PLACE.matcher(mistake.pointer());
      if (!place.matches() || !place.group(1).equals(key)) {
        throw new FeatureException(
            ErrorCode.INTERNAL,
            "what was made of the repository is no valid config: %s: %s"
                .formatted(mistake.pointer(), mistake.message()));
      }
      String unused = refused.putIfAbsent(Integer.valueOf(place.group(2)), mistake.message());
    }
    return refused;
  }

  /** Reads the config as every config is read, with something in place of each variable. */
  private static List<Mistake> mistakes(ObjectNode config) throws IOException {
    Path file = Files.createTempFile("featureduck-feast", ".json");
    try {
      String text = config.toString();
      Path ignored = Files.writeString(file, text);
      Map<String, String> environment =
          new HashMap<>(
              VARIABLE
                  .matcher(text)
                  .results()
                  .map(variable -> variable.group(1))
                  .distinct()
                  .collect(Collectors.toMap(name -> name, name -> "1")));
      environment.put(FeastStores.STORE_URL, "postgresql://host/database");
      var unused = ConfigReader.read(file, environment);
      return List.of();
    } catch (InvalidConfigException e) {
      return e.mistakes();
    } finally {
      Files.delete(file);
    }
  }
}
