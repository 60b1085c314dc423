package io.featureduck.config;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Collects mistakes, so that one cause is told once. Confined to one reading of a config. */
final class Mistakes {
  private final Map<Document, Set<Mistake>> found = new LinkedHashMap<>();
  private final Map<Document, List<Mistake>> fallbacks = new LinkedHashMap<>();
  private final Set<Place> unusable = new HashSet<>();
  private final Set<Place> meant = new HashSet<>();

  private record Place(Document document, String pointer) {}

  /** Notes a mistake, unless the value there was found to be unusable before. */
  void add(Document document, String pointer, String message) {
    if (!unusable.contains(new Place(document, pointer))) {
      note(document, pointer, message);
    }
  }

  /** Notes a mistake after which nothing more is to be said about the value there. */
  void addUnusable(Document document, String pointer, String message) {
    add(document, pointer, message);
    unusable.add(new Place(document, pointer));
  }

  /** Notes a mistake that counts only if no other is found at the place: a general one. */
  void addFallback(Document document, String pointer, String message) {
    fallbacks
        .computeIfAbsent(document, key -> new ArrayList<>())
        .add(new Mistake(document.file(), pointer, message));
  }

  /** Notes where a misspelt key probably belongs, so that it isn't told to be missing as well. */
  void addMeant(Document document, String pointer) {
    meant.add(new Place(document, pointer));
  }

  /** Tells whether a misspelt key was probably to stand here. */
  boolean isMeant(Document document, String pointer) {
    return meant.contains(new Place(document, pointer));
  }

  private void note(Document document, String pointer, String message) {
    found
        .computeIfAbsent(document, key -> new LinkedHashSet<>())
        .add(new Mistake(document.file(), pointer, message));
  }

  /** Returns all mistakes in the order of {@code documents}, and of the places in each. */
  List<Mistake> inOrderOf(List<Document> documents) {
    return documents.stream().flatMap(this::of).toList();
  }

  private Stream<Mistake> of(Document document) {
    Set<Mistake> mistakes = new LinkedHashSet<>(found.getOrDefault(document, Set.of()));
    Set<String> told = new HashSet<>();
    mistakes.forEach(mistake -> told.add(mistake.pointer()));
    for (Mistake fallback : fallbacks.getOrDefault(document, List.of())) {
      if (!told.contains(fallback.pointer())) {
        mistakes.add(fallback);
      }
    }
    return mistakes.stream()
        .sorted(Comparator.comparingInt(mistake -> document.position(mistake.pointer())));
  }
}
