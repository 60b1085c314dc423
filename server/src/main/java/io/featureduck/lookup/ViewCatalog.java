package io.featureduck.lookup;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.store.LiveView;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The live views, as served. Read by every event loop, written by {@link ChangePoller} alone. */
public final class ViewCatalog {
  private static final int NAME_LENGTH_MAX = 64;

  private final LookupMetrics metrics;
  private volatile Map<String, ServedView> byName = Map.of();
  private volatile boolean loaded;

  public ViewCatalog(LookupMetrics metrics) {
    this.metrics = metrics;
  }

  /**
   * Returns a live view.
   *
   * @throws FeatureException UNKNOWN_VIEW, with the nearest name; STORE_UNAVAILABLE before the
   *     store was read for the first time
   */
  public ServedView view(String name) {
    ServedView view = byName.get(name);
    if (view == null) {
      throw refusal(name);
    }
    return view;
  }

  /** Returns what {@link #view} would fail with; empty where the view is live. */
  public Optional<FeatureException> unknown(String name) {
    return byName.containsKey(name) ? Optional.empty() : Optional.of(refusal(name));
  }

  private FeatureException refusal(String name) {
    if (!loaded) {
      return new FeatureException(
          ErrorCode.STORE_UNAVAILABLE, "the views are not known yet: the online store is away");
    }
    // Finding a near name takes time that grows with the length of what a client sent.
    String shown = name.length() > NAME_LENGTH_MAX ? name.substring(0, NAME_LENGTH_MAX) : name;
    return new FeatureException(
        ErrorCode.UNKNOWN_VIEW,
        "there is no view '%s'%s".formatted(shown, Nearest.hint(shown, byName.keySet())));
  }

  /** Tells whether a view is still served by this definition. */
  // One that was replaced is never equal to its successor.
  @SuppressWarnings("ReferenceEquality")
  public boolean isCurrent(ServedView view) {
    return isCurrent(view.name(), view);
  }

  /**
   * Tells whether a name stands for this definition still.
   *
   * @param view null for none
   */
  // One that was replaced is never equal to its successor.
  @SuppressWarnings("ReferenceEquality")
  public boolean isCurrent(String name, @Nullable ServedView view) {
    return byName.get(name) == view;
  }

  /** Returns a live view; empty where there is none of that name. */
  public Optional<ServedView> find(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** Tells whether a view is live here and has a table, so that its entities can be asked for. */
  public boolean serves(String name) {
    ServedView view = byName.get(name);
    return view != null && view.asOf().isPresent();
  }

  /** Returns all live views, by name. */
  public Collection<ServedView> views() {
    return new TreeMap<>(byName).values();
  }

  /** Tells whether the store has been read at least once. */
  public boolean isLoaded() {
    return loaded;
  }

  /** Takes what the store has; a view whose definition is the same keeps its state and entries. */
  void update(List<LiveView> liveViews) {
    Map<String, ServedView> before = byName;
    TreeMap<String, ServedView> after = new TreeMap<>();
    for (LiveView live : liveViews) {
      ServedView known = before.get(live.view());
      if (known != null && isSame(known.definition(), live)) {
        after.put(live.view(), known);
      } else {
        after.put(live.view(), new ServedView(live, metrics.view(live.view(), live.version())));
      }
    }
    byName = Map.copyOf(after);
    loaded = true;
  }

  private static boolean isSame(LiveView left, LiveView right) {
    return left.version() == right.version()
        && left.definition().equals(right.definition())
        && left.features().equals(right.features())
        && left.joinKeys().equals(right.joinKeys());
  }
}
