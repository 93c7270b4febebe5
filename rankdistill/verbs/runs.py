"""Runs that were written before, as the verbs open them, and systems side by side, as the verbs show them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.data import Dataset
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError
from rankdistill.evaluation import system_table
from rankdistill.evaluation.evaluating import DEPTH
from rankdistill.evaluation.measures import evaluate_run
from rankdistill.evaluation.results import Evaluation, System
from rankdistill.evaluation.retrieve import Retriever, answer
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.notes import note
from rankdistill.verbs.arguments import Place, place_of

if TYPE_CHECKING:
    import polars as pl


def open_run(run: Place, dataset: Dataset, split: str, name: str | None = None) -> StoredRun:
    """The run of an evaluation, or in a TREC or Parquet file; a note says how many queries it does not answer.

    Raises:
        DataError: see `StoredRun`.
    """
    path = place_of(run)
    opened = StoredRun(path, dataset, split, name)
    queries = dataset.queries(split)
    if lacking := len(queries.keys() - opened.answered):
        note(f"{path} has no documents for {lacking:,} of {len(queries):,} queries of {split!r}")
    return opened


def measured(system: Retriever, dataset: Dataset, split: str) -> System:
    """The means of `system`, of which nothing is written."""
    run = answer(system, dataset, dataset.queries(split), DEPTH)
    return System(name=system.name, measures=evaluate_run(run, dataset.qrels(split)).means)


class Beside(Shown):
    """An evaluation beside the systems that it was made of; it stands for the folder of the evaluation.

    Args:
        data: name of the collection.
        split: of the qrels.
        queries: how many.
        systems: in the order of the table; the last is the one made here.
        evaluation: of the last; None where nothing was written.
        remarks: shown below the table.
    """

    def __init__(
        self,
        data: str,
        split: str,
        queries: int,
        systems: Sequence[System],
        evaluation: Evaluation | None,
        remarks: Sequence[str] = (),
    ) -> None:
        self.data, self.split, self.queries = data, split, queries
        self.systems, self.evaluation, self._remarks = list(systems), evaluation, list(remarks)

    @property
    def path(self) -> Path:
        """The folder of the evaluation.

        Raises:
            ConfigError: nothing was written.
        """
        if self.evaluation is None:
            raise ConfigError(
                expected="an evaluation that lies in a folder",
                got=f"{self.systems[-1].name}, which was not written",
                consequence="nothing was read",
                remedy="give an output: out=OUT (--out)",
            )
        return self.evaluation.path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        place = "" if self.evaluation is None else f"{str(self.path)!r}: "
        means = ", ".join(f"{one.name} {one.measures['ndcg_at_10']:.4f}" for one in self.systems)
        return f"{type(self).__name__}({place}nDCG@10 on {self.queries:,} queries: {means})"

    def tables(self) -> list[Table]:
        """The means and costs of each system."""
        return [Table(f"{self.data}, {self.split}, {self.queries} queries", *system_table.rows(self.systems))]

    def lines(self) -> list[str]:
        """What is remarked, such as fitted weights."""
        return list(self._remarks)

    def to_polars(self) -> pl.DataFrame:
        """A system a row: its name as `system`, and one column a measure."""
        import polars as pl

        return pl.DataFrame([{"system": one.name, **one.measures} for one in self.systems])

    def to_json(self) -> dict[str, Any]:
        """The systems, and the folder of the evaluation where there is one."""
        place = {} if self.evaluation is None else {"evaluation": str(self.path)}
        remarks = {"remarks": self._remarks} if self._remarks else {}
        systems = [one.model_dump(mode="json") for one in self.systems]
        told = {"data": self.data, "split": self.split, "queries": self.queries, "systems": systems}
        return {**place, **told, **remarks}
