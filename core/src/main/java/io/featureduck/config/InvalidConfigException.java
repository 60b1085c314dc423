package io.featureduck.config;

import static java.util.stream.Collectors.joining;

import java.util.List;
import java.util.Objects;

/** A config that can't be used. The message has all its mistakes, one a line. */
public final class InvalidConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  // A mistake has a Path, which isn't serializable; the message holds it all.
  private final transient List<Mistake> mistakes;

  InvalidConfigException(List<Mistake> mistakes) {
    super(mistakes.stream().map(Mistake::toString).collect(joining("\n")));
    this.mistakes = List.copyOf(mistakes);
  }

  @Override
  public String getMessage() {
    // Never null here, unlike in other exceptions.
    return Objects.requireNonNull(super.getMessage());
  }

  /** Returns the mistakes, at least one, by file and in the order of the file. */
  public List<Mistake> mistakes() {
    return mistakes;
  }
}
