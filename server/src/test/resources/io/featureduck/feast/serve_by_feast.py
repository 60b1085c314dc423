"""Writes the shop's files, then has Feast itself apply, materialize and serve, and keeps what it answers.

    python serve_by_feast.py REPOSITORY ANSWERS
"""

import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore
from feast.infra.offline_stores.dask import DaskOfflineStoreConfig
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total


def write_data():
    now = datetime.now(timezone.utc).replace(microsecond=0)

    def ago(hours):
        return now - timedelta(hours=hours)

    orders = pd.DataFrame(
        {
            # Of customer 1 two rows tie, and the third was created last; of 3 there are NULLs.
            "customer_id": [1, 1, 1, 2, 2, 3],
            "ordered_at": [ago(5), ago(2), ago(2), ago(1), ago(30), ago(3)],
            "total": [1.1, 4.4, 3.3, 1e-3, 9.0, 16777217.0],
            "created": [ago(1), ago(1.5), ago(1), ago(1), ago(30), ago(2)],
            "order_count": pd.array([1, 2, 3, 4, 5, None], dtype="Int64"),
            "Conv Rate": [0.1, 0.2, 0.1 + 0.2, 1 / 3, 0.5, None],
            "favourite": ["tea", "tea", "Kaffee, schwarz", "", "x", None],
            "is_member": pd.array([True, True, False, True, False, None], dtype="boolean"),
            "member_since": [ago(100), ago(100), datetime(2020, 2, 29, 12, tzinfo=timezone.utc), ago(1), ago(1), None],
            "embedding": [[1.0], [1.0], [0.1, 0.25, -3.0], [], [2.0], [1.0, 2.0]],
            "settings": ["{}", "{}", '{"b": 1, "a": [1, 2]}', "{}", "{}", None],
            "labels": [None] * 6,
            "updated_at": [now] * 6,
        }
    )
    os.makedirs("data/visits", exist_ok=True)
    orders.to_parquet("data/orders.parquet")
    visits = pa.table(
        {
            "customer_id": pa.array([1, 1, 2, 2], pa.int32()),
            "product_id": ["a|b", "c", "a|b", "a|b"],
            "at": pa.array([ago(3), ago(2), ago(2), ago(1)], pa.timestamp("us", tz="UTC")),
            "n": pa.array([3, 4, 5, 6], pa.int64()),
            "last_seen": pa.array([ago(4), None, ago(3), datetime(2026, 1, 2, tzinfo=timezone.utc)], pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(visits.slice(0, 2), "data/visits/1.parquet")
    pq.write_table(visits.slice(2), "data/visits/2.parquet")


ASKED = {
    "CustomerOrders": [{"customer_id": key} for key in (1, 2, 3, 4)],
    "customer_orders_fresh": [{"customer_id": key} for key in (1, 2, 3, 4)],
    "customer__product": [
        {"customer_id": 1, "product_id": "a|b"},
        {"customer_id": 1, "product_id": "c"},
        {"customer_id": 2, "product_id": "a|b"},
        {"customer_id": 2, "product_id": "c"},
    ],
    "account": [{"customer_id": key} for key in (1, 2, 3)],
    "merchant_profile": [{"merchant_id": key} for key in ("m-1", "m-2", "m-3")],
}


def serve(answers):
    here = Path.cwd()
    config = load_repo_config(here, here / "feature_store.yaml")
    apply_total(config, here, skip_source_validation=True)
    end = datetime.now(timezone.utc)
    start = end - timedelta(days=365)
    in_postgres = ["account", "merchant_profile"]
    store = FeatureStore(config=config)
    store.materialize(start, end, feature_views=in_postgres)
    # The same repository with the offline store that reads files.
    files = load_repo_config(here, here / "feature_store.yaml")
    files.offline_config = {"type": "dask"}
    files._offline_store = DaskOfflineStoreConfig()
    FeatureStore(config=files).materialize(start, end, feature_views=[name for name in ASKED if name not in in_postgres])
    result = {}
    for view, entities in ASKED.items():
        features = [f"{view}:{field.name}" for field in store.get_feature_view(view).features]
        rows = store.get_online_features(features=features, entity_rows=entities).to_dict()
        result[view] = [
            {"entity": entity, "features": {name: rows[name][i] for name in rows if name not in entity}}
            for i, entity in enumerate(entities)
        ]
    with open(answers, "w", encoding="utf-8") as file:
        json.dump(result, file, default=str)


os.chdir(sys.argv[1])
sys.path[0] = os.getcwd()
write_data()
serve(sys.argv[2])
