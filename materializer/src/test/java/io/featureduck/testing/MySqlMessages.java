package io.featureduck.testing;

import java.io.DataInputStream;
import java.io.IOException;
import java.util.Set;

/**
 * MySQL's protocol: three bytes of length, the lowest first, a sequence number, content. Once the
 * client asked for TLS there are TLS's own records instead, one or more to a message: their content
 * can't be read, but each can be cut. A client that wants compression has to have it within TLS.
 */
final class MySqlMessages extends ClientMessages {
  private static final int HEAD_LENGTH = 4;

  /** The content of a login that only asks for TLS ends where the user's name would follow. */
  private static final int TLS_REQUEST_LENGTH = 32;

  /** In the first two bytes of a login's content. */
  private static final int CLIENT_COMPRESS = 0x20;

  private static final int CLIENT_SSL = 0x800;
  private static final int TLS_APPLICATION_DATA = 23;

  /** COM_INIT_DB, COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE, COM_STMT_FETCH. */
  private static final Set<Byte> WORK =
      Set.of((byte) 0x02, (byte) 0x03, (byte) 0x16, (byte) 0x17, (byte) 0x1C);

  private boolean begun;
  private boolean encrypted;

  @Override
  byte[] next(DataInputStream in) throws IOException {
    if (encrypted) {
      byte[] head = head(in, 5);
      return whole(in, head, unsigned(head, 3) << 8 | unsigned(head, 4));
    }
    byte[] head = head(in, HEAD_LENGTH);
    int length = unsigned(head, 0) | unsigned(head, 1) << 8 | unsigned(head, 2) << 16;
    byte[] message = whole(in, head, length);
    if (!begun) {
      begun = true;
      int wanted = unsigned(message, HEAD_LENGTH) | unsigned(message, HEAD_LENGTH + 1) << 8;
      encrypted = length == TLS_REQUEST_LENGTH && (wanted & CLIENT_SSL) != 0;
      if (!encrypted && (wanted & CLIENT_COMPRESS) != 0) {
        throw new IllegalStateException("compressed messages can't be read");
      }
    }
    return message;
  }

  @Override
  boolean isWork(byte[] message) {
    if (encrypted) {
      return message[0] == TLS_APPLICATION_DATA;
    }
    // A command begins a sequence; what doesn't is part of a login, which is work as well.
    return message[3] != 0 || WORK.contains(message[HEAD_LENGTH]);
  }

  private static int unsigned(byte[] bytes, int index) {
    return bytes[index] & 0xFF;
  }
}
