"""The check before a long run: a back end that is not exact, against float32, by the vectors of a few texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rankdistill import integrity, plain_json
from rankdistill.errors import BackendFidelityError
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.layout import Layout
from rankdistill.stores.embeddings.text_files import KINDS
from rankdistill.teachers.base import EmbeddingTeacher

Record = dict[str, Any]
"""The figures of a `VectorFidelity` and the identity of the `texts` that were sampled; JSON values."""

LEAST = 0.99
"""Mean cosine with float32 below which a back end is refused."""

WORST = 5.0
"""So many times the loss of cosine is accepted for one text in a hundred."""

TEXTS = 256
"""Texts that are embedded twice."""

_DIGITS = 6
"""Decimals kept: machines differ in the last bits, a store must not."""


@dataclass(frozen=True)
class VectorFidelity:
    """A back end's vectors against float32's of the same texts.

    Args:
        texts: how many.
        cosine: mean cosine.
        cosine_low: cosine that one text in a hundred falls below.
        cosine_least: smallest cosine.
        length_error: largest relative difference of length.
    """

    texts: int
    cosine: float
    cosine_low: float
    cosine_least: float
    length_error: float

    @property
    def record(self) -> Record:
        """The figures as JSON values."""
        return {
            name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in asdict(self).items()
        }

    def require(self, least: float, backend: str) -> None:
        """Stop a back end that drifts.

        Args:
            least: smallest mean cosine accepted; for one text in a hundred, 1 less `WORST` times as much is.
            backend: what the message calls it.

        Raises:
            BackendFidelityError: it is less.
        """
        least_low = 1 - WORST * (1 - least)
        if self.cosine >= least and self.cosine_low >= least_low:
            return
        raise BackendFidelityError(
            expected=f"{backend} to embed as float32 does: a mean cosine of {least:g} or more, of {least_low:g} or "
            "more for 99 texts of 100",
            got=f"{self.cosine:.4f} over {self.texts} sampled texts, {self.cosine_low:.4f} for the hundredth part; "
            f"lengths differ by {self.length_error:.1%} at most",
            consequence="nothing was embedded: students would learn the errors of the number format",
            remedy="take another back end (auto is exact), or accept these vectors with a lower --min-fidelity",
        )


def compare(reference: np.ndarray, found: np.ndarray) -> VectorFidelity:
    """Compare two lots of vectors `[n, dimension]` of the same texts, the first in float32."""
    lengths, others = (np.maximum(np.linalg.norm(vectors, axis=1), 1e-12) for vectors in (reference, found))
    cosines = np.einsum("nd,nd->n", reference, found) / (lengths * others)
    return VectorFidelity(
        texts=len(reference),
        cosine=float(cosines.mean()),
        cosine_low=float(np.quantile(cosines, 0.01)),
        cosine_least=float(cosines.min()),
        length_error=float(np.abs(others / lengths - 1).max()),
    )


@dataclass(frozen=True)
class FidelityCheck:
    """What is asked of a teacher that is not exact; `least` 0 leaves the check out."""

    least: float = LEAST

    def run(self, layout: Layout, teacher: EmbeddingTeacher, gathered: Gathered) -> Record | None:
        """Compare `teacher` with its exact form, unless the store holds the figures already. Writes nothing.

        A store that grows keeps the figures of its first texts.

        Returns:
            What `keep_fidelity` takes; None for a teacher that is exact.

        Raises:
            BackendFidelityError: the vectors are too far from float32's.
        """
        exact = teacher.exact() if self.least else None
        if exact is None:
            return None
        record = read_fidelity(layout)
        if record is None or record["teacher"] != teacher.teacher_id:
            sample = gathered.sample(TEXTS)
            kinds, texts = sample["kind"].to_pylist(), sample["text"].to_pylist()
            found = compare(_embed(exact(), kinds, texts), _embed(teacher, kinds, texts))
            record = {"teacher": teacher.teacher_id, **found.record}
        figures = {name: value for name, value in record.items() if name != "teacher"}
        VectorFidelity(**figures).require(self.least, teacher.teacher_id)
        return record


def _embed(teacher: EmbeddingTeacher, kinds: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """The texts' vectors, those of queries first."""
    lots = [[text for text, own in zip(texts, kinds, strict=True) if own == kind] for kind in KINDS]
    return np.concatenate([teacher.embed(lot, kind) for lot, kind in zip(lots, KINDS, strict=True) if lot])


def keep_fidelity(layout: Layout, record: Record) -> None:
    """Put the figures into the store; idempotent. Call it while holding the store's lock."""
    with integrity.replacing(layout.fidelity, layout.root) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_fidelity(layout: Layout) -> Record | None:
    """The figures that the store holds, if any."""
    if not integrity.is_there(layout.fidelity, layout.root):
        return None
    found: Record = plain_json.read(integrity.require(layout.fidelity))
    return found
