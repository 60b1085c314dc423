package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.FeatureException;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestStore;
import io.featureduck.testing.TestStore.Form;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MySqlTlsTest {
  /**
   * Length of what stands before an RSA key of 3,072 bits where keys say of which kind they are.
   */
  private static final int KIND_BYTES = 26;

  private static TestStore store;

  @TempDir private Path folder;

  @BeforeAll
  static void makeStore() throws SQLException {
    store = Form.MYSQL_TYPED.create();
    store.execute(
        "CREATE OR REPLACE USER known@'%%' IDENTIFIED BY '%s' REQUIRE X509; GRANT ALL ON %s.* TO known@'%%'"
            .formatted(TestMariaDb.PASSWORD, store.name()));
  }

  private static OnlineStoreSettings settings(String user, String parameters) {
    OnlineStoreSettings own = store.settingsOf(user);
    return new OnlineStoreSettings(
        own.type(),
        own.url() + parameters,
        own.password(),
        own.schema(),
        own.timeout(),
        own.connectionsPerLoop(),
        own.queriesPerLoop(),
        own.keysPerQuery(),
        own.waitingKeysPerLoop());
  }

  private static String cipher(OnlineStoreSettings settings) throws SQLException {
    try (Connection connection = new MySqlDatabase(settings).open();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SHOW STATUS LIKE 'Ssl_cipher'")) {
      assertThat(rows.next()).isTrue();
      return rows.getString(2);
    }
  }

  @ParameterizedTest
  @CsvSource({"disabled, false", "required, true", "verify_ca, true", "verify-identity, true"})
  void open_sslMode_isWhatTheConnectionHas(String mode, boolean encrypted) throws SQLException {
    String authority =
        mode.startsWith("verify") ? "&ssl-ca=" + TestMariaDb.certificate().file() : "";

    String cipher = cipher(settings("duck", "?ssl-mode=" + mode + authority));

    assertThat(!cipher.isEmpty()).isEqualTo(encrypted);
  }

  @Test
  void migrate_verified_takesTheDatabaseForTheSchema() {
    OnlineStore online =
        OnlineStore.open(
            settings("duck", "?ssl-mode=verify_ca&ssl-ca=" + TestMariaDb.certificate().file()));

    online.migrate();

    assertThat(online.place()).endsWith("/%s, schema %s".formatted(store.name(), store.name()));
    assertThat(online.liveViews()).isEmpty();
  }

  @Test
  void open_authorityThatIsNoFile_isRefused() {
    assertThatThrownBy(() ->
            cipher(settings("duck", "?ssl-mode=verify_ca&ssl-ca=" + folder.resolve("none.pem"))))
        .isInstanceOf(SQLException.class);
  }

  @Test
  void open_serverThatWantsToKnowItsClients_isShownTheCertificate()
      throws SQLException, IOException {
    Path certificate = TestMariaDb.certificate().file();
    Path key = TestMariaDb.certificate().keyFile();

    assertThat(
            cipher(
                settings(
                    "known",
                    "?ssl-mode=required&ssl-cert=%s&ssl-key=%s".formatted(certificate, key))))
        .isNotEmpty();
    assertThat(
            cipher(
                settings(
                    "known",
                    "?ssl-mode=verify_ca&ssl-ca=%s&ssl-cert=%s&ssl-key=%s"
                        .formatted(certificate, certificate, rsaForm(key)))))
        .isNotEmpty();
    assertThatThrownBy(() -> cipher(settings("known", "?ssl-mode=required")))
        .isInstanceOf(SQLException.class);
  }

  /** Returns the file of the same key as MySQL's own tools write it. */
  private Path rsaForm(Path key) throws IOException {
    String text = Files.readString(key).replaceAll("-----[^-]+-----", "");
    byte[] bytes = Base64.getMimeDecoder().decode(text);
    String bare =
        Base64.getMimeEncoder().encodeToString(Arrays.copyOfRange(bytes, KIND_BYTES, bytes.length));
    return Files.writeString(
        folder.resolve("rsa.pem"),
        "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\n".formatted(bare));
  }

  @Test
  void open_keyFileWithoutKey_saysSo() {
    Path certificate = TestMariaDb.certificate().file();

    assertThatThrownBy(() ->
            OnlineStore.open(
                    settings(
                        "duck",
                        "?ssl-mode=required&ssl-cert=%s&ssl-key=%s"
                            .formatted(certificate, certificate)))
                .migrate())
        .isInstanceOf(FeatureException.class)
        .hasRootCauseMessage("expected a key as PEM, without a passphrase, in the file of ssl-key");
  }
}
