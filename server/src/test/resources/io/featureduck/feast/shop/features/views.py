from datetime import timedelta

import pandas as pd

from feast import BatchFeatureView, FeatureService, FeatureView, Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.stream_feature_view import StreamFeatureView
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, Json, Map, String, UnixTimestamp
from features.entities import customer, merchant, product, sensor
from features.sources import accounts, basket, clicks, merchants, order_pushes, orders, top_customers, visits, warehouse

ORDER_SCHEMA = [
    Field(name="customer_id", dtype=Int64),
    Field(name="total", dtype=Float32, description="Money spent"),
    Field(name="order_count", dtype=Int64),
    Field(name="Conv Rate", dtype=Float64),
    Field(name="favourite", dtype=String),
    Field(name="is_member", dtype=Bool),
    Field(name="member_since", dtype=UnixTimestamp),
    Field(name="embedding", dtype=Array(Float32)),
    Field(name="settings", dtype=Json),
    Field(name="labels", dtype=Map),
    Field(name="updated_at", dtype=UnixTimestamp),
]


def unchanged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


customer_orders = FeatureView(
    name="CustomerOrders",
    entities=[customer],
    ttl=timedelta(days=90),
    schema=ORDER_SCHEMA,
    source=orders,
    description="What a customer has bought so far; ${not a variable}",
    owner="growth@shop.example",
    tags={"tier": "1"},
)
customer_orders_fresh = FeatureView(
    name="customer_orders_fresh",
    entities=[customer],
    ttl=timedelta(hours=36),
    schema=ORDER_SCHEMA[:3],
    source=order_pushes,
)
customer_product = FeatureView(
    name="customer__product",
    entities=[customer, product],
    schema=[
        Field(name="product_id", dtype=String),
        Field(name="visitCount", dtype=Int32),
        Field(name="Last Seen", dtype=UnixTimestamp),
    ],
    source=visits,
)
account = FeatureView(
    name="account",
    entities=[customer],
    ttl=timedelta(days=7),
    schema=[Field(name="balance", dtype=Float64), Field(name="open", dtype=Bool), Field(name="country", dtype=String)],
    source=accounts,
)
merchant_profile = FeatureView(name="merchant_profile", entities=[merchant], source=merchants)

training_only = FeatureView(
    name="training_only", entities=[customer], schema=ORDER_SCHEMA[1:3], source=orders, online=False
)
top_customer = FeatureView(
    name="top_customer", entities=[customer], schema=[Field(name="balance", dtype=Float64)], source=top_customers
)
returns = FeatureView(
    name="returns", entities=[customer], schema=[Field(name="RETURNED", dtype=Int64)], source=warehouse
)
shop_totals = FeatureView(name="shop_totals", schema=[Field(name="total", dtype=Float32)], source=orders)
readings = FeatureView(name="readings", entities=[sensor], schema=[Field(name="total", dtype=Float32)], source=orders)
customer_trend = BatchFeatureView(
    name="customer_trend",
    mode="pandas",
    entities=[customer],
    schema=[Field(name="trend", dtype=Float64)],
    source=orders,
    online=True,
    udf=unchanged,
    udf_string="",
)
customer_clicks = StreamFeatureView(
    name="customer_clicks",
    entities=[customer],
    schema=[Field(name="total", dtype=Float64)],
    source=clicks,
    mode="pandas",
    timestamp_field="ordered_at",
    udf=unchanged,
    udf_string="",
)


@on_demand_feature_view(sources=[customer_orders, basket], schema=[Field(name="basket_share", dtype=Float64)])
def basket_share(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"basket_share": inputs["basket_value"] / inputs["total"]})


checkout = FeatureService(
    name="checkout",
    features=[customer_orders[["total", "Conv Rate"]], customer_product, account.with_name("acct")],
    description="What the checkout's model asks for",
    tags={"model": "checkout"},
)
risk = FeatureService(
    name="Risk-Model",
    features=[
        customer_orders_fresh,
        customer_orders[["total", "labels"]],
        basket_share,
        merchant_profile.with_join_key_map({"merchant_id": "seller_id"}),
    ],
)
offline = FeatureService(name="offline", features=[training_only])
