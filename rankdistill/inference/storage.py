"""Models that take less room on disk, and load with sentence-transformers alone: halved numbers, tables in few bits.

What is written says itself how it is read:

- `float16`: every number in half its bytes. What reads it computes in float32, as `config.json` says, or as a table's
  row factors make it.
- `int8`: a static table in whole numbers with a factor a row, in the format that `StaticEmbedding` reads of model2vec
  (`embeddings`, `weights`). A transformer's token table has no place for factors, but the layer norm behind it does not
  see the length of what it gets: the table is divided by one factor, and the tables added to it too. All else float16.
- `int4`: a static table in sixteenths, in the same format. No file format that the library reads packs two numbers in a
  byte, so they are written as bytes of which few differ, in `pytorch_model.bin`, a zip archive, compressed. Programs
  that want safetensors alone cannot read it; for transformers it is refused, as their reader maps that file unpacked.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from rankdistill import files, locations, plain_json
from rankdistill.errors import ModelReferenceError

if TYPE_CHECKING:
    from torch import Tensor

Storage = Literal["float32", "float16", "int8", "int4"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
LEVELS = {"int8": 127, "int4": 7}
"""The largest whole number of each."""

WEIGHTS, PICKLED, CONFIG, TOKENISER = "model.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json"
CLIPPED = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Shares of the largest number that become the largest level, tried for the least error: few are so large."""

SHIPPED_NOT = ("README.md", "manifest.json", "training_log.json")
"""Files of a student's folder that tell of it, and that no program reads to use it."""

PROBE = "A probe of a few words, 12 of them."
_TOLERANCE = 1e-3


def require_storable(model: Any, storage: Storage) -> None:
    """Raise ModelReferenceError where `model` would not load as it is from what `storage` writes."""
    from sentence_transformers.base.modules import Transformer

    reason = None
    if storage in ("int8", "int4") and not is_table(model[0]):
        if storage == "int4":
            reason = "a transformer, whose library reads no compressed weights"
        elif not isinstance(model[0], Transformer) or model.transformers_model.get_output_embeddings() is not None:
            reason = "a model whose token table is a head over the vocabulary too, or is no transformer's"
        elif not _is_normalised_behind(model):
            reason = f"{type(model.transformers_model).__name__}, with no layer norm right behind its token table"
    if reason is not None:
        raise ModelReferenceError(
            expected=f"a model that can be kept as {storage}: "
            + ("a static student" if storage == "int4" else "a static student, or an encoder of BERT's kind"),
            got=reason,
            consequence="it would load with other numbers than it was saved with",
            remedy="set storage to float16, which every model can be kept in",
        )


def compress(model: Any, folder: Path, storage: Storage) -> None:
    """Write the weights of `model`, which was saved into `folder`, again as `storage`, and its JSON without spaces.

    Raises:
        ModelReferenceError: such a model cannot be kept so; see `require_storable`.
    """
    if storage == "float32":
        return
    require_storable(model, storage)
    for path in locations.listing(folder, f"**/{TOKENISER}"):
        _write_json(path, plain_json.loads(path.read_text(encoding="utf-8")))
    for module, place in places(model, folder):
        path = place / WEIGHTS
        if path.is_file():
            _rewrite(model, module, path, storage)


def shipped_bytes(folder: Path) -> int:
    """Bytes of the files in `folder` that a program needs to use the model: all but those that tell of it."""
    return sum(
        path.stat().st_size
        for path in locations.listing(folder, "**/*")
        if path.is_file()
        and path.name not in SHIPPED_NOT
        and not any(part.startswith(("checkpoint", ".")) for part in path.relative_to(folder).parts)
    )


def _rewrite(model: Any, module: Any, path: Path, storage: Storage) -> None:
    from safetensors.torch import load
    from sentence_transformers.base.modules import Dense, Transformer

    tensors = load(path.read_bytes())
    if is_table(module):
        tensors = _table(tensors["embedding.weight"], storage)
        if storage == "int4":
            path.unlink()
            _write_zip(path.with_name(PICKLED), tensors)
        else:
            _write_tensors(path, tensors)
    elif isinstance(module, Transformer):
        if storage == "int8":
            tensors |= _divided(model, tensors)
        _write_tensors(path, {name: _halved(tensor) for name, tensor in tensors.items()})
        config = plain_json.read(path.with_name(CONFIG))
        config.pop("torch_dtype", None)
        _write_json(path.with_name(CONFIG), config | {"dtype": "float32"})
    elif isinstance(module, Dense):
        _write_tensors(path, {name: _halved(tensor) for name, tensor in tensors.items()})


