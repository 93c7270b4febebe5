"""How many texts the student cannot read to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.inference.prompts import Role, prompt_of
from rankdistill.students.targets import spaced

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import SentenceTransformer

EXAMINED = 20_000
"""Texts that are tokenised for the count; of a larger store, so many evenly spaced ones."""


def count(
    student: SentenceTransformer, table: pa.Table, rows: NDArray[np.int64], limits: dict[Role, int | None]
) -> dict[str, Any]:
    """Texts of `rows` with more tokens than the student reads, special tokens and prompt included.

    Args:
        student: its tokeniser and its own limit.
        table: kind, text.
        rows: those that are trained on.
        limits: kind -> tokens at most in training; None: the student's own limit.

    Returns:
        `examined`, `over_long`, and the `limits` by kind (None: the student reads everything, as a static one does).
    """
    own = _finite(student.max_seq_length)
    found = {kind: None if own is None else given or own for kind, given in limits.items()}
    chosen = rows[spaced(len(rows), EXAMINED)]
    texts = table.select(["kind", "text"]).take(chosen).to_pylist()
    over = 0
    for kind, limit in found.items():
        if limit is not None:
            prompt = prompt_of(student, kind)
            over += _longer(student, [prompt + row["text"] for row in texts if row["kind"] == kind], limit)
    return {"examined": len(chosen), "over_long": over, "limits": found}


def _longer(student: SentenceTransformer, texts: list[str], limit: int) -> int:
    if not texts:
        return 0
    encoded = student.tokenizer(texts, truncation=False, padding=False, return_attention_mask=False, verbose=False)
    return sum(len(ids) > limit for ids in encoded["input_ids"])


def _finite(limit: float | None) -> int | None:
    return None if limit is None or not np.isfinite(limit) else int(limit)
