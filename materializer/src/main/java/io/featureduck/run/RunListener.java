package io.featureduck.run;

import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;

/** Hears of runs as they go, on the run's own thread or the materializer's timer. */
public interface RunListener {
  /** A run began, went on, or ended. */
  void onRun(RunEvent event);

  /** A run was committed. */
  void onChange(ChangeEvent event);
}
