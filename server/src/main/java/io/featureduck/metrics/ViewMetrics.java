package io.featureduck.metrics;

import java.util.concurrent.atomic.LongAdder;

/** What is counted about the lookups of one version of a view. May be used from any thread. */
public final class ViewMetrics {
  final LongAdder found = new LongAdder();
  final LongAdder notFound = new LongAdder();
  final LongAdder expired = new LongAdder();
  final LongAdder errors = new LongAdder();
  final Histogram seconds = Histogram.ofRequests();

  public void found() {
    found.increment();
  }

  public void notFound() {
    notFound.increment();
  }

  public void expired() {
    expired.increment();
  }

  public void error() {
    errors.increment();
  }

  /** Records how long a request took that looked up entities of the view. */
  public void took(long nanos) {
    seconds.record(nanos);
  }
}
