package com.example.shop;

import jakarta.validation.Valid;
import java.math.BigDecimal;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.io.Resource;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseCookie;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.stereotype.Controller;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.web.bind.annotation.*;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.multipart.MultipartFile;
import org.springframework.web.util.HtmlUtils;

@RestController
@RequestMapping("/api/orders")
class OrderController {
  private static final Logger LOG = LoggerFactory.getLogger(OrderController.class);
  private static final Map<String, String> COLUMNS = Map.of("date", "created_at", "total", "total");

  private final OrderRepository orders;

  OrderController(OrderRepository orders) {
    this.orders = orders;
  }

  @GetMapping
  List<Order> list(@RequestParam(defaultValue = "date") String sort, @RequestParam(defaultValue = "0") int page) {
    return orders.list(COLUMNS.getOrDefault(sort, "created_at"), page);
  }

  @GetMapping("/{id}")
  ResponseEntity<Order> one(@PathVariable UUID id) {
    return orders.find(id).map(ResponseEntity::ok).orElseGet(() -> ResponseEntity.notFound().build());
  }

  @PostMapping
  ResponseEntity<Void> add(@Valid @RequestBody NewOrder order) {
    UUID id = orders.add(order);
    LOG.info("order {} was added", id);
    return ResponseEntity.created(URI.create("/api/orders/" + id)).build();
  }

  @ExceptionHandler(IllegalArgumentException.class)
  ResponseEntity<String> refused(IllegalArgumentException error) {
    LOG.warn("refused", error);
    return ResponseEntity.badRequest().body("the request cannot be understood");
  }
}

@Controller
class PageController {
  private static final Set<String> KINDS = Set.of("image/png", "image/jpeg");
  private static final long LARGEST = 5_000_000;

  private final Pictures pictures;

  PageController(Pictures pictures) {
    this.pictures = pictures;
  }

  @GetMapping(value = "/hello", produces = MediaType.TEXT_HTML_VALUE)
  @ResponseBody
  String hello(@RequestParam String name) {
    return "<p>Hello " + HtmlUtils.htmlEscape(name) + "</p>";
  }

  @PostMapping("/pictures")
  ResponseEntity<String> upload(@RequestParam MultipartFile file) throws Exception {
    if (file.getSize() > LARGEST || !KINDS.contains(file.getContentType())) {
      return ResponseEntity.status(HttpStatus.UNSUPPORTED_MEDIA_TYPE).build();
    }
    return ResponseEntity.ok(pictures.keep(UUID.randomUUID(), file.getInputStream()));
  }

  @GetMapping("/pictures/{id}")
  ResponseEntity<Resource> picture(@PathVariable UUID id) {
    return ResponseEntity.ok().contentType(MediaType.IMAGE_PNG).body(pictures.read(id));
  }

  @PostMapping("/sign-in")
  ResponseEntity<Void> signIn(@RequestParam String user) {
    ResponseCookie cookie =
        ResponseCookie.from("session", UUID.randomUUID().toString()).httpOnly(true).secure(true).sameSite("Lax").path("/").build();
    return ResponseEntity.status(HttpStatus.SEE_OTHER).header("Set-Cookie", cookie.toString()).location(URI.create("/home")).build();
  }
}

@Repository
class OrderRepository {
  private final JdbcTemplate jdbc;

  OrderRepository(JdbcTemplate jdbc) {
    this.jdbc = jdbc;
  }

  List<Order> list(String column, int page) {
    String sql = "created_at".equals(column) ? "SELECT * FROM orders ORDER BY created_at LIMIT 50 OFFSET ?"
        : "SELECT * FROM orders ORDER BY total LIMIT 50 OFFSET ?";
    return jdbc.query(sql, (row, number) -> new Order(row.getObject("id", UUID.class), row.getBigDecimal("total")), page * 50);
  }

  java.util.Optional<Order> find(UUID id) {
    return jdbc.query("SELECT * FROM orders WHERE id = ?",
        (row, number) -> new Order(row.getObject("id", UUID.class), row.getBigDecimal("total")), id).stream().findFirst();
  }

  @Transactional
  public UUID add(NewOrder order) {
    UUID id = UUID.randomUUID();
    jdbc.update("INSERT INTO orders (id, total, note) VALUES (?, ?, ?)", id, order.total(), order.note());
    return id;
  }
}

record Order(UUID id, BigDecimal total) {}

record NewOrder(BigDecimal total, String note) {}

@Configuration
class Security {
  @Bean
  SecurityFilterChain chain(HttpSecurity http) throws Exception {
    http.authorizeHttpRequests(requests ->
        requests.requestMatchers("/hello", "/sign-in").permitAll().anyRequest().authenticated());
    http.csrf(Customizer.withDefaults());
    http.sessionManagement(session -> session.sessionFixation(fixation -> fixation.changeSessionId()));
    return http.build();
  }

  @Bean
  PasswordEncoder encoder() {
    return new BCryptPasswordEncoder(12);
  }

  @Bean
  CorsConfiguration cors() {
    CorsConfiguration configuration = new CorsConfiguration();
    configuration.setAllowedOrigins(List.of("https://shop.example.com"));
    configuration.setAllowedMethods(List.of("GET", "POST"));
    return configuration;
  }
}
