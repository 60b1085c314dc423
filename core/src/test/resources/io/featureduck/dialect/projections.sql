WITH "orders" AS (
  SELECT
    "customer_id",
    "merchant_id",
    "amount",
    "ordered_at",
    timezone('UTC', "updated_at") AS "updated_at"
  FROM postgres_scan('host=db dbname=shop user=duck password=***', 'public', 'orders')
),
"filtered" AS (
  SELECT *
  FROM "orders"
  WHERE "customer_id" IS NOT NULL
    AND "ordered_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
    AND ("updated_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' OR "updated_at" IS NULL)
),
"aggregated" AS (
  SELECT
    "customer_id",
    count(*) AS "purchase_count",
    sum("amount") AS "total_spent",
    approx_count_distinct("merchant_id") AS "merchants",
    max("ordered_at") AS "event_timestamp"
  FROM "filtered"
  GROUP BY "customer_id"
),
"features" AS (
  SELECT
    CAST("customer_id" AS VARCHAR) AS "entity_key",
    CAST("purchase_count" AS BIGINT) AS "purchase_count",
    CAST("total_spent" AS DECIMAL(38,2)) AS "total_spent",
    CAST("merchants" AS BIGINT) AS "merchants",
    "customer_id",
    "event_timestamp"
  FROM "aggregated"
)
SELECT
  "entity_key",
  "purchase_count",
  "total_spent",
  "merchants",
  CAST("total_spent" / NULLIF("purchase_count", 0) AS DOUBLE) AS "avg_order_value",
  CAST(COALESCE("total_spent", 0) * 2 - -1 AS DECIMAL(38,2)) AS "doubled",
  CAST(CASE WHEN "purchase_count" > 10 THEN 'many' ELSE 'few' END AS VARCHAR) AS "size",
  "event_timestamp"
FROM "features"
