package io.featureduck.main;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * What a command writes to, and whom it may ask.
 *
 * @param out the answer alone
 * @param err what people want to know besides
 * @param answers lines that a person types; empty where nobody sits there
 */
record Console(PrintWriter out, PrintWriter err, Optional<BufferedReader> answers) {
  Console(PrintWriter out, PrintWriter err) {
    this(out, err, Optional.empty());
  }

  /** Returns the process's own streams, in UTF-8 whatever the locale is. */
  static Console ofProcess() {
    return new Console(writer(FileDescriptor.out), writer(FileDescriptor.err), terminal());
  }

  private static Optional<BufferedReader> terminal() {
    // Java can't tell a terminal from a pipe; the launcher can.
    return Boolean.getBoolean("featureduck.asks")
        ? Optional.of(
            new BufferedReader(
                new InputStreamReader(
                    new FileInputStream(FileDescriptor.in), StandardCharsets.UTF_8)))
        : Optional.empty();
  }

  private static PrintWriter writer(FileDescriptor descriptor) {
    return new PrintWriter(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }
}
