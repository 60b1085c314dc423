WITH "orders_2" AS (
  SELECT
    "order_id",
    "customer_id",
    "merchant_id",
    "quantity",
    "amount",
    "status",
    CAST("token" AS VARCHAR) AS "token",
    "ordered_at",
    timezone('UTC', "updated_at") AS "updated_at"
  FROM postgres_scan('host=db dbname=shop user=duck password=***', 'public', 'orders')
),
"orders" AS (
  SELECT *
  FROM "orders_2"
  WHERE "ordered_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
    AND ("updated_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' OR "updated_at" IS NULL)
),
"result" AS (
  SELECT
    "customer_id",
    "ordered_at",
    CAST("items" AS BIGINT) AS "items"
  FROM (
    SELECT customer_id, max(ordered_at) AS ordered_at, sum(quantity) AS items
    FROM orders GROUP BY customer_id -- all
  ) AS "query"
),
"filtered" AS (
  SELECT *
  FROM "result"
  WHERE "customer_id" IS NOT NULL
    AND "ordered_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
),
"latest" AS (
  SELECT *
  FROM "filtered"
  QUALIFY row_number() OVER (
    PARTITION BY "customer_id"
    ORDER BY "ordered_at" DESC NULLS LAST, "customer_id" DESC NULLS LAST, "items" DESC NULLS LAST
  ) = 1
)
SELECT
  CAST("customer_id" AS VARCHAR) AS "entity_key",
  CAST("items" AS BIGINT) AS "items",
  "ordered_at" AS "event_timestamp"
FROM "latest"
