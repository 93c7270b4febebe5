"""The errors of rankdistill. Each says what was expected, what came, what would have followed, and what to do."""

from __future__ import annotations

import json
from urllib.parse import quote


class RankdistillError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        expected: what the code needed, in one clause.
        got: what it found instead, with the file and line where there is one.
        consequence: what was not done, or what would have gone wrong silently.
        remedy: what the reader should do now.
    """

    def __init__(self, *, expected: str, got: str, consequence: str = "", remedy: str = "") -> None:
        self.expected, self.got, self.consequence, self.remedy = expected, got, consequence, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = {
            "expected": self.expected,
            "got": self.got,
            "consequence": self.consequence,
            "remedy": self.remedy,
        }
        return "\n".join(f"{name}: {text}" for name, text in parts.items() if text)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.expected, self.got, self.consequence, self.remedy))


def _rebuild(kind: type[RankdistillError], expected: str, got: str, consequence: str, remedy: str) -> RankdistillError:
    return kind(expected=expected, got=got, consequence=consequence, remedy=remedy)


class DataError(RankdistillError):
    """A data set, run, qrels or candidate file that cannot be used as it is."""


class BrokenFileError(DataError, ValueError):
    """A file of JSON, of ours or of a model, that is gone, cut off or damaged."""


class MissingDependencyError(RankdistillError, ImportError):
    """An optional library is not installed."""


class ModelReferenceError(RankdistillError):
    """A model reference that names nothing loadable."""


class ConfigError(RankdistillError):
    """A recipe, flag or setting with an invalid value."""


class OutputError(RankdistillError):
    """An output cannot be written: the disk is full, the path is read-only, or something else is there."""


class LockedError(OutputError):
    """Another process is writing to the same output."""


class StaleOutputError(OutputError):
    """The output was made from other inputs or parameters than the ones given now."""


class RemoteError(RankdistillError):
    """An object store cannot be reached, or refuses what was asked of it."""


class ExecutorError(RankdistillError):
    """The workers of an executor die, or their cluster cannot be reached."""


class TeacherError(RankdistillError):
    """A teacher gave scores that must not be stored (NaN, infinite, wrong count)."""


class BackendError(TeacherError):
    """A back end fails, or gives numbers that are not those of the texts it was given."""


class BackendFidelityError(TeacherError):
    """A fast back end's scores are too far from float32's to be distilled from."""


class WorseTeacherError(TeacherError):
    """A taught teacher ranks worse than something that costs less: BM25, its candidates' order or its own base."""


class StoreError(RankdistillError):
    """A score store is incomplete, damaged, or lacks what was asked of it."""


class DamagedError(DataError, StoreError):
    """A file of an artefact is gone, or is not what the artefact's manifest has."""


class GateError(StoreError):
    """Stored scores that a student would train on wrongly."""


class LossInputError(RankdistillError, ValueError):
    """Tensors that a loss would train on wrongly at a plausible value."""


class SpaceMismatchError(RankdistillError):
    """Vectors of two different embedding spaces would have been compared."""


def without_secret(secret: str | None, text: str) -> str:
    """`text` of an error with a key or password hidden, also as JSON, addresses and `repr` write it.

    None hides nothing.
    """
    if secret:
        written = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), repr(secret)[1:-1]}
        for one in sorted(written, key=len, reverse=True):
            text = text.replace(one, "***")
    return text
