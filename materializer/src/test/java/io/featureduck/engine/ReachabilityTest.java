package io.featureduck.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Servers that greet, and servers that don't, which DuckDB's extension would wait for for ever. */
final class ReachabilityTest {
  private static final String HOST = "127.0.0.1";

  private final Reachability reachability = new Reachability(Duration.ofMillis(300));

  private static ServerSocket listen() throws IOException {
    return new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
  }

  @Test
  void check_serverThatNeverGreets_givesUp() throws Exception {
    try (ServerSocket silent = listen()) {
      assertThatThrownBy(() -> reachability.check(HOST, silent.getLocalPort()))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE))
          .hasMessageContaining("127.0.0.1:" + silent.getLocalPort() + " did not answer within");
    }
  }

  @Test
  void check_nobodyListens_saysSo() throws Exception {
    int port;
    try (ServerSocket closed = listen()) {
      port = closed.getLocalPort();
    }

    assertThatThrownBy(() -> reachability.check(HOST, port))
        .hasMessageContaining("127.0.0.1:" + port + " can't be reached");
  }

  @Test
  void check_serverThatHangsUp_saysSo() throws Exception {
    try (ServerSocket server = listen()) {
      CompletableFuture<Void> accepted = CompletableFuture.runAsync(() -> accept(server, false));

      assertThatThrownBy(() -> reachability.check(HOST, server.getLocalPort()))
          .hasMessageContaining("closed the connection without a greeting");
      assertThat(accepted.join()).isNull();
    }
  }

  @Test
  void check_serverThatRefusedUs_isNotTriedAgainBeforeItAcceptsUs() throws Exception {
    int port;
    try (ServerSocket server = listen()) {
      port = server.getLocalPort();
      CompletableFuture<Void> accepted = CompletableFuture.runAsync(() -> accept(server, true));
      reachability.check(HOST, port);
      assertThat(accepted.join()).isNull();
    }

    // Nobody listens any more, which would be found out by trying.
    reachability.noteRefused(HOST, port);
    assertThatCode(() -> reachability.check(HOST, port)).doesNotThrowAnyException();
    reachability.noteAccepted(HOST, port);
    assertThatThrownBy(() -> reachability.check(HOST, port))
        .hasMessageContaining("can't be reached");
  }

  private static void accept(ServerSocket server, boolean greets) {
    try (Socket socket = server.accept()) {
      if (greets) {
        socket.getOutputStream().write(1);
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