def _table(table: Tensor, storage: Storage) -> dict[str, Tensor]:
    """`embeddings` and `weights` whose product by rows is the table."""
    import torch

    if storage == "float16":
        return {"embeddings": table.half(), "weights": torch.ones(len(table), dtype=torch.int8)}
    numbers, factors = quantise(table, LEVELS[storage])
    return {"embeddings": numbers, "weights": factors}


def quantise(table: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Whole numbers from -levels to levels, int8 [rows, dim], and a factor a row, float32 [rows]: the least error.

    Args:
        table: float32 [rows, dim].
        levels: the largest whole number.
    """
    import torch

    largest = table.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny * levels)
    best, error = largest / levels, torch.full_like(largest, float("inf"))
    for share in CLIPPED:
        factors = largest * share / levels
        told = (table / factors[:, None]).round_().clamp_(-levels, levels).mul_(factors[:, None])
        found = told.sub_(table).square_().sum(dim=1)
        best, error = torch.where(found < error, factors, best), torch.minimum(found, error)
    return (table / best[:, None]).round_().clamp_(-levels, levels).to(torch.int8), best


def _divided(model: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The token table in whole numbers, and what is added to it in the same unit."""
    import torch

    path, inside = _inside(model)
    table = tensors[inside]
    levels, largest = LEVELS["int8"], float(table.abs().max())
    errors = {}
    for share in CLIPPED:
        factor = largest * share / levels
        told = (table / factor).round_().clamp_(-levels, levels).mul_(factor)
        errors[factor] = float(told.sub_(table).square_().mean())
    factor = min(errors, key=lambda one: errors[one])
    found = {inside: (table / factor).round().clamp(-levels, levels).to(torch.int8)}
    for name, module in model.transformers_model.get_submodule(path).named_children():
        if isinstance(module, torch.nn.Embedding) and f"{path}.{name}.weight" != inside:
            found[f"{path}.{name}.weight"] = tensors[f"{path}.{name}.weight"] / factor
    return found


def _inside(model: Any) -> tuple[str, str]:
    """Where the token table is in the encoder: the module that holds it, and its weight's name."""
    encoder = model.transformers_model
    table = encoder.get_input_embeddings()
    name = next(name for name, module in encoder.named_modules() if module is table)
    return name.rpartition(".")[0], f"{name}.weight"


def _is_normalised_behind(model: Any) -> bool:
    """Whether the model gives the same with its token table, and all that is added to it, twice as large."""
    import numpy as np
    import torch

    path, _ = _inside(model)
    children = [*model.transformers_model.get_submodule(path).children()] if path else []
    tables = [child for child in children if isinstance(child, torch.nn.Embedding)]
    if not tables:
        return False
    before = _probed(model)
    with torch.no_grad():
        for table in tables:
            table.weight.mul_(2.0)
        after = _probed(model)
        for table in tables:
            table.weight.div_(2.0)
    return bool(np.abs(before - after).max() <= _TOLERANCE * max(1e-6, float(np.abs(before).max())))


def _probed(model: Any) -> Any:
    """What the transformer of `model` gives for the tokens of a text, float[tokens, hidden]."""
    import torch

    batch = model.tokenizer([PROBE], return_tensors="pt")
    encoder = model.transformers_model
    training = encoder.training
    encoder.eval()
    with torch.no_grad():
        found = encoder(**{name: value.to(encoder.device) for name, value in batch.items()})[0]
    encoder.train(training)
    return found.float().cpu().numpy()


def is_table(module: Any) -> bool:
    """Whether `module` is a token table whose rows are averaged."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return isinstance(module, StaticEmbedding)


def _halved(tensor: Tensor) -> Tensor:
    import torch

    return tensor.to(torch.float16).contiguous() if tensor.dtype == torch.float32 else tensor.contiguous()


def places(model: Any, folder: Path) -> list[tuple[Any, Path]]:
    """Each module of `model` and where it was saved."""
    modules = folder / "modules.json"
    told = plain_json.read(modules) if modules.is_file() else [{"path": ""}]
    return [(module, folder / one["path"]) for module, one in zip(model, told, strict=False)]


def _write_json(path: Path, content: Any) -> None:
    files.write_text(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    with files.atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"format": "pt"}))


def _write_zip(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """As torch writes tensors, compressed; the same tensors give the same bytes."""
    import torch

    plain = io.BytesIO()
    torch.save(dict(tensors), plain)
    with (
        files.atomic_path(path) as temporary,
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(temporary, "w") as target,
    ):
        for name in source.namelist():
            entry = zipfile.ZipInfo(name)  # of no date
            target.writestr(entry, source.read(name), zipfile.ZIP_DEFLATED, compresslevel=9)
