package io.featureduck.error;

import java.util.Locale;

/**
 * The stable names of what can go wrong. A code is the {@code code} of a problem document and the
 * end of its {@code type} ({@code urn:featureduck:<code>}), the error of a run and a metric's tag.
 */
public enum ErrorCode {
  INVALID_REQUEST(400, "Invalid request"),
  UNKNOWN_FEATURE(400, "Unknown feature"),
  UNAUTHENTICATED(401, "Authentication needed"),
  FORBIDDEN(403, "Not allowed"),
  READ_ONLY(403, "This process may only read"),
  UNKNOWN_VIEW(404, "Unknown view"),
  UNKNOWN_ENTITY(404, "Unknown entity"),
  UNKNOWN_SERVICE(404, "Unknown service"),
  UNKNOWN_RUN(404, "Unknown run"),
  UNKNOWN_PATH(404, "Nothing is served here"),
  METHOD_NOT_ALLOWED(405, "Method not allowed"),
  RUN_IN_PROGRESS(409, "A run is in progress"),
  STALE_PLAN(409, "The plan is stale"),
  TOO_MANY_ENTITIES(413, "Too many entities"),
  BODY_TOO_LARGE(413, "Body too large"),
  UNSUPPORTED_MEDIA_TYPE(415, "Unsupported media type"),
  RATE_LIMITED(429, "Too many requests"),
  INTERNAL(500, "Internal error"),
  OVERLOADED(503, "Overloaded"),
  STORE_UNAVAILABLE(503, "The online store is unavailable"),
  STORE_TIMEOUT(504, "The online store did not answer in time"),
  DEADLINE_EXCEEDED(504, "Deadline exceeded"),
  INVALID_CONFIG(500, "The configuration is invalid"),
  SOURCE_UNAVAILABLE(502, "A source is unavailable"),
  SOURCE_SCHEMA(500, "A source's schema does not fit"),
  EXTENSION_MISSING(500, "A DuckDB extension is missing"),
  OUT_OF_MEMORY(500, "Out of memory"),
  VALUE_OUT_OF_RANGE(500, "A value is out of range"),
  LOCKED(409, "Locked by another process"),
  CANCELLED(500, "Cancelled");

  private final int status;
  private final String title;
  private final String id = name().toLowerCase(Locale.ROOT);

  ErrorCode(int status, String title) {
    this.status = status;
    this.title = title;
  }

  /** Returns the HTTP status that goes with this code. */
  public int status() {
    return status;
  }

  /** Returns one line for people; it doesn't change from case to case. */
  public String title() {
    return title;
  }

  /** Returns the code as it is written outside of Java, such as {@code unknown_view}. */
  public String id() {
    return id;
  }
}
