package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.json.JsonBytes;

/** Writes failures as problem documents (RFC 9457). */
final class Problem {
  private Problem() {}

  /** Returns the document; what is no FeatureException is a bug, of which it says nothing. */
  static byte[] document(Throwable cause, int status, String requestId) {
    JsonBytes out = new JsonBytes(256);
    ErrorCode code = code(cause);
    out.raw("{\"type\":");
    out.string("urn:featureduck:" + code.id());
    out.raw(",\"title\":");
    out.string(code.title());
    out.raw(",\"status\":");
    out.number(status);
    out.raw(",\"detail\":");
    out.string(detail(cause));
    out.raw(",\"code\":");
    out.string(code.id());
    if (cause instanceof FeatureException known && known.pointer().isPresent()) {
      out.raw(",\"pointer\":");
      out.string(known.pointer().get());
    }
    out.raw(",\"request_id\":");
    out.string(requestId);
    out.raw('}');
    return out.toArray();
  }

  static ErrorCode code(Throwable cause) {
    return cause instanceof FeatureException known ? known.code() : ErrorCode.INTERNAL;
  }

  static String detail(Throwable cause) {
    return cause instanceof FeatureException known && known.getMessage() != null
        ? known.getMessage()
        : "something went wrong here; the log has it under the request's id";
  }
}
