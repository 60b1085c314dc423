package io.featureduck.sample;

import java.nio.file.Path;
import java.time.LocalDate;

/** A process that opens the sample store in a directory, says so, and never closes it. */
final class OpenStore {
  private OpenStore() {}

  public static void main(String[] arguments) throws Exception {
    SampleStore store = SampleStore.open(Path.of(arguments[0]), LocalDate.parse(arguments[1]));
    System.out.println(store.environment().isEmpty() ? "empty" : "opened");
    Thread.currentThread().join();
  }
}
