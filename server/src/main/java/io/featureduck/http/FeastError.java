package io.featureduck.http;

import io.featureduck.json.JsonBytes;
import java.util.List;

/** Failures as Feast's feature server (version 0.67) tells them, so that its clients know them. */
final class FeastError {
  private FeastError() {}

  /**
   * Returns the answer for something that is not there: a JSON string that holds JSON, which names
   * the exception that Feast's client is to raise.
   *
   * @param exception its name in {@code feast.errors}
   */
  static byte[] notFound(Throwable cause, String exception) {
    JsonBytes error = new JsonBytes(256);
    error.raw("{\"module\":\"feast.errors\",\"class\":\"");
    error.raw(exception);
    error.raw("\",\"message\":");
    error.string(String.valueOf(cause.getMessage()));
    error.raw('}');
    JsonBytes out = new JsonBytes(256);
    out.string(error.toArray());
    return out.toArray();
  }

  /** Returns the answer for a body that is malformed, as FastAPI's validation tells it. */
  static byte[] malformed(List<String> place, String message) {
    JsonBytes out = new JsonBytes(256);
    out.raw("{\"detail\":[{\"type\":\"value_error\",\"loc\":[");
    for (int i = 0; i < place.size(); i++) {
      if (i > 0) {
        out.raw(',');
      }
      out.string(place.get(i));
    }
    out.raw("],\"msg\":");
    out.string(message);
    out.raw("}]}");
    return out.toArray();
  }
}
