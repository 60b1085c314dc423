package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.internal.buffer.BufferInternal;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is the same for each request: how its body is read, how it is answered, how it fails. */
final class Exchange {
  private static final Logger LOG = LoggerFactory.getLogger(Exchange.class);

  private static final CharSequence JSON = HttpHeaders.createOptimized("application/json");
  private static final CharSequence PROBLEM =
      HttpHeaders.createOptimized("application/problem+json");
  private static final CharSequence X_REQUEST_ID = HttpHeaders.createOptimized("X-Request-Id");
  private static final CharSequence RETRY_AFTER = HttpHeaders.createOptimized("Retry-After");
  private static final CharSequence ONE_SECOND = HttpHeaders.createOptimized("1");
  private static final int REQUEST_ID_LENGTH_MAX = 128;
  private static final int DISCARDED_BYTES_MAX = 16 << 20;

  private Exchange() {}

  /** Answers 200 with JSON, whose array is taken over. */
  static void ok(HttpServerRequest request, byte[] json) {
    answer(request, 200, JSON, json);
  }

  /** Answers 202 with JSON, whose array is taken over. */
  static void accepted(HttpServerRequest request, byte[] json) {
    answer(request, 202, JSON, json);
  }

  /** Answers 204. */
  static void noContent(HttpServerRequest request) {
    HttpServerResponse response = request.response();
    if (response.closed()) {
      return;
    }
    sentRequestId(request).ifPresent(id -> response.putHeader(X_REQUEST_ID, id));
    response
        .setStatusCode(204)
        .end()
        .onFailure(e -> LOG.debug("a client went away before its answer: {}", e.toString()));
  }

  /** Returns who sent a request, for people: where it came from, and its id if it has one. */
  static String client(HttpServerRequest request) {
    return request.remoteAddress().hostAddress()
        + sentRequestId(request).map(id -> ", request " + id).orElse("");
  }

  private static Optional<String> sentRequestId(HttpServerRequest request) {
    return Optional.ofNullable(request.getHeader(X_REQUEST_ID)).filter(Exchange::isRequestId);
  }

  /** Answers 200 with something else, whose array is taken over. */
  static void ok(HttpServerRequest request, CharSequence contentType, byte[] body) {
    answer(request, 200, contentType, body);
  }

  private static void answer(
      HttpServerRequest request, int status, CharSequence contentType, byte[] body) {
    HttpServerResponse response = request.response();
    if (response.closed()) {
      return;
    }
    String id = request.getHeader(X_REQUEST_ID);
    if (id != null && isRequestId(id)) {
      response.putHeader(X_REQUEST_ID, id);
    }
    end(response.setStatusCode(status).putHeader(HttpHeaders.CONTENT_TYPE, contentType), body);
  }

  private static void end(HttpServerResponse response, byte[] body) {
    // Wrapped, not copied: nobody else has the array.
    response
        .end(BufferInternal.buffer(Unpooled.wrappedBuffer(body)))
        .onFailure(e -> LOG.debug("a client went away before its answer: {}", e.toString()));
  }

  /** Answers with the problem document of a failure. */
  static void fail(HttpServerRequest request, Throwable cause) {
    fail(request, cause, Problem.code(cause).status());
  }

  /**
   * Answers 405.
   *
   * @param allow the methods that there are
   */
  static void methodNotAllowed(HttpServerRequest request, String allow) {
    request.response().putHeader(HttpHeaders.ALLOW, allow);
    fail(
        request,
        new FeatureException(
            ErrorCode.METHOD_NOT_ALLOWED,
            "%s is not served here: expected %s".formatted(request.method(), allow)));
  }

