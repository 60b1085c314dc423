package io.featureduck.main;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.Encoder;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the log to standard error: as text where the launcher found a terminal there, else as JSON
 * lines. Set up in code, so that no file on some class path changes it.
 */
final class Logging {
  /** The launcher's word on what standard error is: {@code text} or absent. */
  private static final String FORMAT = "featureduck.log";

  private static final String TEXT = "%d{HH:mm:ss} %-5level %logger{0} - %msg%n";

  private Logging() {}

  /**
   * @param ours from which level on our own log is written; that of libraries starts at WARN
   */
  static void start(Level ours) {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    context.reset();
    ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
    appender.setContext(context);
    appender.setName("standard error");
    appender.setTarget("System.err");
    appender.setEncoder(encoder(context));
    appender.start();
    context.getLogger(Logger.ROOT_LOGGER_NAME).addAppender(appender);
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
    context.getLogger("io.featureduck").setLevel(ours);
    // Vert.x registers one of its gauges twice.
    context.getLogger("io.micrometer").setLevel(Level.ERROR);
    // Its warnings tell how it found out which Linux this is.
    context.getLogger("io.zonky").setLevel(Level.ERROR);
  }

  /** Tells whether standard error is a terminal. */
  static boolean isOnTerminal() {
    return "text".equals(System.getProperty(FORMAT));
  }

  private static Encoder<ILoggingEvent> encoder(LoggerContext context) {
    if (isOnTerminal()) {
      PatternLayoutEncoder text = new PatternLayoutEncoder();
      text.setContext(context);
      text.setCharset(StandardCharsets.UTF_8);
      text.setPattern(TEXT);
      text.start();
      return text;
    }
    JsonLines layout = new JsonLines();
    layout.setContext(context);
    layout.start();
    LayoutWrappingEncoder<ILoggingEvent> json = new LayoutWrappingEncoder<>();
    json.setContext(context);
    json.setCharset(StandardCharsets.UTF_8);
    json.setLayout(layout);
    json.start();
    return json;
  }
}
