package io.featureduck.feast;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Array;
import io.featureduck.type.FeatureType.Primitive;
import java.util.Optional;

/** Feast's types, by the names of its {@code ValueType}, as ours. */
final class FeastTypes {
  private static final String LIST = "_LIST";

  private FeastTypes() {}

  /** Tells whether the type is the column's own: Feast doesn't say, or says too little. */
  static boolean isOfColumn(String type) {
    return type.equals("UNKNOWN") || type.equals("DECIMAL");
  }

  /** Returns the type of a feature; empty for maps, structs, sets and lists of lists. */
  static Optional<FeatureType> feature(String type) {
    return type.endsWith(LIST)
        ? primitive(type.substring(0, type.length() - LIST.length())).map(Array::new)
        : primitive(type);
  }

  /** Returns the type of a join key; empty where no join key may be of it. */
  static Optional<FeatureType> joinKey(String type) {
    return primitive(type).filter(JoinKey::isKeyType);
  }

  private static Optional<FeatureType> primitive(String type) {
    return switch (type) {
      case "BOOL" -> Optional.of(Primitive.BOOL);
      case "INT32" -> Optional.of(Primitive.INT32);
      case "INT64" -> Optional.of(Primitive.INT64);
      case "FLOAT" -> Optional.of(Primitive.FLOAT32);
      case "DOUBLE" -> Optional.of(Primitive.FLOAT64);
      case "STRING", "UUID", "TIME_UUID" -> Optional.of(Primitive.STRING);
      case "BYTES", "PDF_BYTES", "IMAGE_BYTES" -> Optional.of(Primitive.BYTES);
      case "UNIX_TIMESTAMP" -> Optional.of(Primitive.TIMESTAMP);
      case "JSON" -> Optional.of(Primitive.JSON);
      default -> Optional.empty();
    };
  }
}
