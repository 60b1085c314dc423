"""Writes what a Feast repository defines as one JSON document, for `featureduck import-feast`.

    python definitions.py REPOSITORY DOCUMENT

The repository is run as `feast apply` runs it, and nothing is applied. Where a definition leaves types
to its source, Feast's own inference asks the source. The document is {"error": …} where that fails.
"""

import json
import os
import sys
import traceback

ERROR_NO_FEAST = "no_feast"
ERROR_RAISED = "raised"


def main(repository, document):
    sys.dont_write_bytecode = True
    document = os.path.abspath(document)
    repository = os.path.realpath(repository)
    os.chdir(repository)
    # In place of this script's own folder.
    sys.path[0] = repository
    try:
        result = definitions(repository)
    except (Exception, SystemExit) as error:
        result = {"error": describe(error, repository)}
    with open(document, "w", encoding="utf-8") as file:
        json.dump(result, file, default=str)


def describe(error, repository):
    """Says what was raised and by which line of the repository."""
    if isinstance(error, ModuleNotFoundError) and error.name == "feast":
        return {"kind": ERROR_NO_FEAST, "version": sys.version.split()[0], "python": sys.executable}
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    own = [frame for frame in frames if os.path.realpath(frame[0]).startswith(repository + os.sep)]
    file, line = own[-1] if own else ("", 0)
    return {
        "kind": ERROR_RAISED,
        "type": type(error).__name__,
        "message": error.msg if isinstance(error, SyntaxError) else str(error),
        "file": os.path.relpath(file, repository) if file else "",
        "line": line or 0,
    }


def definitions(repository):
    from pathlib import Path

    from feast import version
    from feast.repo_operations import parse_repo

    contents = parse_repo(Path(repository))
    inference = Inference(repository, contents.entities)
    sources = {}
    for source in contents.data_sources:
        inference.find_timestamp(source)
        sources.setdefault(source.name, data_source(source, inference))
    return {
        "feast_version": version.get_version(),
        "settings": settings(repository),
        "entities": [entity(each) for each in contents.entities],
        "sources": list(sources.values()),
        "views": [view(each, inference) for each in contents.feature_views],
        "services": [service(each) for each in contents.feature_services],
        "others": [
            {"kind": what, "name": each.name}
            for what, attribute in (
                ("on-demand feature view", "on_demand_feature_views"),
                ("stream feature view", "stream_feature_views"),
                ("label view", "label_views"),
                ("permission", "permissions"),
            )
            for each in getattr(contents, attribute, [])
        ],
    }


def settings(repository):
    """Returns feature_store.yaml with its environment variables not put in, so that they stay."""
    import yaml

    with open(os.path.join(repository, "feature_store.yaml"), encoding="utf-8") as file:
        text = file.read()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        pass
    try:
        return yaml.safe_load(os.path.expandvars(text))
    except yaml.YAMLError as error:
        # Its message repeats the text, in which passwords may be.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"feature_store.yaml can't be read as YAML{place}") from None


class Inference:
    """Asks sources for what definitions leave open, as `feast apply` does."""

    def __init__(self, repository, entities):
        self.repository = repository
        self.entities = entities
        self.join_keys = {each.name: each for each in entities}
        self.failures = {}

    def find_timestamp(self, source):
        from feast import inference

        if not source.timestamp_field and kind(source) != "other":
            self.attempt(
                source.name,
                lambda: inference.update_data_sources_with_inferred_event_timestamp_col(
                    [source], self.config()
                ),
            )

    def complete(self, view):
        """Fills in the types of a view's join keys, and its features where it names none."""
        from feast import inference
        from feast.infra.provider import get_provider
        from feast.value_type import ValueType

        known = {column.name for column in view.entity_columns}
        entities = [self.join_keys[name] for name in view.entities if name in self.join_keys]
        unknown = any(
            each.value_type == ValueType.UNKNOWN and each.join_key not in known
            for each in entities
            if not each.name.startswith("__dummy")
        )
        if view.batch_source is not None and (unknown or not view.features):
            self.attempt(
                view.name,
                lambda: inference.update_feature_views_with_inferred_features_and_entities(
                    get_provider(self.config()), [view], self.entities, self.config()
                ),
            )

    def config(self):
        from pathlib import Path

        from feast.repo_config import load_repo_config

        folder = Path(self.repository)
        try:
            return load_repo_config(folder, folder / "feature_store.yaml")
        except Exception as error:
            # Its message repeats values of the file, which may be passwords.
            raise RuntimeError(f"feature_store.yaml can't be loaded ({type(error).__name__})") from None

    def attempt(self, name, infer):
        try:
            infer()
        except Exception as error:
            lines = str(error).strip().splitlines()
            self.failures[name] = lines[0] if lines else type(error).__name__


