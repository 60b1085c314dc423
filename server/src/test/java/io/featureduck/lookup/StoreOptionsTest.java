package io.featureduck.lookup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.vertx.core.net.ClientSSLOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.mysqlclient.MySQLConnectOptions;
import io.vertx.mysqlclient.SslMode;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StoreOptionsTest {
  private static MySQLConnectOptions mySql(String url) {
    return StoreOptions.mySql(
        new OnlineStoreSettings(
            OnlineStoreSettings.Type.MYSQL,
            url,
            Optional.of(new Secret("p@ss/wörd")),
            "shop",
            Duration.ofSeconds(1),
            1,
            2,
            128,
            10_000),
        "featureduck");
  }

  @ParameterizedTest
  @CsvSource({
    "mysql://duck@db:3307/shop, duck, db, 3307, shop",
    "mysql://duck@db/shop, duck, db, 3306, shop",
    "mysql://d%2Bu%40ck@my_db.internal/my%20shop, d+u@ck, my_db.internal, 3306, my shop",
    "mysql://a+b@[::1]:3306/shop, a+b, ::1, 3306, shop"
  })
  void mySql_address_isTakenApart(String url, String user, String host, int port, String database) {
    MySQLConnectOptions options = mySql(url);

    assertThat(options.getUser()).isEqualTo(user);
    assertThat(options.getHost()).isEqualTo(host);
    assertThat(options.getPort()).isEqualTo(port);
    assertThat(options.getDatabase()).isEqualTo(database);
    assertThat(options.getPassword()).isEqualTo("p@ss/wörd");
    assertThat(options.getSslMode()).isEqualTo(SslMode.DISABLED);
    assertThat(options.getProperties()).containsEntry("program_name", "featureduck");
    // More than one leaves the others waiting where a connection is lost.
    assertThat(options.getPipeliningLimit()).isEqualTo(1);
  }

  @Test
  void mySql_sslModeRequired_encryptsWithoutVerifying() {
    MySQLConnectOptions options = mySql("mysql://duck@db/shop?ssl-mode=REQUIRED");

    assertThat(options.getSslMode()).isEqualTo(SslMode.REQUIRED);
    assertThat(options.getSslOptions().isTrustAll()).isTrue();
  }

  @Test
  void mySql_sslModeVerify_trustsTheAuthorityAlone() {
    ClientSSLOptions authority =
        mySql("mysql://duck@db/shop?ssl-mode=verify_ca&ssl-ca=/etc/my%20ca.pem").getSslOptions();
    assertThat(authority.isTrustAll()).isFalse();
    assertThat(authority.getHostnameVerificationAlgorithm()).isEmpty();
    assertThat(((PemTrustOptions) authority.getTrustOptions()).getCertPaths())
        .containsExactly("/etc/my ca.pem");

    ClientSSLOptions identity =
        mySql(
                "mysql://duck@db/shop?ssl_mode=verify-identity&ssl_ca=ca.pem&ssl_cert=c.pem&ssl_key=k.pem")
            .getSslOptions();
    assertThat(identity.getHostnameVerificationAlgorithm()).isEqualTo("HTTPS");
    assertThat(((PemKeyCertOptions) identity.getKeyCertOptions()).getKeyPaths())
        .containsExactly("k.pem");
  }

  @Test
  void mySql_whatCannotBeMeant_isRefused() {
    assertThatThrownBy(() -> mySql("mysql://duck@db/shop?ssl-mode=secret"))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG);
              assertThat(e)
                  .hasMessage(
                      "online_store.url: expected an 'ssl-mode' of disabled, required, verify_ca or verify_identity");
            });
  }
}
