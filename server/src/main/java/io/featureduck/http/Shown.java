package io.featureduck.http;

/** What a client sent, cut to a length that suits a message. */
final class Shown {
  private static final int LENGTH_MAX = 80;

  private Shown() {}

  static String of(String sent) {
    return sent.length() <= LENGTH_MAX ? sent : sent.substring(0, LENGTH_MAX) + "…";
  }
}
