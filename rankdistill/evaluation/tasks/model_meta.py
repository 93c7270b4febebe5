"""What mteb is told of a model: its name, the revision that its content has, its size, prompts and space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rankdistill import models
from rankdistill._extras import require
from rankdistill.bundles.layout import Bundle, is_bundle, query_model
from rankdistill.errors import ConfigError
from rankdistill.evaluation.footprint import footprint
from rankdistill.evaluation.mteb import ORGANISATION, identity
from rankdistill.manifest import digest

REVISION = re.compile(r"[0-9a-f]{40}")
"""What the results repository takes for a revision."""

MAX_SIM, FRAMEWORK = "MaxSim", ["Sentence Transformers", "PyTorch", "safetensors"]
TYPES = {"dense": "dense", "sparse": "sparse", "multi_vector": "late-interaction"}
"""Kind of our indexes -> what mteb calls such a model."""


def content_revision(model: str) -> str:
    """The commit of a model from the hub; of any other the first 40 hex digits of its content's hash.

    The content is weights, configuration and tokeniser; of a bundle those of both towers.

    Raises:
        ModelReferenceError: there is no such model.
        DataError: the bundle is unfinished.
    """
    if is_bundle(model):
        bundle = Bundle.read(Path(model).expanduser())
        towers = [bundle.query_weights or models.resolve(bundle.query_model).weights_hash, bundle.space.document_tower]
        return digest(towers)[:40]
    found = models.resolve(model)
    if found.path.parent.name == "snapshots" and REVISION.fullmatch(found.path.name):
        return found.path.name
    return found.weights_hash[:40]


def require_name(name: str) -> str:
    """`name`, which must be `ORGANISATION/MODEL`; ConfigError otherwise."""
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name, re.ASCII) and "__" not in name:
        return name
    raise ConfigError(
        expected="a name as ORGANISATION/MODEL, of letters, digits, '.', '-' and single '_'",
        got=repr(name),
        consequence="nothing was run: mteb files results by it",
        remedy="name it as the hub does: --name my-org/my-model",
    )


def default_name(called: str, revision: str) -> str:
    """A working name for a model without one, which nobody else's model has."""
    return identity(called, {"revision": revision})[0]


def is_working_name(name: str) -> bool:
    """Whether nobody gave it."""
    return name.startswith(f"{ORGANISATION}/")


def meta_of(name: str, revision: str, fingerprint: Mapping[str, Any], space: Any, kind: str, model: str | None) -> Any:
    """The `ModelMeta` of mteb of a system, as far as the system itself tells.

    Args:
        name: `ORGANISATION/MODEL`.
        revision: 40 hex digits.
        fingerprint: of the system; its prompts are read.
        space: of its documents.
        kind: of its index: `dense`, `sparse`, `multi_vector` or `text`.
        model: its model or bundle; None for BM25.

    Raises:
        MissingDependencyError: mteb is not installed.
    """
    require("mteb", "results in mteb's layout")
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    if model is None:
        return ModelMeta.create_empty({"name": name, "revision": revision})
    sizes = [footprint(one) for one in towers_of(model)]
    similarity = MAX_SIM if kind == "multi_vector" else getattr(space, "similarity", "dot")
    similarities = {
        "cosine": ScoringFunction.COSINE,
        "dot": ScoringFunction.DOT_PRODUCT,
        MAX_SIM: ScoringFunction.MAX_SIM,
    }
    known = all(size.model_bytes is not None for size in sizes)
    counted = all(size.parameters is not None for size in sizes)
    return ModelMeta.create_empty(
        {
            "name": name,
            "revision": revision,
            "n_parameters": sum(size.parameters or 0 for size in sizes) if counted else None,
            "memory_usage_mb": round(sum(size.model_bytes or 0 for size in sizes) / 2**20, 1) if known else None,
            "max_tokens": getattr(space, "max_length", None),
            "embed_dim": getattr(space, "dimension", None),
            "framework": list(FRAMEWORK),
            "similarity_fn_name": similarities[similarity],
            "use_instructions": any(prompts_of(fingerprint).values()),
            "model_type": ["router"] if is_bundle(model) else [TYPES[kind]],
        }
    )


def towers_of(model: str) -> list[str]:
    """The models that a reference stands for: one, or the two towers of a bundle."""
    if not is_bundle(model):
        return [model]
    return [query_model(model), Bundle.read(Path(model).expanduser()).document_model]


def prompts_of(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """`query` and `document` -> what the system puts before such a text."""
    queries = fingerprint.get("encoder", {}).get("prompts", {})
    documents = fingerprint.get("documents", {}).get("prompts", queries)
    return {"query": queries.get("query") or "", "document": documents.get("document") or ""}
