"""Whether a student trained on scores still lives in its teacher's space, so that its `space.json` would be true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import models, space
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.space import Space
from rankdistill.students.targets import spaced
from rankdistill.teachers.base import Role
from rankdistill.training.in_batch.teacher import InBatchTeacher

KINDS: tuple[Role, ...] = ("query", "document")

TEXTS = 300
"""Of each kind, whose vectors are compared before and after."""

LEAST_SHARE = 0.95
"""Of the mean cosine that the student had before it was cut and trained: below, it has left the space."""


@dataclass(frozen=True)
class SpaceCheck:
    """The vectors of some texts of the run: what the student's are compared with, before and after.

    Args:
        space: the teacher's.
        aligned: whether the model that training starts from lives in it, as it is there: whole.
        texts: some of the run's, by kind.
        targets: the teacher's vectors of these, [n, dim].
    """

    space: Space
    aligned: bool
    texts: Mapping[Role, Sequence[str]]
    targets: Mapping[Role, NDArray[np.float32]]

    def cosine(self, model: Any) -> float:
        """Mean cosine of the student's vectors, as it is now, and the teacher's."""
        found = []
        for kind, texts in self.texts.items():
            encode = model.encode_query if kind == "query" else model.encode_document
            vectors = encode(list(texts), batch_size=32, convert_to_numpy=True, show_progress_bar=False)
            lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(self.targets[kind], axis=1)
            found.append((vectors * self.targets[kind]).sum(axis=1) / np.maximum(lengths, 1e-12))
        return float(np.concatenate(found).mean())

    def verdict(self, model: Any, before: float) -> dict[str, Any]:
        """What the log tells: whether `space.json` would be true, why not, and the cosines before and after.

        Args:
            model: the student at the end.
            before: the cosine of what it started from, before layers or tokens were cut out of that.
        """
        after = self.cosine(model)
        reason = self._against(model, before, after)
        told = {"kept": reason is None, "cosine_before": before, "cosine_after": after}
        return told if reason is None else told | {"reason": reason}

    def _against(self, model: Any, before: float, after: float) -> str | None:
        if not self.aligned:
            return "the student that training started from was not aligned with this teacher"
        if normalises(model) != self.space.normalised:
            return "one of student and teacher normalises its vectors, and the other does not"
        if after < LEAST_SHARE * before:
            return (
                f"its vectors have left the teacher's: mean cosine {before:.3f} of the model that training started "
                f"from, whole, and {after:.3f} at the end"
            )
        return None


def build(teacher: InBatchTeacher, student: str, model: Any, texts: Callable[[Role], Sequence[str]]) -> SpaceCheck:
    """The check of a run with an alignment term.

    Args:
        teacher: whose vectors the student stays near to; knows the texts.
        student: reference of the model that training starts from.
        model: that model, loaded.
        texts: gives those of the run, by kind.

    Raises:
        ConfigError: the teacher has no single vectors, or their dimension is not the student's.
        SpaceMismatchError: the student was aligned with another teacher.
    """
    theirs = teacher.space
    dimension = model.get_embedding_dimension()
    if theirs is None or theirs.dimension != dimension:
        raise ConfigError(
            expected=f"a dense teacher whose vectors have the student's length, {dimension}, for alignment_weight",
            got="one without a single vector a text" if theirs is None else f"vectors of length {theirs.dimension}",
            consequence="nothing was trained: the student's vectors have no targets",
            remedy="align the student with the teacher first (`rankdistill train --embeddings`, which gives it a "
            "projection), name another alignment_teacher, or leave alignment_weight out",
        )
    chosen = {kind: _some(texts(kind)) for kind in KINDS}
    return SpaceCheck(
        theirs,
        is_aligned(student, theirs),
        chosen,
        {kind: teacher.vectors(some, kind) for kind, some in chosen.items()},
    )


def _some(texts: Sequence[str]) -> list[str]:
    return [texts[place] for place in spaced(len(texts), TEXTS)]


def is_aligned(student: str, wanted: Space) -> bool:
    """Whether the model `student` lives in the space of the document tower of `wanted`: aligned with it, or itself.

    Raises:
        SpaceMismatchError: it was aligned with another tower.
    """
    reference = models.resolve(student)
    held = space.read(reference.path)
    if held is None:
        return reference.weights_hash == wanted.document_tower
    if held.document_tower != wanted.document_tower:
        raise SpaceMismatchError(
            expected=f"a teacher that {student} was aligned with, for alignment_weight",
            got=f"a document tower {wanted.document_tower[:12]}, and the student's is {held.document_tower[:12]}",
            consequence="nothing was trained: one stage would pull the student out of the space of the other",
            remedy="name the store or the model of the first stage as alignment_teacher, or align the student anew",
        )
    return True


def normalises(model: Any) -> bool:
    """Whether the model's last module gives its vectors unit length."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return isinstance(model[-1], Normalize)
