package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.type.FeatureType.Primitive;
import java.util.List;

/** The entity that a path names. */
final class EntityPath {
  /** A whole number of so many digits is an INT64 whatever they are. */
  private static final int SURE_DIGITS = 18;

  private EntityPath() {}

  /**
   * Returns the canonical key of an entity.
   *
   * @param text the decoded segment: the value, or of several join keys the encoded key
   * @throws FeatureException UNKNOWN_ENTITY where the text can't be a value of its join key
   */
  static String key(List<JoinKey> joinKeys, String text) {
    // Hot path: most keys are plain numbers, which are canonical as they are.
    if (joinKeys.size() == 1
        && joinKeys.getFirst().type() == Primitive.INT64
        && isPlainNumber(text)) {
      return text;
    }
    try {
      return EntityKey.canonical(joinKeys, text);
    } catch (EntityKeyException e) {
      throw new FeatureException(ErrorCode.UNKNOWN_ENTITY, String.valueOf(e.getMessage()), e);
    }
  }

  private static boolean isPlainNumber(String text) {
    int length = text.length();
    if (length == 0 || length > SURE_DIGITS || (text.charAt(0) == '0' && length > 1)) {
      return false;
    }
    for (int i = 0; i < length; i++) {
      if (text.charAt(i) < '0' || text.charAt(i) > '9') {
        return false;
      }
    }
    return true;
  }
}
