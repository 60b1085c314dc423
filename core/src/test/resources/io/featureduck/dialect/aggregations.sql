WITH "orders" AS (
  SELECT
    "order_id",
    "customer_id",
    "quantity",
    "amount",
    "status",
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
    AND ("status" = 'paid' OR "status" = 'it''s')
),
"aggregated" AS (
  SELECT
    "customer_id",
    count(*) AS "purchase_count",
    sum("amount") FILTER (WHERE "ordered_at" > TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' - INTERVAL '7' DAYS) AS "total_spent_7d",
    sum("amount") FILTER (WHERE "ordered_at" > TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' - INTERVAL '30' DAYS) AS "total_spent_30d",
    sum("quantity") AS "items",
    avg("amount") FILTER (WHERE "ordered_at" > TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' - INTERVAL '2' WEEKS AND "amount" > 0) AS "avg_paid_2w",
    first("status" ORDER BY "ordered_at" DESC NULLS LAST, "updated_at" DESC NULLS LAST, "order_id" DESC NULLS LAST) AS "last_status",
    (list("amount" ORDER BY "ordered_at" DESC NULLS LAST, "updated_at" DESC NULLS LAST, "order_id" DESC NULLS LAST))[1:2] AS "last_amounts",
    max("ordered_at") AS "event_timestamp"
  FROM "filtered"
  GROUP BY "customer_id"
)
SELECT
  CAST("customer_id" AS VARCHAR) AS "entity_key",
  CAST("purchase_count" AS BIGINT) AS "purchase_count",
  CAST("total_spent_7d" AS DECIMAL(38,2)) AS "total_spent_7d",
  CAST("total_spent_30d" AS DECIMAL(38,2)) AS "total_spent_30d",
  CASE WHEN "items" NOT BETWEEN -9223372036854775808 AND 9223372036854775807
    THEN error('value_out_of_range: items of entity ' || CAST("customer_id" AS VARCHAR))
    ELSE CAST("items" AS BIGINT) END AS "items",
  CAST("avg_paid_2w" AS DOUBLE) AS "avg_paid_2w",
  CAST("last_status" AS VARCHAR) AS "last_status",
  CAST("last_amounts" AS DECIMAL(12,2)[]) AS "last_amounts",
  "event_timestamp"
FROM "aggregated"
