package io.featureduck.main;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.LayoutBase;
import java.time.Instant;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a log event as one line of JSON: {@code ts, level, logger, msg}, then {@code request_id,
 * run_id, view} where the code that logs has set them (in the MDC), and {@code error} with the
 * stack where there is an exception.
 */
final class JsonLines extends LayoutBase<ILoggingEvent> {
  private static final JsonMapper JSON = new JsonMapper();
  private static final List<String> CONTEXT = List.of("request_id", "run_id", "view");

  @Override
  public String doLayout(ILoggingEvent event) {
    ObjectNode line = JSON.createObjectNode();
    line.put("ts", Instant.ofEpochMilli(event.getTimeStamp()).toString());
    line.put("level", event.getLevel().toString());
    line.put("logger", event.getLoggerName());
    line.put("msg", event.getFormattedMessage());
    for (String key : CONTEXT) {
      String value = event.getMDCPropertyMap().get(key);
      if (value != null) {
        line.put(key, value);
      }
    }
    IThrowableProxy thrown = event.getThrowableProxy();
    if (thrown != null) {
      line.put("error", ThrowableProxyUtil.asString(thrown));
    }
    return JSON.writeValueAsString(line) + "\n";
  }
}
