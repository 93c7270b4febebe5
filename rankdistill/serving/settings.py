"""What a server serves and how, as plain values that a worker is told as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rankdistill.serving.contracts import Limits, Side


@dataclass(frozen=True)
class Sources:
    """What is loaded; a reload gives new ones.

    Args:
        models: name -> reference, the default first; the re-ranker is one of them.
        indexes: name -> folder.
        reranker: name of the model that re-ranks; None where there is none.
        backends: name of a model -> what runs it, where that is chosen already: workers share one choice.
    """

    models: Mapping[str, str]
    indexes: Mapping[str, str] = field(default_factory=dict)
    reranker: str | None = None
    backends: Mapping[str, str] = field(default_factory=dict)

    def resolved(self) -> Sources:
        """With every symbolic link of a local path followed, so that what is served stays what it is."""
        return replace(
            self,
            models={name: followed(one) for name, one in self.models.items()},
            indexes={name: followed(one) for name, one in self.indexes.items()},
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Sources:
        """What `to_json` gave."""
        return cls(**found)


@dataclass(frozen=True)
class ServeSettings:
    """How a process serves.

    Args:
        backend: what runs the models; `fast` takes the fastest that keeps the ranking.
        threads: of computing, a process; None: as many as there are cores.
        default_side: what a text is where a request does not say it.
        key_file: a file of API keys; None: those of the environment, if any.
        cors: origins whose pages may ask; none unless given.
        rerank_depth: documents a query that are re-ranked.
        parameters: name of an index -> its search parameters.
        data: folder of the collection, whose whole texts are re-ranked and shown; None: what the indexes keep.
        fusion: method and weights, where indexes are fused otherwise than by reciprocal ranks.
        limits: what is accepted.
        access_log: a line a request.
        metrics: folder in which workers count together; None where there is one process.
        worker: number of this process among them.
        eager: whether connections are taken before the models are loaded, to say so; another worker answers them else.
    """

    backend: str = "fast"
    threads: int | None = None
    default_side: Side | None = None
    key_file: str | None = None
    cors: tuple[str, ...] = ()
    rerank_depth: int = 100
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    data: str | None = None
    fusion: tuple[str, Sequence[float] | None] | None = None
    limits: Limits = field(default_factory=Limits)
    access_log: bool = False
    metrics: str | None = None
    worker: int = 0
    eager: bool = True

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> ServeSettings:
        """What `line` gave."""
        found = json.loads(line)
        return cls(**found | {"limits": Limits(**found["limits"]), "cors": tuple(found["cors"])})


def followed(reference: str) -> str:
    """Where a local path leads; a reference that is none stays as it is."""
    path = Path(reference).expanduser()
    return str(path.resolve()) if path.exists() else reference
