package io.featureduck.config;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/** Finds the files that a config includes. */
final class Includes {
  private static final String GLOB = "*?[{";

  private final Node main;

  Includes(Node main) {
    this.main = main;
  }

  /**
   * Returns the files that the patterns match, each pattern's by name, each file once and without
   * {@code file} itself, which includes them. A pattern without a file is a mistake.
   */
  List<Path> files(Path file) {
    Set<Path> files = new LinkedHashSet<>();
    for (Node pattern : main.items("include")) {
      Optional<String> text = pattern.identifier();
      if (text.isEmpty()) {
        continue;
      }
      List<Path> matches = new ArrayList<>();
      try {
        matches.addAll(matches(file, Path.of(text.get()).normalize()));
      } catch (IOException | UncheckedIOException e) {
        pattern.mistake("the files of %s can't be listed".formatted(pattern.shown()));
        continue;
      } catch (InvalidPathException | PatternSyntaxException e) {
        pattern.mistake("%s is no pattern of file names".formatted(pattern.shown()));
        continue;
      }
      matches.remove(file);
      if (matches.isEmpty()) {
        pattern.mistake("no file matches %s".formatted(pattern.shown()));
      }
      files.addAll(matches);
    }
    return List.copyOf(files);
  }

  /** Returns the files of a pattern; only its part from the first glob on is matched as one. */
  private static List<Path> matches(Path file, Path pattern) throws IOException {
    int plain = 0;
    while (plain < pattern.getNameCount() && !isGlob(pattern.getName(plain).toString())) {
      plain++;
    }
    if (plain == pattern.getNameCount()) {
      Path named = file.resolveSibling(pattern);
      return Files.isRegularFile(named) ? List.of(named) : List.of();
    }
    Path prefix = plain == 0 ? Path.of("") : pattern.subpath(0, plain);
    Path start = file.resolveSibling(pattern.isAbsolute() ? Path.of("/").resolve(prefix) : prefix);
    if (!Files.isDirectory(start)) {
      return List.of();
    }
    String glob = pattern.subpath(plain, pattern.getNameCount()).toString();
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + glob);
    int depth = glob.contains("**") ? Integer.MAX_VALUE : pattern.getNameCount() - plain;
    try (Stream<Path> walk = Files.walk(start, depth, FileVisitOption.FOLLOW_LINKS)) {
      return walk.filter(path -> matcher.matches(start.relativize(path)))
          .filter(Files::isRegularFile)
          .sorted()
          .toList();
    }
  }

  private static boolean isGlob(String text) {
    return text.chars().anyMatch(c -> GLOB.indexOf(c) >= 0);
  }
}
