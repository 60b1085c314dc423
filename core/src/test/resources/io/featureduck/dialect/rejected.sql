WITH "orders" AS (
  SELECT
    "customer_id",
    "ordered_at",
    timezone('UTC', "updated_at") AS "updated_at"
  FROM postgres_scan('host=db dbname=shop user=duck password=***', 'public', 'orders')
)
SELECT
  count(*) AS "rows_read",
  count(*) FILTER (WHERE "customer_id" IS NULL) AS "null_join_key",
  count(*) FILTER (WHERE "customer_id" IS NOT NULL AND "ordered_at" IS NULL) AS "null_event_time",
  count(*) FILTER (WHERE "customer_id" IS NOT NULL AND "ordered_at" IS NOT NULL AND ("ordered_at" > TIMESTAMPTZ '2024-06-01 12:00:00.500000+00' OR "updated_at" > TIMESTAMPTZ '2024-06-01 12:00:00.500000+00')) AS "after_as_of"
FROM "orders"
