package io.featureduck.engine;

import io.featureduck.definition.MaterializerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.Cancellation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives out DuckDB sessions: no two at once share a database, and nothing that a run made, attached
 * or broke is left for the next one. Threads, memory and the spill directory are set; runs at once
 * share the memory evenly.
 */
public final class DuckDb implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DuckDb.class);

  private static final Pattern MEMORY =
      Pattern.compile("\\s*(\\d+(?:\\.\\d+)?)\\s*([KMGT]i?)?B?\\s*", Pattern.CASE_INSENSITIVE);

  private final MaterializerSettings settings;
  private final Extensions extensions;
  private final Path spill;
  private final AtomicLong started = new AtomicLong();
  private final BlockingQueue<DuckDbInstance> idle;
  private final Reachability reachability = new Reachability();
  private volatile boolean closed;

  public DuckDb(MaterializerSettings settings, Extensions extensions) {
    this.settings = settings;
    this.extensions = extensions;
    this.spill = settings.stateDirectory().resolve("spill");
    this.idle = new ArrayBlockingQueue<>(Math.max(1, settings.concurrentRuns()));
  }

  /**
   * Opens a session; instants are UTC in it.
   *
   * @param cancellation interrupts whatever the session is doing
   */
  public DuckDbSession open(Cancellation cancellation) {
    DuckDbInstance instance = take();
    try {
      return new DuckDbSession(instance, this::giveBack, extensions, reachability, cancellation);
    } catch (SQLException e) {
      instance.close();
      throw new FeatureException(ErrorCode.INTERNAL, "DuckDB doesn't start", e);
    }
  }

  private DuckDbInstance take() {
    DuckDbInstance known = idle.poll();
    if (known != null) {
      return known;
    }
    Path folder = spill.resolve(ProcessHandle.current().pid() + "-" + started.incrementAndGet());
    try {
      removeLeftBehind();
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "materializer.state_directory: %s can't be made".formatted(folder),
          e);
    }
    try {
      return DuckDbInstance.start(settings.threads(), memoryPerRun(), folder);
    } catch (SQLException e) {
      delete(folder);
      throw new FeatureException(ErrorCode.INTERNAL, "DuckDB doesn't start", e);
    }
  }

  private void giveBack(DuckDbInstance instance) {
    if (closed || !idle.offer(instance)) {
      instance.close();
    } else if (closed) {
      close();
    }
  }

  /** Closes what no session uses; what one does is closed with it. */
  @Override
  public void close() {
    closed = true;
    for (DuckDbInstance left = idle.poll(); left != null; left = idle.poll()) {
      left.close();
    }
  }

  private String memoryPerRun() {
    Matcher limit = MEMORY.matcher(settings.memoryLimit());
    if (!limit.matches()) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "materializer.memory_limit '%s': write a size such as 2GB"
              .formatted(settings.memoryLimit()));
    }
    double share = Double.parseDouble(limit.group(1)) / Math.max(1, settings.concurrentRuns());
    String unit = Optional.ofNullable(limit.group(2)).orElse("");
    return String.format(Locale.ROOT, "%.3f%sB", share, unit);
  }

  /** Removes what processes that are gone have spilled. */
  private void removeLeftBehind() throws IOException {
    if (!Files.isDirectory(spill)) {
      return;
    }
    List<Path> folders;
    try (Stream<Path> files = Files.list(spill)) {
      folders = files.toList();
    }
    for (Path folder : folders) {
      String name = folder.getFileName().toString();
      int dash = name.indexOf('-');
      if (dash > 0 && name.substring(0, dash).chars().allMatch(c -> c >= '0' && c <= '9')) {
        long pid = Long.parseLong(name.substring(0, dash));
        if (ProcessHandle.of(pid).isEmpty()) {
          delete(folder);
        }
      }
    }
  }

  static void delete(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        boolean ignored = Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      // The next process tries again.
      LOG.warn("spilled rows in {} can't be removed", folder, e);
    }
  }

  /** Returns {@code text} as a literal. */
  public static String literal(String text) {
    return "'" + text.replace("'", "''") + "'";
  }

  /** Returns {@code name} as an identifier. */
  public static String identifier(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }
}
