package com.example.store;

import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps documents: on disk, with their owners in a database. */
public final class Store implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Store.class);
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Duration WAIT = Duration.ofSeconds(10);
  private static final int ROUNDS = 600_000;

  private final DataSource source;
  private final Path folder;
  private final Map<Long, Document> known = new ConcurrentHashMap<>();
  private final ExecutorService workers;
  private final HttpClient client = HttpClient.newBuilder().connectTimeout(WAIT).build();

  public Store(DataSource source, Path folder, ExecutorService workers) {
    this.source = source;
    this.folder = folder.toAbsolutePath().normalize();
    this.workers = workers;
  }

  public List<Document> ofOwner(String owner, int limit) throws SQLException {
    String sql = "SELECT id, name, size FROM documents WHERE owner = ? ORDER BY name LIMIT ?";
    try (Connection connection = source.getConnection();
        PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setString(1, owner);
      statement.setInt(2, limit);
      try (ResultSet rows = statement.executeQuery()) {
        List<Document> found = new ArrayList<>();
        while (rows.next()) {
          found.add(new Document(rows.getLong("id"), rows.getString("name"), rows.getLong("size")));
        }
        return found;
      }
    }
  }

  public Optional<Document> byId(long id) {
    return Optional.ofNullable(known.get(id));
  }

  public String read(String name) throws IOException {
    Path path = folder.resolve(name).normalize();
    if (!path.startsWith(folder)) {
      throw new IllegalArgumentException("outside of the folder");
    }
    return Files.readString(path, StandardCharsets.UTF_8);
  }

  public long lines(Path path) {
    try (BufferedReader reader = Files.newBufferedReader(path, StandardCharsets.UTF_8)) {
      return reader.lines().filter(line -> !line.isBlank()).count();
    } catch (IOException error) {
      throw new UncheckedIOException("cannot read the document", error);
    }
  }

  public byte[] seal(SecretKey key, byte[] text) throws GeneralSecurityException {
    byte[] nonce = new byte[12];
    RANDOM.nextBytes(nonce);
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(128, nonce));
    byte[] sealed = cipher.doFinal(text);
    byte[] all = new byte[nonce.length + sealed.length];
    System.arraycopy(nonce, 0, all, 0, nonce.length);
    System.arraycopy(sealed, 0, all, nonce.length, sealed.length);
    return all;
  }

  public String hash(char[] password) throws GeneralSecurityException {
    byte[] salt = new byte[16];
    RANDOM.nextBytes(salt);
    PBEKeySpec specification = new PBEKeySpec(password, salt, ROUNDS, 256);
    SecretKeyFactory factory = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256");
    byte[] hash = factory.generateSecret(specification).getEncoded();
    Base64.Encoder encoder = Base64.getEncoder();
    return encoder.encodeToString(salt) + ":" + encoder.encodeToString(hash);
  }

  public boolean signed(SecretKey key, byte[] message, byte[] signature) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(key);
    return MessageDigest.isEqual(mac.doFinal(message), signature);
  }

  public String status(String service) throws IOException, InterruptedException {
    URI address = URI.create("https://status.example.com/services/" + service);
    HttpRequest request = HttpRequest.newBuilder(address).timeout(WAIT).GET().build();
    HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException("status " + answer.statusCode());
    }
    return answer.body();
  }

  public void importAll(List<Document> documents) throws SQLException {
    try (Connection connection = source.getConnection();
        PreparedStatement statement =
            connection.prepareStatement("INSERT INTO documents (id, name, size) VALUES (?, ?, ?)")) {
      connection.setAutoCommit(false);
      for (Document document : documents) {
        statement.setLong(1, document.id());
        statement.setString(2, document.name());
        statement.setLong(3, document.size());
        statement.addBatch();
      }
      statement.executeBatch();
      connection.commit();
    }
    documents.forEach(document -> known.put(document.id(), document));
    LOG.info("imported {} documents", documents.size());
  }

  public String summary() {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<Long, Document> entry : known.entrySet()) {
      text.append(entry.getKey()).append(": ").append(entry.getValue().name()).append('\n');
    }
    return text.toString();
  }

  @Override
  public void close() {
    workers.shutdown();
    try {
      if (!workers.awaitTermination(30, TimeUnit.SECONDS)) {
        LOG.warn("work is left undone");
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  /** One document. */
  public record Document(long id, String name, long size) implements Comparable<Document> {
    @Override
    public int compareTo(Document other) {
      return Long.compare(size, other.size);
    }
  }
}
