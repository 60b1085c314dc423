package io.featureduck.feast;

/**
 * Something of a Feast repository that the config has not, or has otherwise.
 *
 * @param kind such as {@code feature view}
 * @param name in Feast; of a feature {@code <view>:<feature>}
 * @param reason why, without a full stop
 * @param hint what can be done about it; may be empty
 */
public record Finding(String kind, String name, String reason, String hint) {
  /** Returns one line for people. */
  @Override
  public String toString() {
    return "%s '%s': %s%s".formatted(kind, name, reason, hint.isEmpty() ? "" : "; " + hint);
  }
}