def entity(each):
    return {
        "name": each.name,
        "join_key": each.join_key,
        "type": each.value_type.name,
        **labels(each),
    }


def kind(source):
    if hasattr(source, "_postgres_options"):
        return "postgres"
    return "file" if hasattr(source, "file_options") else "other"


def data_source(source, inference):
    postgres = getattr(source, "_postgres_options", None)
    file = getattr(source, "file_options", None)
    batch = getattr(source, "batch_source", None)
    return {
        "name": source.name,
        "kind": kind(source),
        "class_name": type(source).__name__,
        "timestamp_field": source.timestamp_field,
        "created_timestamp_column": source.created_timestamp_column,
        "field_mapping": dict(source.field_mapping or {}),
        "batch_source": batch.name if batch is not None else "",
        "path": file.uri if file else "",
        "format": str(file.file_format) if file and file.file_format else "",
        "s3_endpoint": (file.s3_endpoint_override or "") if file else "",
        "table": postgres._table if postgres else "",
        "query": postgres._query if postgres else "",
        "connection_ref": getattr(source, "connection_ref", None) is not None,
        "inference_failure": inference.failures.get(source.name, ""),
        **labels(source),
    }


def view(each, inference):
    inference.complete(each)
    source = each.batch_source
    stream = each.stream_source
    return {
        "name": each.name,
        "entities": list(each.entities),
        "join_keys": [field(column) for column in each.entity_columns],
        "features": [field(column) for column in each.features],
        "source": source.name if source is not None else "",
        "stream_source": stream.name if stream is not None else "",
        "source_views": [parent.name for parent in getattr(each, "source_views", None) or []],
        "transformed": getattr(each, "feature_transformation", None) is not None
        or bool(getattr(each, "aggregations", None)),
        "ttl_seconds": each.ttl.total_seconds() if each.ttl else 0.0,
        "online": bool(each.online),
        "enabled": getattr(each, "enabled", True),
        "version": getattr(each, "version", "latest"),
        "org": getattr(each, "org", ""),
        "inference_failure": inference.failures.get(each.name, ""),
        **labels(each),
    }


def field(column):
    return {
        "name": column.name,
        "type": column.dtype.to_value_type().name,
        "described": bool(column.description or column.tags),
        "vector_index": bool(getattr(column, "vector_index", False)),
    }


def service(each):
    views = [
        {
            "view": part.name,
            "alias": part.name_alias or "",
            "features": list(part.desired_features) or [column.name for column in part.features],
            "join_key_map": dict(part.join_key_map),
            "version": f"v{part.version_tag}" if getattr(part, "version_tag", None) is not None else "",
        }
        for part in each.feature_view_projections
    ]
    # References by name, which Feast looks up when it applies: view[@version][:feature].
    for reference in getattr(each, "_pending_feature_refs", []):
        name, _, feature = reference.partition(":")
        name, _, version = name.partition("@")
        views.append(
            {
                "view": name,
                "alias": "",
                "features": [feature] if feature else [],
                "join_key_map": {},
                "version": "" if version == "latest" else version,
            }
        )
    return {
        "name": each.name,
        "views": views,
        "logs": getattr(each, "logging_config", None) is not None,
        **labels(each),
    }


def labels(each):
    return {
        "description": each.description or "",
        "tags": dict(each.tags or {}),
        "owner": each.owner or "",
    }


main(*sys.argv[1:])
