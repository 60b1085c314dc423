package io.featureduck.main;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/**
 * What a command writes to.
 *
 * @param out the answer alone
 * @param err what people want to know besides
 */
record Console(PrintWriter out, PrintWriter err) {
  /** Returns the process's own streams, in UTF-8 whatever the locale is. */
  static Console ofProcess() {
    return new Console(writer(FileDescriptor.out), writer(FileDescriptor.err));
  }

  private static PrintWriter writer(FileDescriptor descriptor) {
    return new PrintWriter(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }
}
