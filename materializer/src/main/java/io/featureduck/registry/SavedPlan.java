package io.featureduck.registry;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A plan that 'plan --out' kept. It is not carried out as it is: a plan is made anew, and must come
 * to the same.
 *
 * @param asked the views that it is about; empty for all
 * @param changes what it comes to, by view and action
 */
public record SavedPlan(
    String project, String store, List<String> asked, boolean prune, Map<String, Kept> changes) {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Pattern ROW_COUNT = Pattern.compile("[0-9,]+ rows?\\)$");

  public SavedPlan {
    asked = List.copyOf(asked);
    changes = Map.copyOf(changes);
  }

  /**
   * What must still be so.
   *
   * @param wanted the hash of the definition in the config; empty where there was none
   * @param registered as {@link RegisteredView#state}
   * @param destroys as {@link ViewChange#destroys}, but for how many rows that is
   */
  public record Kept(String wanted, String registered, List<String> destroys) {
    public Kept {
      destroys =
          destroys.stream().map(what -> ROW_COUNT.matcher(what).replaceFirst("rows)")).toList();
    }
  }

  /**
   * Reads the document that {@link PlanJson} makes.
   *
   * @param name of the file, for messages
   * @throws FeatureException INVALID_CONFIG where it is none
   */
  public static SavedPlan read(String name, String text) {
    JsonNode root;
    try {
      root = JSON.readTree(text);
    } catch (JacksonException e) {
      throw noPlan(name, e);
    }
    if (root.path("format").asInt(0) != PlanJson.FORMAT || !root.path("views").isArray()) {
      throw noPlan(name, null);
    }
    Map<String, Kept> changes = new LinkedHashMap<>();
    for (JsonNode view : root.path("views")) {
      changes.put(
          key(view.path("view").asString(), view.path("action").asString()),
          new Kept(
              view.path("wanted").asString(""),
              view.path("registered").asString(""),
              view.path("destroys").valueStream().map(JsonNode::asString).toList()));
    }
    return new SavedPlan(
        root.path("project").asString(""),
        root.path("store").asString(""),
        root.path("asked").valueStream().map(JsonNode::asString).toList(),
        root.path("prune").asBoolean(false),
        changes);
  }

  private static FeatureException noPlan(
      String name, @org.jspecify.annotations.Nullable Throwable cause) {
    return new FeatureException(
        ErrorCode.INVALID_CONFIG,
        "%s is no plan that this FeatureDuck's 'plan --out' wrote".formatted(name),
        cause);
  }

  /**
   * @param now a plan for the same views, made just now
   * @throws FeatureException STALE_PLAN, naming what differs
   */
  public void requireSame(ChangePlan now) {
    List<String> differences = new ArrayList<>();
    if (!project.equals(now.project()) || !store.equals(now.store())) {
      differences.add("it was made for project %s at %s".formatted(project, store));
    }
    Map<String, Kept> changesNow = new LinkedHashMap<>();
    for (ViewChange change : now.changes()) {
      changesNow.put(
          key(change.view(), change.action()),
          new Kept(
              change.wanted().map(ViewDefinition::hash).orElse(""),
              change.registered().state(),
              change.destroys()));
    }
    Set<String> keys = new TreeSet<>(changes.keySet());
    keys.addAll(changesNow.keySet());
    for (String key : keys) {
      Kept then = changes.get(key);
      Kept current = changesNow.get(key);
      if (then == null || current == null) {
        differences.add(
            "'%s' is %s the saved plan".formatted(key, then == null ? "not in" : "only in"));
      } else if (!then.wanted().equals(current.wanted())) {
        differences.add("'%s': the config or its source has changed".formatted(key));
      } else if (!then.registered().equals(current.registered())) {
        differences.add("'%s': what is registered has changed".formatted(key));
      } else if (!then.destroys().equals(current.destroys())) {
        differences.add("'%s': it would destroy something else".formatted(key));
      }
    }
    if (!differences.isEmpty()) {
      throw new FeatureException(
          ErrorCode.STALE_PLAN,
          "the saved plan doesn't hold any more: %s; plan again"
              .formatted(String.join("; ", differences)));
    }
  }

  private static String key(String view, String action) {
    return action + " " + view;
  }
}
