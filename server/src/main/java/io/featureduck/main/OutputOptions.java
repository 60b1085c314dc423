package io.featureduck.main;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Supplier;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** How a command prints its answer. */
final class OutputOptions {
  private static final JsonMapper JSON = new JsonMapper();

  @Option(
      names = "--output",
      paramLabel = "text|json",
      converter = FormatReader.class,
      description = "The form of the answer (default: text).")
  private Format format = Format.TEXT;

  /** Prints the one or the other; JSON is one document. */
  void print(PrintWriter out, Supplier<String> text, Supplier<? extends JsonNode> json) {
    switch (format) {
      case TEXT -> out.println(text.get());
      case JSON ->
          out.println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json.get()));
    }
    out.flush();
  }

  /** Prints text for people before there is an answer; nothing where that is to be JSON. */
  void printAhead(PrintWriter out, Supplier<String> text) {
    switch (format) {
      case TEXT -> out.println(text.get());
      case JSON -> {}
    }
    out.flush();
  }

  /** Tells whether the answer is for people. */
  boolean isText() {
    return format == Format.TEXT;
  }

  private enum Format {
    TEXT,
    JSON
  }

  private static final class FormatReader implements picocli.CommandLine.ITypeConverter<Format> {
    @Override
    public Format convert(String value) {
      for (Format format : Format.values()) {
        if (format.name().toLowerCase(Locale.ROOT).equals(value)) {
          return format;
        }
      }
      throw new picocli.CommandLine.TypeConversionException(
          "'%s' is neither text nor json".formatted(value));
    }
  }
}
