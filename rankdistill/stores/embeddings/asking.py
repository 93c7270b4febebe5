"""What is asked of an embedding run besides its texts: the teacher with its settings, and the writer they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast, get_args

from rankdistill import locations
from rankdistill.errors import ConfigError
from rankdistill.stores.embeddings.calibration import calibration_texts
from rankdistill.stores.embeddings.fidelity import LEAST, FidelityCheck
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.layout import Layout, VectorType
from rankdistill.stores.embeddings.teacher_file import read_teacher
from rankdistill.stores.embeddings.work import require_embedding
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.stores.writer import LOCK_WAIT
from rankdistill.teachers.base import Role
from rankdistill.teachers.registry import specify
from rankdistill.teachers.settling import settle


@dataclass(frozen=True)
class Asked:
    """A teacher and how it is run.

    Args:
        teacher: a model reference, or a YAML file with `kind: embedding` and its settings, or these as a mapping.
        backend: what runs the model; a YAML file names its own.
        max_length: tokens of a text; None takes the teacher's own.
        prompts: role -> the text that replaces the teacher's own prompt; None leaves it.
        dtype: number format of the stored vectors.
        unit_size: texts a shard; None: as many as take about half a minute.
        lock_wait: seconds to wait for another writer that starts or finishes.
        min_fidelity: mean cosine with float32 that a back end which is not exact must reach; 0: no check.
        name: what its user calls the teacher in the store, in place of an earlier name; None keeps that.

    Raises:
        ConfigError: no such number format.
    """

    teacher: str | Mapping[str, Any]
    backend: str = "auto"
    max_length: int | None = None
    prompts: Mapping[Role, str | None] = field(default_factory=dict)
    dtype: str = "float32"
    unit_size: int | None = None
    lock_wait: float = LOCK_WAIT
    min_fidelity: float = LEAST
    name: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in get_args(VectorType):
            raise ConfigError(
                expected=f"a number format of vectors: {' or '.join(get_args(VectorType))}",
                got=repr(self.dtype),
                consequence="nothing was embedded",
                remedy="choose one of them; int8 and binary vectors are made of these when they are searched",
            )

    def writer(self, root: Path, gathered: Gathered) -> EmbeddingWriter:
        """Load the teacher; the writer of `gathered` into the store in `root`.

        Raises:
            ConfigError: the teacher does not embed single texts, or its prompts are not clear.
            ModelReferenceError: there is no such model.
        """
        spec = specify(self.teacher, backend=self.backend, max_length=self.max_length)
        given = {f"{role}_prompt": prompt for role, prompt in self.prompts.items() if prompt is not None}
        spec = replace(spec, settings={**spec.settings, **given})
        layout = Layout(root)
        spec, teacher = settle(
            spec, lambda fingerprint: fingerprint == _held(layout), lambda: calibration_texts(layout, gathered)
        )
        return EmbeddingWriter(
            root,
            gathered,
            require_embedding(teacher),
            dtype=cast(VectorType, self.dtype),
            unit_size=self.unit_size,
            spec=spec,
            lock_wait=self.lock_wait,
            fidelity=FidelityCheck(self.min_fidelity),
            name=self.name,
        )


def _held(layout: Layout) -> Mapping[str, Any] | None:
    """The fingerprint of the teacher whose vectors the store holds; None where it holds none."""
    return read_teacher(layout)["fingerprint"] if locations.is_file(layout.teacher) else None
