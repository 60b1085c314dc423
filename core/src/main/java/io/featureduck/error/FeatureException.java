package io.featureduck.error;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A failure that has a name. Its message says what was found, what was expected and where, in words
 * that may be shown to a client; the cause, for the log, may hold a library's own words.
 */
public final class FeatureException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;
  private final @Nullable String pointer;
  private final boolean passing;

  public FeatureException(ErrorCode code, String message) {
    this(code, message, null, null);
  }

  public FeatureException(ErrorCode code, String message, @Nullable Throwable cause) {
    this(code, message, null, cause);
  }

  /**
   * @param pointer the JSON pointer of what is wrong in a request or a file, or null
   */
  public FeatureException(
      ErrorCode code, String message, @Nullable String pointer, @Nullable Throwable cause) {
    this(code, message, pointer, cause, false);
  }

  private FeatureException(
      ErrorCode code,
      String message,
      @Nullable String pointer,
      @Nullable Throwable cause,
      boolean passing) {
    super(message, cause);
    this.code = code;
    this.pointer = pointer;
    this.passing = passing;
  }

  /**
   * Returns a failure that may be over when the same is tried again: something was away, restarting
   * or crowded.
   */
  public static FeatureException passing(
      ErrorCode code, String message, @Nullable Throwable cause) {
    return new FeatureException(code, message, null, cause, true);
  }

  /** Returns this failure under another code and with other words, for those who know more. */
  public FeatureException retold(ErrorCode otherCode, String otherMessage) {
    return new FeatureException(otherCode, otherMessage, pointer, getCause(), passing);
  }

  @Override
  public String getMessage() {
    // Never null here, unlike in other exceptions.
    return Objects.requireNonNull(super.getMessage());
  }

  public ErrorCode code() {
    return code;
  }

  /** Tells whether it may be over when the same is tried again. */
  public boolean mayPass() {
    return passing;
  }

  /** Returns the JSON pointer of what is wrong, such as {@code /entities/3}, if there is one. */
  public Optional<String> pointer() {
    return Optional.ofNullable(pointer);
  }
}
