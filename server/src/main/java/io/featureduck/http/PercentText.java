package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Percent-encoded text of a request's target, as RFC 3986 has it: a plus is a plus. */
final class PercentText {
  private PercentText() {}

  /**
   * Decodes a part of a target as UTF-8.
   *
   * @throws FeatureException INVALID_REQUEST where an escape is broken or the bytes are no UTF-8
   */
  static String decode(String target, int from, int to) {
    for (int i = from; i < to; i++) {
      char c = target.charAt(i);
      if (c == '%' || c >= 0x80) {
        return decodeBytes(target, from, to);
      }
    }
    return target.substring(from, to);
  }

  private static String decodeBytes(String target, int from, int to) {
    byte[] bytes = new byte[to - from];
    int size = 0;
    for (int i = from; i < to; i++) {
      char c = target.charAt(i);
      if (c == '%') {
        int high = hexDigit(target, i + 1, to);
        int low = hexDigit(target, i + 2, to);
        if (high < 0 || low < 0) {
          throw new FeatureException(
              ErrorCode.INVALID_REQUEST,
              "character %d of the target: %% is not followed by two hexadecimal digits"
                  .formatted(i + 1));
        }
        bytes[size++] = (byte) ((high << 4) | low);
        i += 2;
      } else {
        // The server reads the request line as Latin-1, so each character is one byte as sent.
        bytes[size++] = (byte) c;
      }
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, size)).toString();
    } catch (CharacterCodingException e) {
      throw new FeatureException(
          ErrorCode.INVALID_REQUEST, "the target is not percent-encoded UTF-8", e);
    }
  }

  private static int hexDigit(String target, int at, int to) {
    // Character.digit knows other scripts' digits, too.
    return at < to && target.charAt(at) < 0x80 ? Character.digit(target.charAt(at), 16) : -1;
  }
}
