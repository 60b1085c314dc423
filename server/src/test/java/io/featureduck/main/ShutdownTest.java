package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ShutdownTest {
  private static final int SECONDS = 10;

  private final List<String> closed = Collections.synchronizedList(new ArrayList<>());
  private final Shutdown shutdown = new Shutdown();

  @Test
  void close_severalAdded_closesTheLastFirstAndEachOnce() {
    AutoCloseable database = shutdown.add(() -> closed.add("database"));
    AutoCloseable server = shutdown.add(() -> closed.add("server"));

    shutdown.close();
    shutdown.close();

    assertThat(closed).containsExactly("server", "database");
    assertThat(server).isNotSameAs(database);
  }

  @Test
  void close_whileSomethingIsOpened_waitsForItAndClosesIt() throws Exception {
    CountDownLatch opening = new CountDownLatch(1);
    CountDownLatch mayOpen = new CountDownLatch(1);
    CompletableFuture<AutoCloseable> opened =
        CompletableFuture.supplyAsync(() -> openAfter(opening, mayOpen), ShutdownTest::onOwnThread);
    assertThat(opening.await(SECONDS, TimeUnit.SECONDS)).isTrue();

    CompletableFuture<Void> end =
        CompletableFuture.runAsync(shutdown::close, ShutdownTest::onOwnThread);
    assertThat(shutdown.awaitBegin(SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(end).isNotDone();
    mayOpen.countDown();

    end.get(SECONDS, TimeUnit.SECONDS);
    assertThat(opened.get(SECONDS, TimeUnit.SECONDS)).isNotNull();
    assertThat(closed).containsExactly("database");
  }

  /** The common pool may have one thread only. */
  private static void onOwnThread(Runnable task) {
    Thread ignored = Thread.ofPlatform().daemon().start(task);
  }

  private AutoCloseable openAfter(CountDownLatch opening, CountDownLatch mayOpen) {
    try {
      return shutdown.open(() -> {
        opening.countDown();
        try {
          assertThat(mayOpen.await(SECONDS, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
        return () -> closed.add("database");
      });
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
