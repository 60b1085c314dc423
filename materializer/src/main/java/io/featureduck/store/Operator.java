package io.featureduck.store;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** Who works with a store, as people know each other. */
public final class Operator {
  private Operator() {}

  /** Returns the user of the operating system that this process runs as, with its machine. */
  public static String ofProcess() {
    String user = System.getProperty("user.name");
    try {
      return user + "@" + InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      // A machine need not know its own name.
      return user + "@localhost";
    }
  }
}
