"""How large a model is: its weights in bytes and in number."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import NamedTuple

from rankdistill import models
from rankdistill.bundles.layout import query_model


class Footprint(NamedTuple):
    """Weights of a model; None where it has no safetensors files to count in."""

    model_bytes: int | None
    parameters: int | None


def footprint(reference: str) -> Footprint:
    """The size of the model `reference` (of a bundle, its query tower), read off its safetensors files unloaded.

    Raises:
        ModelReferenceError: there is no such model.
    """
    root = models.resolve(query_model(reference)).path
    weights = [
        path
        for path in root.rglob("*.safetensors")
        if not any(part.startswith(("checkpoint", ".")) for part in path.relative_to(root).parts)
    ]
    if not weights:
        return Footprint(None, None)
    return Footprint(sum(path.stat().st_size for path in weights), sum(_parameters(path) for path in weights))


def _parameters(path: Path) -> int:
    """Sum over the tensors in the file's header (8 bytes of little-endian length, then JSON)."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
