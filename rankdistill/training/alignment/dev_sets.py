"""The judged queries that an alignment run is watched on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.names import names_test
from rankdistill.training.settings import require_no_test


@dataclass(frozen=True)
class Dev:
    """A split to evaluate on while training.

    Args:
        dataset: its documents, queries and judgements.
        split: which judgements.
    """

    dataset: Dataset
    split: str

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.dataset.name}/{self.split}"


def require_usable(dev: Sequence[Dev], allow_test: bool) -> None:
    """Raise ConfigError if a split is named twice, or if one is a test split and that is not allowed.

    A checkpoint chosen on a test split has seen it: its figures there mean nothing any more.
    """
    names = [one.name for one in dev]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            expected="different dev splits",
            got=f"{', '.join(repeated)} twice",
            consequence="nothing was trained: its weight in the choice of a checkpoint would be doubled",
            remedy="name each once",
        )
    if not allow_test:
        require_no_test([one.name for one in dev if names_test(one.split)])
