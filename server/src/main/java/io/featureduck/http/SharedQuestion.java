package io.featureduck.http;

import io.vertx.core.Future;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A question of the store that is asked once at a time: whoever asks while it is under way gets the
 * same answer, so that a burst of requests takes one connection. Confined to one event loop.
 */
final class SharedQuestion<T> {
  private final Supplier<Future<T>> ask;
  private @Nullable Future<T> underWay;

  SharedQuestion(Supplier<Future<T>> ask) {
    this.ask = ask;
  }

  Future<T> answer() {
    Future<T> known = underWay;
    if (known == null || known.isComplete()) {
      known = ask.get();
      underWay = known;
    }
    return known;
  }
}
