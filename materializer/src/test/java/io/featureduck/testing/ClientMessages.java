package io.featureduck.testing;

import java.io.DataInputStream;
import java.io.IOException;
import java.util.Arrays;

/** Takes apart what a client sends to its database. Of one connection, whose state it follows. */
abstract sealed class ClientMessages permits PostgresMessages, MySqlMessages {
  static ClientMessages of(SourceServer server) {
    return switch (server) {
      case POSTGRES -> new PostgresMessages();
      case MARIADB -> new MySqlMessages();
    };
  }

  /** Reads the next message, the whole of it. */
  abstract byte[] next(DataInputStream in) throws IOException;

  /** Tells whether the message that was read last has the server do something. */
  abstract boolean isWork(byte[] message);

  static byte[] head(DataInputStream in, int length) throws IOException {
    byte[] head = new byte[length];
    in.readFully(head);
    return head;
  }

  /** Reads what follows a message's head. */
  static byte[] whole(DataInputStream in, byte[] head, int bodyLength) throws IOException {
    byte[] message = Arrays.copyOf(head, head.length + bodyLength);
    in.readFully(message, head.length, bodyLength);
    return message;
  }
}
