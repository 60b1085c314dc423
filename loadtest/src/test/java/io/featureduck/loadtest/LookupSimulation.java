package io.featureduck.loadtest;

import static io.gatling.javaapi.core.CoreDsl.StringBody;
import static io.gatling.javaapi.core.CoreDsl.constantUsersPerSec;
import static io.gatling.javaapi.core.CoreDsl.global;
import static io.gatling.javaapi.core.CoreDsl.jsonPath;
import static io.gatling.javaapi.core.CoreDsl.rampUsersPerSec;
import static io.gatling.javaapi.core.CoreDsl.scenario;
import static io.gatling.javaapi.http.HttpDsl.http;
import static io.gatling.javaapi.http.HttpDsl.status;

import io.gatling.javaapi.core.ScenarioBuilder;
import io.gatling.javaapi.core.Simulation;
import io.gatling.javaapi.http.HttpProtocolBuilder;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Lookups of the sample store as they come in production: users arrive at a rate of their own
 * whether or not the server keeps up (an open model, so that queueing is not hidden), nine of ten
 * ask for one customer, the tenth for a batch of 100.
 *
 * <p>{@code -Dfeatureduck.url=…} names the server, {@code -Dfeatureduck.rate=…} the arrivals a
 * second, {@code -Dfeatureduck.seconds=…} how long they come.
 */
public final class LookupSimulation extends Simulation {
  private static final int CUSTOMERS = 23_570;
  private static final String URL = System.getProperty("featureduck.url", "http://127.0.0.1:8080");
  private static final int RATE = Integer.getInteger("featureduck.rate", 200);
  private static final int SECONDS = Integer.getInteger("featureduck.seconds", 30);

  private final SplittableRandom random = new SplittableRandom(42);

  private final HttpProtocolBuilder protocol =
      http.baseUrl(URL).acceptHeader("application/json").shareConnections();

  private final ScenarioBuilder single =
      scenario("one customer")
          .feed(feeder(() -> Map.of("customer", customer())))
          .exec(
              http("GET user_features")
                  .get("/features/user_features/#{customer}")
                  .check(status().is(200), jsonPath("$.status").is("found")));

  private final ScenarioBuilder batch =
      scenario("100 customers")
          .feed(feeder(() -> Map.of("entities", customers(100))))
          .exec(
              http("POST user_activity")
                  .post("/features/user_activity/batch")
                  .header("Content-Type", "application/json")
                  .body(StringBody("{\"entities\": [#{entities}]}"))
                  .check(status().is(200), jsonPath("$.results[99].status").is("found")));

  public LookupSimulation() {
    Duration ramp = Duration.ofSeconds(Math.max(1, SECONDS / 6));
    Duration steady = Duration.ofSeconds(SECONDS);
    setUp(
            single.injectOpen(
                rampUsersPerSec(1).to(0.9 * RATE).during(ramp),
                constantUsersPerSec(0.9 * RATE).during(steady)),
            batch.injectOpen(
                rampUsersPerSec(1).to(0.1 * RATE).during(ramp),
                constantUsersPerSec(0.1 * RATE).during(steady)))
        .protocols(protocol)
        .assertions(global().failedRequests().count().is(0L));
  }

  private String customer() {
    return Integer.toString(random.nextInt(1, CUSTOMERS + 1));
  }

  private String customers(int count) {
    return IntStream.range(0, count)
        .mapToObj(unused -> '"' + customer() + '"')
        .collect(Collectors.joining(","));
  }

  private static Iterator<Map<String, Object>> feeder(
      java.util.function.Supplier<Map<String, Object>> next) {
    return Stream.generate(next).iterator();
  }
}
