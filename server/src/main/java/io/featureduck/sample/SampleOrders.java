package io.featureduck.sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The orders of the sample store, in the order of their ids: 69,659 purchases of 23,570 customers
 * of the CD retailer CDNOW, 1997-01-01 to 1998-06-30.
 */
public final class SampleOrders {
  /** The last day that has orders. */
  public static final LocalDate LAST_DAY = LocalDate.of(1998, 6, 30);

  /** How many there are; their ids are 1 to this. */
  public static final int COUNT = 69_659;

  private static final String HEADER = "order_id,customer_id,order_date,quantity,amount";

  private SampleOrders() {}

  /**
   * An order.
   *
   * @param amount in dollars, two digits after the point
   */
  public record Order(
      long orderId, long customerId, LocalDate date, int quantity, BigDecimal amount) {}

  /** Reads all orders, moved on by whole days so that the last day with orders is {@code last}. */
  public static List<Order> endingOn(LocalDate last) {
    long days = ChronoUnit.DAYS.between(LAST_DAY, last);
    List<Order> orders = new ArrayList<>();
    try (InputStream resource = SampleOrders.class.getResourceAsStream("cdnow_orders.csv");
        BufferedReader reader =
            new BufferedReader(
                new InputStreamReader(
                    Objects.requireNonNull(resource, "cdnow_orders.csv is not in the jar"),
                    StandardCharsets.UTF_8))) {
      String header = reader.readLine();
      if (!HEADER.equals(header)) {
        throw new IllegalStateException("cdnow_orders.csv begins with %s".formatted(header));
      }
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        orders.add(parse(line, days));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException("cdnow_orders.csv can't be read", e);
    }
    return List.copyOf(orders);
  }

  private static Order parse(String line, long days) {
    String[] fields = line.split(",", -1);
    return new Order(
        Long.parseLong(fields[0]),
        Long.parseLong(fields[1]),
        LocalDate.parse(fields[2]).plusDays(days),
        Integer.parseInt(fields[3]),
        new BigDecimal(fields[4]));
  }
}
