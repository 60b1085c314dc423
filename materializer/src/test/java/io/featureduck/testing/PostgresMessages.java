package io.featureduck.testing;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Postgres' protocol: type, length, content; until the session has begun, without a type. */
final class PostgresMessages extends ClientMessages {
  private static final int SSL_REQUEST = 80_877_103;
  private static final int GSS_REQUEST = 80_877_104;

  /** Query, Execute, CopyData, CopyDone. */
  private static final String WORK = "QEdc";

  private boolean begun;

  @Override
  byte[] next(DataInputStream in) throws IOException {
    if (begun) {
      byte[] head = head(in, 5);
      return whole(in, head, ByteBuffer.wrap(head).getInt(1) - 4);
    }
    byte[] head = head(in, 8);
    int code = ByteBuffer.wrap(head).getInt(4);
    begun = code != SSL_REQUEST && code != GSS_REQUEST;
    return whole(in, head, ByteBuffer.wrap(head).getInt(0) - 8);
  }

  @Override
  boolean isWork(byte[] message) {
    // A message without a type begins with the first byte of its length, 0.
    return WORK.indexOf(message[0]) >= 0;
  }
}
