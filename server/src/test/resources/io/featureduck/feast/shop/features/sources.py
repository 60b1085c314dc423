from datetime import timedelta

from feast import FileSource, KafkaSource, PushSource, RequestSource, SnowflakeSource
from feast.data_format import JsonFormat
from feast.field import Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource
from feast.types import Float64

orders = FileSource(path="data/orders.parquet", timestamp_field="ordered_at", created_timestamp_column="created")
visits = FileSource(
    name="Visits (per product)",
    path="data/visits",
    timestamp_field="at",
    field_mapping={"n": "visitCount", "last_seen": "Last Seen"},
)
accounts = PostgreSQLSource(
    name="accounts",
    table="accounts",
    timestamp_field="updated_on",
    created_timestamp_column="created",
    description="Balances, from the CRM",
)
merchants = PostgreSQLSource(table='public."Merchants"', timestamp_field="at")
top_customers = PostgreSQLSource(
    name="top_customers", query="SELECT * FROM accounts WHERE balance > 100", timestamp_field="updated_on"
)
warehouse = SnowflakeSource(name="warehouse", database="SHOP", table="RETURNS", timestamp_field="AT")
order_pushes = PushSource(name="order_pushes", batch_source=orders)
clicks = KafkaSource(
    name="clicks",
    kafka_bootstrap_servers="localhost:9092",
    topic="clicks",
    timestamp_field="ordered_at",
    batch_source=orders,
    message_format=JsonFormat("customer_id integer, total double, ordered_at timestamp"),
    watermark_delay_threshold=timedelta(minutes=5),
)
basket = RequestSource(name="basket", schema=[Field(name="basket_value", dtype=Float64)])
