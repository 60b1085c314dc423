from feast import Entity, ValueType

customer = Entity(
    name="customer",
    join_keys=["customer_id"],
    value_type=ValueType.INT64,
    description="Someone who bought at the shop",
    owner="growth@shop.example",
)
product = Entity(name="Product", join_keys=["product_id"])
merchant = Entity(name="merchant", join_keys=["merchant_id"])
sensor = Entity(name="sensor", join_keys=["reading"], value_type=ValueType.DOUBLE)
