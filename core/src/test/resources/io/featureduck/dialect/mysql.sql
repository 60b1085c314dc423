ATTACH 'host=db database=shop user=duck password=***' AS "mysql_9524c1fa" (TYPE mysql);
WITH "orders" AS (
  SELECT
    "customer_id",
    CAST("paid" AS BOOLEAN) AS "paid",
    CAST("stamped_at" AS TIMESTAMPTZ) AS "stamped_at",
    CAST("quantity" AS BIGINT) AS "quantity",
    timezone('Europe/Berlin', "ordered_at") AS "ordered_at"
  FROM "mysql_9524c1fa"."shop"."Or""der's"
),
"filtered" AS (
  SELECT *
  FROM "orders"
  WHERE "customer_id" IS NOT NULL
    AND "ordered_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
),
"latest" AS (
  SELECT *
  FROM "filtered"
  QUALIFY row_number() OVER (
    PARTITION BY "customer_id"
    ORDER BY "ordered_at" DESC NULLS LAST, "customer_id" DESC NULLS LAST, "paid" DESC NULLS LAST, "stamped_at" DESC NULLS LAST, "quantity" DESC NULLS LAST
  ) = 1
)
SELECT
  CAST("customer_id" AS VARCHAR) AS "entity_key",
  CAST("paid" AS BOOLEAN) AS "paid",
  CAST("stamped_at" AS TIMESTAMPTZ) AS "stamped_at",
  CAST("quantity" AS BIGINT) AS "quantity",
  "ordered_at" AS "event_timestamp"
FROM "latest"
