package io.featureduck.loadtest;

import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.util.concurrent.TimeUnit;

/**
 * A Vert.x server that does nothing but send a constant body, after reading the whole request: the
 * most that a server of this kind can answer on this machine.
 */
final class BareServer extends VerticleBase {
  private static final CharSequence JSON = HttpHeaders.createOptimized("application/json");

  private final int port;
  private final Buffer body;
  private final CharSequence length;

  private BareServer(int port, int bytes) {
    this.port = port;
    this.body = Buffer.buffer("x".repeat(bytes));
    this.length = HttpHeaders.createOptimized(Integer.toString(bytes));
  }

  /** Takes the port and the body's length in bytes; ends when its standard input does. */
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    int bytes = Integer.parseInt(arguments[1]);
    Vertx vertx = Vertx.vertx(new VertxOptions().setPreferNativeTransport(true));
    String ignored =
        vertx
            .deployVerticle(
                () -> new BareServer(port, bytes),
                new DeploymentOptions().setInstances(Runtime.getRuntime().availableProcessors()))
            .await(30, TimeUnit.SECONDS);
    System.out.println("ready");
    while (System.in.read() >= 0) {
      // Whoever started this holds the other end.
    }
    vertx.close().await(30, TimeUnit.SECONDS);
  }

  @Override
  public Future<HttpServer> start() {
    return vertx.createHttpServer().requestHandler(this::answer).listen(port, "127.0.0.1");
  }

  private void answer(HttpServerRequest request) {
    if (HttpMethod.GET.equals(request.method())) {
      send(request);
    } else {
      request.body().onSuccess(read -> send(request));
    }
  }

  private void send(HttpServerRequest request) {
    request
        .response()
        .putHeader(HttpHeaders.CONTENT_TYPE, JSON)
        .putHeader(HttpHeaders.CONTENT_LENGTH, length)
        .end(body);
  }
}
