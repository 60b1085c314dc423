package io.featureduck.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.MySqlStoreAddress.ClientIdentity;
import io.featureduck.definition.MySqlStoreAddress.Tls;
import io.featureduck.definition.MySqlStoreAddress.TlsMode;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MySqlStoreAddressTest {
  @ParameterizedTest
  @CsvSource({
    "mysql://duck@db:3307/shop, duck, db, 3307, shop, db:3307",
    "mysql://db/shop, root, db, 3306, shop, db:3306",
    "mysql://d%2Bu%40ck@my_db.internal/my%20shop, d+u@ck, my_db.internal, 3306, my shop, my_db.internal:3306",
    "mysql://a+b@[::1]:3306/shop, a+b, ::1, 3306, shop, [::1]:3306",
    "mysql://db/shop?ssl-mode=verify_ca&ssl-ca=/etc/ssl/ca.pem, root, db, 3306, shop, db:3306"
  })
  void parse_address_isTakenApart(
      String text, String user, String host, int port, String database, String hostAndPort) {
    MySqlStoreAddress address = MySqlStoreAddress.parse(text);

    assertThat(address.user()).isEqualTo(user);
    assertThat(address.host()).isEqualTo(host);
    assertThat(address.port()).isEqualTo(port);
    assertThat(address.database()).isEqualTo(database);
    assertThat(address.hostAndPort()).isEqualTo(hostAndPort);
  }

  @Test
  void parse_parameters_sayHowItIsProtected() {
    assertThat(MySqlStoreAddress.parse("mysql://db/shop").tls())
        .isEqualTo(new Tls(TlsMode.DISABLED, Optional.empty(), Optional.empty()));
    assertThat(MySqlStoreAddress.parse("mysql://db/shop?ssl-mode=REQUIRED").tls().mode())
        .isEqualTo(TlsMode.REQUIRED);
    assertThat(
            MySqlStoreAddress.parse(
                    "mysql://db/shop?ssl_mode=verify-identity&ssl_ca=/etc/my%20ca.pem&ssl_cert=c.pem&ssl_key=k.pem")
                .tls())
        .isEqualTo(
            new Tls(
                TlsMode.VERIFY_IDENTITY,
                Optional.of("/etc/my ca.pem"),
                Optional.of(new ClientIdentity("c.pem", "k.pem"))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "mysql://duck@db; expected mysql://user@host:3306/database",
        "postgresql://duck@db/shop; expected mysql://user@host:3306/database",
        "mysql://duck:secret@db/shop; it holds a password: put it into online_store.password",
        "mysql://duck@db:65536/shop; expected mysql://user@host:3306/database",
        "mysql://duck@secret,db/shop; expected mysql://user@host:3306/database",
        "mysql://duck@db/shop?sslmode=required; a parameter is none of ssl-mode=…, ssl-ca=…, ssl-cert=…, ssl-key=…; did you mean 'ssl-mode'?",
        "mysql://duck@db/shop?ssl-mode; a parameter is none of",
        "mysql://duck@db/shop?secret; a parameter is none of",
        "mysql://duck@db/shop?useCompression=secret; a parameter is none of",
        "mysql://duck@db/shop?ssl-mode=secret; expected an 'ssl-mode' of",
        "mysql://duck@db/shop?ssl-mode=preferred; expected an 'ssl-mode' of",
        "mysql://duck@db/shop?ssl-mode=required&ssl_mode=required; 'ssl-mode' is there twice",
        "mysql://duck@db/shop?ssl-mode=verify_ca; its 'ssl-mode' needs an 'ssl-ca'",
        "mysql://duck@db/shop?ssl-ca=secret; it names certificates but no 'ssl-mode'",
        "mysql://duck@db/shop?ssl-mode=required&ssl-key=secret; of 'ssl-cert' and 'ssl-key' one is",
        "mysql://duck@db/sh%op; a '%' begins no percent-encoded character",
        "mysql://duck@db/secret%3Fx; a database with '?' or '/'"
      })
  void parse_whatCannotBeMeant_isRefusedWithoutRepeatingIt(String text, String message) {
    assertThatThrownBy(() -> MySqlStoreAddress.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(message)
        .hasNoCause()
        .message()
        .doesNotContain("secret");
  }
}
