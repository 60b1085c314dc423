package io.featureduck.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MySqlAddressTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "host=db database=shop|host=db database=shop",
        " HOST=db  db=shop passwd= geheim |host=db database=shop password=geheim",
        "host=db password=\"ge heim\\\"\\\\\" user=x|host=db password=\"ge heim\\\"\\\\\" user=x",
        "host=db password=\"\" user=a\\b|host=db password=\"\" user=\"a\\\\b\"",
        "mysql://u:ge%20heim%2F%40+@db:3307/shop?ssl-mode=required|user=u password=\"ge heim/@+\" host=db port=3307 database=shop ssl_mode=required",
        "mysql://db|host=db",
        "mysql://u@db/|user=u host=db"
      })
  void connectionString_anyForm_isPairs(String written, String pairs) {
    String found = MySqlAddress.parse(written).connectionString();

    assertThat(found).isEqualTo(pairs);
    assertThat(MySqlAddress.parse(found).connectionString()).isEqualTo(pairs);
  }

  @Test
  void parse_parts_areTold() {
    MySqlAddress address = MySqlAddress.parse("host=db database=shop port=65353 password=geheim");

    assertThat(address.host()).contains("db");
    assertThat(address.port()).isEqualTo(65_353);
    assertThat(address.database()).contains("shop");
    assertThat(address.toString()).isEqualTo("db:65353");
    assertThat(MySqlAddress.parse("host=db").port()).isEqualTo(3306);
    assertThat(MySqlAddress.parse("host=db").database()).isEmpty();
    assertThat(MySqlAddress.parse("host=db socket=/run/mysqld.sock").host()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "host=db password=geheim x|expected pairs",
        "host=db password=ge=heim|expected pairs",
        "host=db password='geheim'|expected pairs",
        "host=db password=\"geheim|expected pairs",
        "host=db password=\"ge\\heim\"|expected pairs",
        "host=db pasword=geheim|key 2 is none of host, port, database, user, password, socket, compression, ssl_mode, ssl_ca, ssl_capath, ssl_cert, ssl_cipher, ssl_crl, ssl_crlpath, ssl_key; did you mean 'password'?",
        "host=db password=sehr geheim=x|key 3 is none of",
        "host=db host=geheim|'host' is there twice",
        "host=db db=x database=geheim|'database' is there twice",
        "host=db port=geheim|'port' is no number from 1 to 65353",
        "host=db port=65354|'port' is no number from 1 to 65353",
        "mysql://u:ge/heim@db/shop|expected mysql://user:password@host:3306/database",
        "mysql://u:ge@heim@db/shop|expected mysql://user:password@host:3306/database",
        "mysql://u:geheim%zz@db/shop|a '%' of the address",
        "mysql://u:geheim@db/shop?ssl-mode|expected key=value pairs after '?'",
        "postgresql://u:geheim@db/shop|expected mysql://user:password@host:3306/database"
      })
  void parse_wrong_saysHowWithoutTheValues(String written, String message) {
    assertThatThrownBy(() -> MySqlAddress.parse(written))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(message)
        .hasNoCause()
        .message()
        .doesNotContain("geheim", "heim@", "sehr");
  }
}
