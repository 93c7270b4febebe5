"""The form of a student on scores: what is kept of where it starts, and how it is written. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.inference.storage import Storage
from rankdistill.students.settings import StudentSettings


@dataclass(frozen=True)
class Form:
    """What of a student on scores may be chosen for its size.

    Args:
        keep_layers: layers of the encoder, from 0; None: all.
        vocabulary: tokens to keep; None: all.
        storage: how its weights are written; None: whole, or, with `max_mb`, as it fits.
        max_mb: megabytes (10^6 bytes) that its files may take.
    """

    keep_layers: Sequence[int] | None = None
    vocabulary: int | None = None
    storage: Storage | None = None
    max_mb: float | None = None

    @property
    def stored(self) -> Storage:
        """How its weights are written."""
        return self.storage or "float32"

    @property
    def cuts(self) -> bool:
        """Whether it leaves out layers or tokens of where the student starts."""
        return self.keep_layers is not None or self.vocabulary is not None

    @property
    def counts(self) -> bool:
        """Whether tokens may be left out, which ones the texts of the collection decide."""
        return self.vocabulary is not None or self.max_mb is not None

    def decisive(self) -> dict[str, Any]:
        """What decides the student, as JSON values; only what is given, but for the layers."""
        layers = list(self.keep_layers) if self.keep_layers is not None else None
        given = {"vocabulary": self.vocabulary, "storage": self.storage, "max_mb": self.max_mb}
        if self.storage == "float32" and self.max_mb is None:
            given["storage"] = None
        return {"keep_layers": layers} | {name: value for name, value in given.items() if value is not None}

    def settings(self) -> StudentSettings:
        """The same as the settings of an aligned student, which shapes are drawn from."""
        given = {"keep_layers": self.keep_layers, "vocabulary": self.vocabulary, "storage": self.storage}
        return StudentSettings.model_validate({name: value for name, value in given.items() if value is not None})
