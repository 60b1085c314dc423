package io.featureduck.engine;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Tells by DuckDB's words, for it gives no code, whether a source is away for a while: not
 * reachable, restarting, crowded, or its server gave up one of two transactions. What isn't known
 * to pass is taken not to: a wrong password doesn't get right by being tried again.
 */
final class PassingFailure {
  private static final Pattern ONE =
      Pattern.compile(
          List.of(
                  // The sockets' words, through libpq, the MySQL client or curl.
                  "connection refused",
                  "connection reset",
                  "connection timed out",
                  "no route to host",
                  "network is unreachable",
                  "could not translate host name",
                  "could not resolve host",
                  "unknown (mysql )?server host",
                  "broken pipe",
                  "timeout expired",
                  "timeout was reached",
                  // What OpenSSL says of a connection that is gone.
                  "unexpected eof while reading",
                  // Postgres.
                  "server closed the connection",
                  "no connection to the server",
                  "could not receive data from server",
                  "could not send data to server",
                  "ssl syscall error",
                  "terminating connection due to",
                  "the database system is (starting up|shutting down|not yet accepting|in recovery)",
                  "the database system is not accepting connections",
                  "too many clients already",
                  "too many connections",
                  "remaining connection slots are reserved",
                  "deadlock detected",
                  "could not serialize access",
                  "canceling statement due to conflict with recovery",
                  "canceling statement due to lock timeout",
                  // MySQL and MariaDB.
                  "can't connect to (local )?(mysql |mariadb )?server",
                  "lost connection to (mysql |mariadb )?server",
                  "server has gone away",
                  // The extension doesn't say why. No server lacks utf8mb4, so it went away.
                  "failed to set mysql character set",
                  // Nor does it where the rows of a scan break off: mostly, the server is gone.
                  "failed to fetch result row for mysql query \"(?s:.*)\":$",
                  "server shutdown in progress",
                  "connection was killed",
                  "deadlock found",
                  "lock wait timeout exceeded",
                  // Object stores.
                  "http (code )?(429|500|502|503|504)",
                  "slowdown",
                  "connection error for http")
              .stream()
              .collect(Collectors.joining("|")),
          Pattern.CASE_INSENSITIVE);

  private PassingFailure() {}

  static boolean isOne(String message) {
    return ONE.matcher(message).find();
  }
}
