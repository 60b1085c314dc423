package io.featureduck.config;

import com.cronutils.model.CronType;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.parser.CronParser;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Checks cron schedules of five fields, as Unix has them. */
final class CronText {
  private static final List<String> FIELDS =
      List.of(
          "a minute (0-59)",
          "an hour (0-23)",
          "a day of month (1-31)",
          "a month (1-12)",
          "a day of week (0-7)");
  private static final int LENGTH_MAX = 200;

  private final CronParser parser =
      new CronParser(CronDefinitionBuilder.instanceDefinitionFor(CronType.UNIX));

  /** Returns what is wrong with a schedule; empty where nothing is. */
  Optional<String> mistake(String text) {
    List<String> fields = Arrays.asList(text.strip().split("\\s+"));
    if (fields.size() != FIELDS.size() || text.length() > LENGTH_MAX) {
      return Optional.of(
          "expected five fields (minute, hour, day of month, month, day of week), found "
              + (text.isBlank() ? 0 : fields.size()));
    }
    for (int i = 0; i < fields.size(); i++) {
      // One field at a time, the others being *, so that the message can name it.
      String[] alone = {"*", "*", "*", "*", "*"};
      alone[i] = fields.get(i);
      if (!isRead(String.join(" ", alone))) {
        return Optional.of(
            "expected %s, found %s".formatted(FIELDS.get(i), Node.quoted(fields.get(i))));
      }
    }
    return isRead(text.strip()) ? Optional.empty() : Optional.of("these fields don't go together");
  }

  private boolean isRead(String text) {
    try {
      return parser.parse(text).validate() != null;
    } catch (RuntimeException refused) {
      // Mostly IllegalArgumentException, but its regular expressions let other failures through.
      return false;
    }
  }
}
