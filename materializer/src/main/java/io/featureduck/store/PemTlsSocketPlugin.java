package io.featureduck.store;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.sql.SQLException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import org.mariadb.jdbc.Configuration;
import org.mariadb.jdbc.client.tls.MariaDbX509KeyManager;
import org.mariadb.jdbc.export.ExceptionFactory;
import org.mariadb.jdbc.plugin.tls.main.DefaultTlsSocketPlugin;

/**
 * Has MariaDB's driver show a client's certificate out of PEM files, as MySQL's own clients do: by
 * itself it reads key stores only. Public for the driver, which makes it by its name. Read anew for
 * each connection, so that certificates may be renewed.
 */
public final class PemTlsSocketPlugin extends DefaultTlsSocketPlugin {
  static final String TYPE = "featureduck-pem";

  /** The driver's options with the files' paths. */
  static final String CERTIFICATE = "featureduckCertificate";

  static final String KEY = "featureduckKey";

  private static final Pattern PEM =
      Pattern.compile("-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\\s]+)-----END");

  /**
   * What stands before an RSA key of its own form (PKCS #1) where keys say of which kind they are.
   */
  private static final byte[] RSA_VERSION_AND_KIND =
      HexFormat.of().parseHex("020100300d06092a864886f70d0101010500");

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public KeyManager[] getKeyManager(Configuration configuration, ExceptionFactory failures)
      throws SQLException {
    Properties own = configuration.nonMappedOptions();
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      char[] none = {};
      store.setKeyEntry(
          "client",
          key(Path.of(own.getProperty(KEY))),
          none,
          certificates(Path.of(own.getProperty(CERTIFICATE))));
      return new KeyManager[] {new MariaDbX509KeyManager(store, none)};
    } catch (IOException | GeneralSecurityException e) {
      throw failures.create(
          "the files of ssl-cert and ssl-key can't be used: " + e.getMessage(), "28000", e);
    }
  }

  private static Certificate[] certificates(Path file)
      throws IOException, GeneralSecurityException {
    try (InputStream in = Files.newInputStream(file)) {
      return CertificateFactory.getInstance("X.509")
          .generateCertificates(in)
          .toArray(Certificate[]::new);
    }
  }

  private static PrivateKey key(Path file) throws IOException, GeneralSecurityException {
    Matcher pem = PEM.matcher(Files.readString(file, US_ASCII));
    if (!pem.find()) {
      throw new GeneralSecurityException(
          "expected a key as PEM, without a passphrase, in the file of ssl-key");
    }
    byte[] bytes = Base64.getMimeDecoder().decode(pem.group(2));
    if (pem.group(1).startsWith("RSA")) {
      bytes = wrapped(bytes);
    }
    PKCS8EncodedKeySpec key = new PKCS8EncodedKeySpec(bytes);
    return Stream.of("RSA", "EC", "EdDSA")
        .flatMap(algorithm -> keyOf(algorithm, key).stream())
        .findFirst()
        .orElseThrow(() ->
            new GeneralSecurityException(
                "expected a key of RSA, EC or EdDSA in the file of ssl-key"));
  }

  private static Optional<PrivateKey> keyOf(String algorithm, PKCS8EncodedKeySpec key) {
    try {
      return Optional.of(KeyFactory.getInstance(algorithm).generatePrivate(key));
    } catch (GeneralSecurityException e) {
      // It is one of another kind.
      return Optional.empty();
    }
  }

  private static byte[] wrapped(byte[] rsaKey) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    content.writeBytes(RSA_VERSION_AND_KIND);
    put(content, 0x04, rsaKey);
    ByteArrayOutputStream sequence = new ByteArrayOutputStream();
    put(sequence, 0x30, content.toByteArray());
    return sequence.toByteArray();
  }

  /** Writes something as DER does; it has 256 to 65,535 bytes, as keys do. */
  private static void put(ByteArrayOutputStream to, int tag, byte[] content) {
    to.write(tag);
    to.write(0x82);
    to.write(content.length >> 8);
    to.write(content.length);
    to.writeBytes(content);
  }
}
