"""The types of students that scores train, one file each.

`TYPES` names the module of each, whose `TYPE` is a `StudentType` (see `base`). A new type is one file and one line
here.
"""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.inference.loading import ModelKind, kind_of
from rankdistill.training.config import TypeName

if TYPE_CHECKING:
    from rankdistill.training.types.base import StudentType

TYPES: dict[TypeName, str] = {
    "dense": "rankdistill.training.types.dense",
    "splade": "rankdistill.training.types.splade",
    "splade-doc": "rankdistill.training.types.splade_doc",
    "inference-free": "rankdistill.training.types.inference_free",
    "multi-vector": "rankdistill.training.types.multi_vector",
    "cross-encoder": "rankdistill.training.types.cross_encoder",
    "pair-head": "rankdistill.training.types.pair_head",
}
"""Name -> module; imported when it is asked for, since each loads torch."""

_OF_KIND: dict[ModelKind, TypeName] = {
    "sparse": "splade",
    "multi_vector": "multi-vector",
    "cross_encoder": "cross-encoder",
}


def get(name: TypeName) -> StudentType:
    """The type of that name."""
    found: StudentType = importlib.import_module(TYPES[name]).TYPE
    return found


def of_model(reference: str) -> TypeName:
    """The type of the model that `reference` names; a bare masked language model counts as dense.

    Raises:
        ModelReferenceError: nothing loadable is there.
    """
    path = models.resolve(reference).path
    modules = path / "modules.json"
    kind = kind_of(path)
    if kind == "sparse":
        if not modules.is_file():
            return "dense"
        if json.loads(modules.read_text(encoding="utf-8"))[0]["type"].endswith(".Router"):
            return "inference-free"
    return _OF_KIND.get(kind, "dense")
