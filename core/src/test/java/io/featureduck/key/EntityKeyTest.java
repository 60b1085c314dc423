package io.featureduck.key;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigInteger;
import java.time.LocalDate;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class EntityKeyTest {
  private static final List<JoinKey> PAIR =
      List.of(new JoinKey("a", Primitive.INT64), new JoinKey("b", Primitive.STRING));

  static List<EntityKeyVectors.Vector> vectors() throws Exception {
    return EntityKeyVectors.read();
  }

  @ParameterizedTest
  @MethodSource("vectors")
  void encode_vector_givesItsKey(EntityKeyVectors.Vector vector) {
    assertThat(EntityKey.encode(vector.keys(), vector.values())).isEqualTo(vector.key());
  }

  @ParameterizedTest
  @MethodSource("vectors")
  void canonical_vector_isTheKeyItself(EntityKeyVectors.Vector vector) {
    String asked = vector.keys().size() == 1 ? vector.values().getFirst() : vector.key();

    assertThat(EntityKey.canonical(vector.keys(), asked)).isEqualTo(vector.key());
  }

  @Test
  void of_numberAndItsText_areOneKey() {
    for (Object value : new Object[] {42, 42L, BigInteger.valueOf(42), "42", "0042"}) {
      assertThat(EntityKey.of(keys(Primitive.INT64), value)).isEqualTo("42");
    }
    assertThat(EntityKey.of(keys(Primitive.INT64), "-0")).isEqualTo("0");
    assertThat(EntityKey.of(keys(Primitive.STRING), 42L)).isEqualTo("42");
    assertThat(EntityKey.of(keys(Primitive.STRING), "0042")).isEqualTo("0042");
    assertThat(EntityKey.of(keys(Primitive.BOOL), true)).isEqualTo("true");
    assertThat(EntityKey.of(keys(Primitive.DATE), LocalDate.of(2024, 1, 2)))
        .isEqualTo("2024-01-02");
  }

  @ParameterizedTest
  @CsvSource({
    "INT64, 9223372036854775808, an INT64",
    "INT64, -9223372036854775809, an INT64",
    "INT32, 2147483648, an INT32",
    "INT64, 4.0, an INT64",
    "INT64, +4, an INT64",
    "INT64, '', an INT64",
    "INT64, -, an INT64",
    "INT64, ٤٢, an INT64",
    "INT64, ' 42', an INT64",
    "BOOL, TRUE, a BOOL",
    "BOOL, 1, a BOOL",
    "DATE, 2024-02-30, a DATE",
    "DATE, 2024-2-3, a DATE",
    "DATE, 0000-01-01, a DATE",
    "DATE, +12345-01-01, a DATE"
  })
  void of_textOfAnotherType_isRefused(Primitive type, String text, String expected) {
    assertThatThrownBy(() -> EntityKey.of(keys(type), text))
        .isInstanceOf(EntityKeyException.class)
        .hasMessageContaining("k is " + expected);
  }

  @Test
  void of_valueOfAnotherType_isRefused() {
    refused(Primitive.INT64, 4.5);
    refused(Primitive.INT64, true);
    refused(Primitive.STRING, true);
    refused(Primitive.STRING, 4.5);
    refused(Primitive.BOOL, 1L);
    refused(Primitive.DATE, 20240101L);
    refused(Primitive.STRING, null);
    refused(Primitive.STRING, "a\0b");
    refused(Primitive.STRING, "\ud83d");
  }

  @Test
  void encode_tooLong_isRefused() {
    String longest = "é".repeat(EntityKey.BYTES_MAX / 2);

    assertThat(EntityKey.of(keys(Primitive.STRING), longest)).isEqualTo(longest);
    assertThatThrownBy(() -> EntityKey.of(keys(Primitive.STRING), longest + "x"))
        .hasMessageContaining("2049 bytes");
  }

  @Test
  void canonical_wrongParts_namesTheKeys() {
    assertThatThrownBy(() -> EntityKey.canonical(PAIR, "1"))
        .isInstanceOf(EntityKeyException.class)
        .hasMessage("expected a|b, joined by |: found 1 value");
    assertThatThrownBy(() -> EntityKey.canonical(PAIR, "1|2|3")).hasMessageContaining("3 values");
    assertThatThrownBy(() -> EntityKey.canonical(PAIR, "1|a\\b"))
        .hasMessageContaining("backslash at character 4");
    assertThat(EntityKey.canonical(PAIR, "007|x")).isEqualTo("7|x");
  }

  private static void refused(Primitive type, @Nullable Object value) {
    assertThatThrownBy(() -> EntityKey.of(keys(type), value))
        .isInstanceOf(EntityKeyException.class);
  }

  private static List<JoinKey> keys(Primitive type) {
    return List.of(new JoinKey("k", type));
  }
}
