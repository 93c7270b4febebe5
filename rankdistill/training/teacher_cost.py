"""What the teachers of a student cost: how many scores and vectors they gave, and the seconds that these took.

The stores that a student learns from tell it (`rankdistill.stores.times`). It is written beside the student, into a
hidden file that is none of the manifest's outputs: a student is the same, however long its teacher took. A student that
goes on from another one has that one's teachers too; a teacher's part of a store counts once.

The seconds are unknown, not fewer, where a part of them is: of scores that were imported, of stores from before they
were counted, and of a teacher that is asked in the course of the training (`in_batch_teacher` and the like). What
teaching a teacher took is no part of them: it may have many students.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rankdistill import manifest, models, tables
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import DataError, ModelReferenceError
from rankdistill.stores import times
from rankdistill.stores.embeddings.layout import is_store
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.teaching.training_log import LOG_FILE

FILE_NAME = ".teacher_cost.json"

STUDENT = "student"
"""What the manifest of a student calls it."""

IMPORTED = "table"
"""The kind of a teacher whose scores were made elsewhere."""


@dataclass(frozen=True)
class Part:
    """What one teacher gave in one store.

    Args:
        seconds: that it took, added over the workers; None where that is unknown.
        pairs: scores.
        texts: vectors.
    """

    seconds: float | None
    pairs: int = 0
    texts: int = 0


UNKNOWN = Part(None)


@dataclass(frozen=True)
class TeacherCost:
    """What the teachers of a student cost.

    Args:
        parts: what stands for a teacher in a store -> what it gave.
    """

    parts: Mapping[str, Part] = field(default_factory=dict)

    def __or__(self, other: TeacherCost) -> TeacherCost:
        """Both; what is the same counts once."""
        return TeacherCost({**self.parts, **other.parts})

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def seconds(self) -> float | None:
        """Of all of them; None where one is unknown, or there is none."""
        known = [part.seconds for part in self.parts.values() if part.seconds is not None]
        return round(sum(known), 3) if known and len(known) == len(self.parts) else None

    @property
    def pairs(self) -> int:
        """Scores of all of them."""
        return sum(part.pairs for part in self.parts.values())

    @property
    def texts(self) -> int:
        """Vectors of all of them."""
        return sum(part.texts for part in self.parts.values())


def of_scores(store: object, teacher_id: str) -> TeacherCost:
    """What the scores of a teacher cost, or of an ensemble those of all its members; unknown of no store of ours."""
    if isinstance(store, Ensemble):
        parts = [of_scores(store.store, member) for member in store.members]
        return TeacherCost({key: part for one in parts for key, part in one.parts.items()})
    if not isinstance(store, ScoreStore):
        return TeacherCost({teacher_id: UNKNOWN})
    shards = store.shards(teacher_id)
    imported = store.fingerprint(teacher_id).get("kind") == IMPORTED
    seconds = None if imported else times.seconds_of(store.layout.root, teacher_id, shards)
    pairs = tables.count_rows(shards)
    return TeacherCost({_key(teacher_id, store.manifest): Part(seconds, pairs=pairs)})


def of_vectors(store: object, teacher_id: str) -> TeacherCost:
    """What the vectors of a store cost; unknown of those that are made otherwise."""
    if not isinstance(store, EmbeddingStore):
        return TeacherCost({teacher_id: UNKNOWN})
    seconds = times.seconds_of(store.layout.root, teacher_id, store.shards())
    return TeacherCost({_key(teacher_id, store.manifest): Part(seconds, texts=len(store))})


def of_live(teacher: str | None) -> TeacherCost:
    """What a teacher costs that is asked while a student is trained: that of its store of vectors, or unknown.

    Args:
        teacher: as the settings name it; None: there is none.
    """
    if teacher is None:
        return TeacherCost()
    if is_store(Path(teacher).expanduser()):
        store = EmbeddingStore(Path(teacher).expanduser())
        return of_vectors(store, store.teacher_id)
    return TeacherCost({teacher: UNKNOWN})


def of_student(reference: str) -> TeacherCost:
    """What was written down of the model `reference`: nothing of one that is no trained student of ours.

    A student that was trained before it was written down has unknown teachers, and so has a model that is not here:
    that of an index or a collection, or one behind a service.
    """
    try:
        folder = models.resolve(reference).path
    except ModelReferenceError:
        return TeacherCost({reference: UNKNOWN})
    written = _read(folder / FILE_NAME)
    if written is not None:
        return written
    try:
        made = manifest.read(folder)
    except DataError:  # of somebody else
        return TeacherCost()
    trained = made is not None and made.artefact == STUDENT and (folder / LOG_FILE).is_file()
    return TeacherCost({"unknown": UNKNOWN}) if trained else TeacherCost()


def keep(student: Path, cost: TeacherCost, start: str) -> None:
    """Write down what the teachers of the student in the folder `student` cost.

    Args:
        student: the folder.
        cost: of what it was trained on.
        start: the model that it started from, whose teachers are its too.
    """
    whole = of_student(start) | cost
    content = {key: asdict(part) for key, part in whole.parts.items()}
    times.seal(student / FILE_NAME, content)


def carry(student: str, other: Path) -> None:
    """Write down beside what was made of a student, untrained, what that one's teachers cost, if it had any."""
    if of_student(student):
        keep(other, TeacherCost(), student)


def _key(teacher_id: str, made: manifest.Manifest) -> str:
    return f"{teacher_id} in {made.identity[:16]}"


def _read(path: Path) -> TeacherCost | None:
    """What lies there; None where nothing does, or what does not say it."""
    try:
        return TeacherCost(_PARTS.validate_python(times.unseal(path)))
    except ValidationError:
        return None


_PARTS = TypeAdapter(dict[str, Part])
