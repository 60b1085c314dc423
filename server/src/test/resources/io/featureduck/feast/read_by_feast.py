"""Has Feast's own client read features from a server, by a repository with the same definitions.

    python read_by_feast.py FOLDER URL ANSWERS
"""

import base64
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.repo_config import load_repo_config
from feast.types import Array, Bool, Bytes, Float64, Int64, String, UnixTimestamp

folder, url, answers = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
Path("feature_store.yaml").write_text(
    f"""project: twin
registry: registry.db
provider: local
online_store:
  type: remote
  path: {url}
entity_key_serialization_version: 3
""",
    encoding="utf-8",
)

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
source = FileSource(name="rows", path="rows.parquet", timestamp_field="event_timestamp")
stats = FeatureView(
    name="stats",
    entities=[user],
    ttl=timedelta(days=7),
    source=source,
    schema=[
        Field(name="user_id", dtype=Int64),
        Field(name="purchase_count", dtype=Int64),
        Field(name="ratio", dtype=Float64),
        Field(name="label", dtype=String),
    ],
)
kinds = FeatureView(
    name="kinds",
    entities=[user],
    source=source,
    schema=[
        Field(name="user_id", dtype=Int64),
        Field(name="flag", dtype=Bool),
        Field(name="raw", dtype=Bytes),
        Field(name="seen", dtype=UnixTimestamp),
        Field(name="tree", dtype=String),
        Field(name="times", dtype=Array(UnixTimestamp)),
        Field(name="words", dtype=Array(String)),
    ],
)
visits = FeatureView(
    name="visits",
    entities=[user, shop],
    source=source,
    schema=[Field(name="user_id", dtype=Int64), Field(name="shop", dtype=String), Field(name="visits", dtype=Int64)],
)
both = FeatureService(name="both", features=[stats[["label"]], visits])

store = FeatureStore(config=load_repo_config(Path("."), Path("feature_store.yaml")))
store.apply([user, shop, stats, kinds, visits, both])


def plain(value):
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value


def read(features, rows, **more):
    response = store.get_online_features(features=features, entity_rows=rows, **more)
    names = response.proto.metadata.feature_names.val
    values = response.to_dict()
    return {
        name: {
            "values": [plain(value) for value in values[name]],
            "statuses": [FieldStatus.Name(status) for status in response.proto.results[i].statuses],
        }
        for i, name in enumerate(names)
    }


def refused(features, rows):
    try:
        read(features, rows)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return "taken"


users = [{"user_id": key} for key in (1, 2, 3, 4, 1)]
result = {
    "list": read(["stats:purchase_count", "stats:ratio", "stats:label"], users),
    "kinds": read([f"kinds:{field.name}" for field in kinds.features], [{"user_id": 1}]),
    "service": read(
        store.get_feature_service("both"),
        [{"user_id": 1, "shop": "north"}, {"user_id": 1, "shop": "south"}],
        full_feature_names=True,
    ),
    "unknown": refused(["nowhere:label"], users),
}
Path(answers).write_text(json.dumps(result, default=str), encoding="utf-8")
