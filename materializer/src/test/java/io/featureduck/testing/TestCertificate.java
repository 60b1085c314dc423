package io.featureduck.testing;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;

/**
 * PEM files of a certificate for 127.0.0.1, which is signed by itself, and of its key.
 *
 * @param file of the certificate
 */
public record TestCertificate(Path file, Path keyFile) {
  private static final String PASSWORD = "geheim";

  /** Makes one; the files are left for as long as the machine keeps such. */
  static TestCertificate make() {
    try {
      Path folder = Files.createTempDirectory("featureduck-certificate");
      Path store = folder.resolve("store.p12");
      Process keytool =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                      "-genkeypair",
                      "-alias",
                      "test",
                      "-keyalg",
                      "RSA",
                      "-dname",
                      "CN=test",
                      "-ext",
                      "san=ip:127.0.0.1",
                      "-keystore",
                      store.toString(),
                      "-storetype",
                      "PKCS12",
                      "-storepass",
                      PASSWORD))
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("log").toFile())
              .start();
      if (keytool.waitFor() != 0) {
        throw new IllegalStateException(Files.readString(folder.resolve("log")));
      }
      KeyStore made = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        made.load(in, PASSWORD.toCharArray());
      }
      return new TestCertificate(
          write(
              folder.resolve("cert.pem"), "CERTIFICATE", made.getCertificate("test").getEncoded()),
          write(
              folder.resolve("key.pem"),
              "PRIVATE KEY",
              made.getKey("test", PASSWORD.toCharArray()).getEncoded()));
    } catch (IOException | GeneralSecurityException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path write(Path file, String kind, byte[] content) throws IOException {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
    return Files.writeString(
        file,
        "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(kind, text, kind),
        StandardCharsets.US_ASCII);
  }
}
