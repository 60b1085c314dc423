package io.featureduck.store;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** Who works with a store, as people know each other. */
public final class Operator {
  private Operator() {}

  /** Returns the user of the operating system that this process runs as, with its machine. */
  public static String ofProcess() {
    return System.getProperty("user.name") + "@" + machine();
  }

  /** Returns the name of this machine, which may take a look-up. */
  public static String machine() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      // A machine need not know its own name.
      return "localhost";
    }
  }
}
