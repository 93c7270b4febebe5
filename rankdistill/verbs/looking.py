"""What choosing a recipe needs to know of models, texts and this machine before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import plain_json
from rankdistill._extras import require
from rankdistill.inference.saving import SENTENCE_CONFIG
from rankdistill.mining.tokenisers import suited
from rankdistill.models import resolve
from rankdistill.teachers.registry import is_yaml

if TYPE_CHECKING:
    from rankdistill.training.speed import Speed

__all__ = ["Looked", "look_at", "measure", "require_library", "require_size", "suited_tokenizer"]

_LAYERS = ("num_hidden_layers", "n_layers", "num_layers")


@dataclass(frozen=True)
class Looked:
    """What a teacher is, from its files alone.

    Args:
        kind: `encoder`, `sparse`, `multi_vector`, `cross_encoder` or `causal_lm`; `settings` where a YAML file says it.
        layers: how many it has; None where its configuration does not say.
        max_length: tokens of a text that it reads; None likewise.
    """

    kind: str
    layers: int | None = None
    max_length: int | None = None


def look_at(teacher: str) -> Looked:
    """What the teacher of this reference is; nothing is loaded.

    Raises:
        ModelReferenceError: there is no such model.
    """
    from rankdistill.inference.loading import kind_of

    if is_yaml(teacher):
        return Looked("settings")
    model = resolve(teacher)
    config = _settings(model.path / "config.json")
    layers = next((config[name] for name in _LAYERS if isinstance(config.get(name), int)), None)
    lengths = [config.get("max_position_embeddings"), _settings(model.path / SENTENCE_CONFIG).get("max_seq_length")]
    return Looked(kind_of(model.path), layers, min((one for one in lengths if isinstance(one, int)), default=None))


def _settings(path: Path) -> dict[str, Any]:
    """A model's file of settings; empty where there is none."""
    return dict(plain_json.read(path)) if path.is_file() else {}


def suited_tokenizer(texts: Iterable[str]) -> str:
    """The tokeniser of BM25 that suits the script of these texts."""
    return suited(texts)


def measure(model: str, keep_layers: Sequence[int] | None, texts: Sequence[str]) -> Speed:
    """How fast `model` encodes, and a student with these of its layers trains, on a few of these texts."""
    from rankdistill.training import speed

    return speed.measure(model, keep_layers, texts)


def require_size(model: str, keep_layers: Sequence[int] | None, max_mb: float, texts: Sequence[str]) -> None:
    """Raise ConfigError where no student with these layers of `model` takes `max_mb` or less; nothing is trained.

    Args:
        model: a reference of a dense model.
        keep_layers: of the student; None: all.
        max_mb: megabytes (10^6 bytes).
        texts: like those that it will read.
    """
    from rankdistill.students import dense, shapes
    from rankdistill.students.settings import StudentSettings

    settings = StudentSettings(keep_layers=None if keep_layers is None else tuple(keep_layers), max_mb=max_mb)
    start = dense.load(model, settings.pooling, max_length=settings.max_length)
    shapes.of_encoder(start, settings, texts, int(max_mb * shapes.MEGABYTE), start.get_embedding_dimension())


def require_library(module: str, purpose: str) -> None:
    """Raise MissingDependencyError where `module`, which `purpose` needs later, is not installed."""
    require(module, purpose)
