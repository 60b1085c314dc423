WITH "orders" AS (
  SELECT
    "order_id",
    "customer_id",
    "merchant_id",
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
    AND "status" IS NOT NULL
    AND "ordered_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
    AND ("updated_at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' OR "updated_at" IS NULL)
),
"merchants" AS (
  SELECT
    "id",
    "country",
    timezone('Europe/Berlin', CAST("at" AS TIMESTAMP)) AS "at"
  FROM read_parquet('/data/merchants/*.parquet', union_by_name = true)
),
"filtered_2" AS (
  SELECT *
  FROM "merchants"
  WHERE "id" IS NOT NULL
    AND "at" <= TIMESTAMPTZ '2024-06-01 12:00:00.500000+00'
),
"merchants_latest" AS (
  SELECT *
  FROM "filtered_2"
  QUALIFY row_number() OVER (
    PARTITION BY "id"
    ORDER BY "at" DESC NULLS LAST, "id" DESC NULLS LAST, "country" DESC NULLS LAST
  ) = 1
),
"joined" AS (
  SELECT
    l.*,
    r."country" AS "merchants.country"
  FROM "filtered" AS l
  LEFT JOIN "merchants_latest" AS r ON l."merchant_id" = r."id"
),
"filtered_3" AS (
  SELECT *
  FROM "joined"
  WHERE "merchants.country" IN ('DE', 'FR')
    AND NOT ("quantity" < 1 OR "amount" IS NULL)
),
"latest" AS (
  SELECT *
  FROM "filtered_3"
  QUALIFY row_number() OVER (
    PARTITION BY "customer_id", "status"
    ORDER BY "ordered_at" DESC NULLS LAST, "updated_at" DESC NULLS LAST, "order_id" DESC NULLS LAST
  ) = 1
)
SELECT
  CAST("customer_id" AS VARCHAR) || '|' || replace(replace("status", '\', '\\'), '|', '\|') AS "entity_key",
  CAST("amount" AS DECIMAL(12,2)) AS "amount",
  CAST(lower("merchants.country") AS VARCHAR) AS "country",
  CAST(EXTRACT(dow FROM "ordered_at") AS BIGINT) AS "weekday",
  "ordered_at" AS "event_timestamp"
FROM "latest"