  /** Answers with a failure in JSON of the caller's, whose array is taken over. */
  static void fail(HttpServerRequest request, Throwable cause, int status, byte[] json) {
    String id = requestId(request);
    LOG.debug("request {}: {}", id, cause.getMessage(), cause);
    HttpServerResponse response = request.response();
    if (response.closed() || response.headWritten()) {
      return;
    }
    response
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, JSON)
        .putHeader(X_REQUEST_ID, id);
    end(response, json);
  }

  /** Answers with a problem document and a status that is not the one of its code. */
  static void fail(HttpServerRequest request, Throwable cause, int status) {
    String id = requestId(request);
    if (Problem.code(cause) == ErrorCode.INTERNAL) {
      LOG.error("request {} failed: {} {}", id, request.method(), Shown.of(request.uri()), cause);
    } else {
      LOG.debug("request {}: {}", id, cause.getMessage(), cause);
    }
    HttpServerResponse response = request.response();
    if (response.closed() || response.headWritten()) {
      return;
    }
    if (status == 503) {
      response.putHeader(RETRY_AFTER, ONE_SECOND);
    }
    response
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, PROBLEM)
        .putHeader(X_REQUEST_ID, id);
    end(response, Problem.document(cause, status, id));
  }

  private static String requestId(HttpServerRequest request) {
    String sent = request.getHeader(X_REQUEST_ID);
    return sent != null && isRequestId(sent)
        ? sent
        : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
  }

  /** Tells whether an id may be repeated in headers and logs: short, printable ASCII. */
  private static boolean isRequestId(String id) {
    if (id.isEmpty() || id.length() > REQUEST_ID_LENGTH_MAX) {
      return false;
    }
    for (int i = 0; i < id.length(); i++) {
      if (id.charAt(i) <= ' ' || id.charAt(i) > '~') {
        return false;
      }
    }
    return true;
  }

  /**
   * Reads a JSON body.
   *
   * @return its bytes; fails with UNSUPPORTED_MEDIA_TYPE where a content type is given and it is
   *     another one, and with BODY_TOO_LARGE
   */
  static Future<Buffer> jsonBody(HttpServerRequest request, int bytesMax) {
    String contentType = request.getHeader(HttpHeaders.CONTENT_TYPE);
    if (contentType != null && !isJson(contentType)) {
      return Future.failedFuture(
          new FeatureException(
              ErrorCode.UNSUPPORTED_MEDIA_TYPE,
              "the body is %s: expected application/json".formatted(Shown.of(contentType))));
    }
    return body(request, bytesMax);
  }

  /**
   * Reads a body of whatever type.
   *
   * @return its bytes; fails with BODY_TOO_LARGE
   */
  static Future<Buffer> body(HttpServerRequest request, int bytesMax) {
    String length = request.getHeader(HttpHeaders.CONTENT_LENGTH);
    if (length != null && isLonger(length, bytesMax)) {
      discard(request, 0);
      return Future.failedFuture(tooLarge(bytesMax));
    }
    if (request.version() == HttpVersion.HTTP_1_1
        && request.getHeader(HttpHeaders.EXPECT) != null) {
      request
          .response()
          .writeContinue()
          .onFailure(e -> LOG.debug("a client went away before its body: {}", e.toString()));
    }
    Promise<Buffer> read = Promise.promise();
    new BodyReader(request, bytesMax, read).start();
    return read.future();
  }

  private static boolean isJson(String contentType) {
    int semicolon = contentType.indexOf(';');
    String type = (semicolon < 0 ? contentType : contentType.substring(0, semicolon)).strip();
    return type.equalsIgnoreCase("application/json");
  }

  private static boolean isLonger(String length, int bytesMax) {
    // The server refuses what is no number before it comes here.
    return length.length() > 10 || Long.parseLong(length.strip()) > bytesMax;
  }

  private static FeatureException tooLarge(int bytesMax) {
    return new FeatureException(
        ErrorCode.BODY_TOO_LARGE, "the body is longer than %d bytes".formatted(bytesMax));
  }

  /** Lets a client send on for a while, so that it comes to read its answer. */
  private static void discard(HttpServerRequest request, long alreadyRead) {
    long[] bytes = {alreadyRead};
    request.handler(chunk -> {
      bytes[0] += chunk.length();
      if (bytes[0] > DISCARDED_BYTES_MAX) {
        request
            .connection()
            .close()
            .onFailure(e -> LOG.debug("a connection did not close: {}", e.toString()));
      }
    });
  }

  /** Collects the chunks of a body up to a limit: this is a border to a callback API. */
  private static final class BodyReader {
    private final HttpServerRequest request;
    private final int bytesMax;
    private final Promise<Buffer> read;
    private @Nullable Buffer body;

    BodyReader(HttpServerRequest request, int bytesMax, Promise<Buffer> read) {
      this.request = request;
      this.bytesMax = bytesMax;
      this.read = read;
    }

    void start() {
      request
          .exceptionHandler(cause -> read.tryFail(cutOff(cause)))
          .handler(this::chunk)
          .endHandler(nothing -> read.tryComplete(body == null ? Buffer.buffer() : body));
    }

    private static FeatureException cutOff(Throwable cause) {
      return new FeatureException(ErrorCode.INVALID_REQUEST, "the body was cut off", cause);
    }

    private void chunk(Buffer chunk) {
      if (body == null) {
        body = chunk;
      } else {
        body = body.appendBuffer(chunk);
      }
      if (body.length() > bytesMax) {
        discard(request, body.length());
        body = null;
        boolean ignored = read.tryFail(tooLarge(bytesMax));
      }
    }
  }
}
