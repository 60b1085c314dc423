package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;

/** The tables of the online store, over the connections of one event loop; confined to it. */
public final class StoreTables {
  private final OnlineStoreSettings settings;
  private final List<StoreConnection> connections = new ArrayList<>();
  private int next;

  public StoreTables(Vertx vertx, OnlineStoreSettings settings) {
    this.settings = settings;
    for (int i = 0; i < settings.connectionsPerLoop(); i++) {
      connections.add(new StoreConnection(vertx, settings));
    }
  }

  /** Returns the table of a view; views are spread over the connections. */
  public FeatureTable table(ServedView view) {
    StoreConnection connection = connections.get(next);
    next = (next + 1) % connections.size();
    return switch (settings.type()) {
      case POSTGRES ->
          new PostgresFeatureTable(
              connection, settings.schema(), view.definition(), settings.timeout());
      case MYSQL ->
          new MySqlFeatureTable(
              connection, view.definition(), settings.timeout(), settings.keysPerQuery());
    };
  }

  public Future<Void> close() {
    return Future.all(connections.stream().map(StoreConnection::close).toList()).mapEmpty();
  }
}
