"""The types of students that scores train, one file each.

`rankdistill.names.STUDENTS` names the module of each, whose `TYPE` is a `StudentType` (see `base`). A new type is one
file here and one line there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from rankdistill import models, plain_json
from rankdistill.inference.loading import ModelKind, kind_of
from rankdistill.names import STUDENTS
from rankdistill.training.config import TypeName

if TYPE_CHECKING:
    from rankdistill.training.types.base import StudentType

_OF_KIND: dict[ModelKind, TypeName] = {
    "sparse": "splade",
    "multi_vector": "multi-vector",
    "cross_encoder": "cross-encoder",
}


def get(name: TypeName) -> StudentType:
    """The type of that name; its module is imported when it is asked for, since each loads torch."""
    found: StudentType = importlib.import_module(STUDENTS[name].module).TYPE
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
        if plain_json.read(modules)[0]["type"].endswith(".Router"):
            return "inference-free"
    return _OF_KIND.get(kind, "dense")
