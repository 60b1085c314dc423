package io.featureduck.config;

import java.nio.file.Path;

/**
 * Something wrong in a config file.
 *
 * @param file as it was asked for; an included file relative to what the config was
 * @param pointer the JSON pointer of what is wrong; empty for the file as a whole
 * @param message what was found and what is expected; never a secret
 */
public record Mistake(Path file, String pointer, String message) {
  /** Returns one line: {@code config.json /views/0/source: no source is called 'ordres'}. */
  @Override
  public String toString() {
    return file + (pointer.isEmpty() ? "" : " " + pointer) + ": " + message;
  }
}
