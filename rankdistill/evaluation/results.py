"""What an evaluation and a comparison say, as they are written to `results.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr, ValidationError

from rankdistill import files, integrity, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import system_table
from rankdistill.evaluation.curves import Training
from rankdistill.evaluation.hits import shortened
from rankdistill.evaluation.measures import EVERY_TITLE as TITLES
from rankdistill.evaluation.per_query import read_per_query
from rankdistill.evaluation.plots import difference_plot, distribution_plot
from rankdistill.evaluation.systems import Change, Changed, Comparison, Record, System
from rankdistill.evaluation.turns import ByTurn
from rankdistill.evaluation.verdict.records import Verdict

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

FILE_NAME = "results.json"
BOM = b"\xef\xbb\xbf"
PAGE = "report.html"
MAIN_MEASURE = "ndcg_at_10"


def require_measure(measure: str, known: Iterable[str]) -> None:
    """Raise ConfigError unless the systems have `measure`."""
    names = list(known)
    if measure not in names:
        raise ConfigError(
            expected=f"a measure: {', '.join(names)}",
            got=repr(measure),
            consequence="nothing was written",
            remedy="name one of those",
        )


class Results(Shown, Record):
    """Systems evaluated on the same queries, side by side; they print as two tables.

    Args:
        signature: what the numbers depend on: data and its hash, split, measures, versions, command.
        conclusions: sentences that say what it comes to; first those of the verdicts.
        verdicts: whether to ship each student that was asked about.
        changed: the queries that each system wins and loses most, in one measure.
        trainings: the loss and dev curves of systems that we trained.
    """

    title: str
    data: str
    split: str
    queries: int
    systems: list[System]
    comparisons: list[Comparison] = Field(default_factory=list)
    signature: dict[str, Any] = Field(default_factory=dict)
    conclusions: list[str] = Field(default_factory=list)
    verdicts: list[Verdict] = Field(default_factory=list)
    changed: list[Changed] = Field(default_factory=list)
    trainings: list[Training] = Field(default_factory=list)

    _measure: str = PrivateAttr(default=MAIN_MEASURE)
    _path: Path | None = PrivateAttr(default=None)
    _reports: tuple[Path, ...] = PrivateAttr(default=())

    def write(self, folder: Path) -> None:
        """Write `results.json` into `folder`; a comparison has no manifest, so its hash is noted."""
        _write(folder, self.model_dump(mode="json"), noted=True)

    @classmethod
    def read(cls, folder: Path) -> Results:
        """The comparison that lies in `folder`.

        Raises:
            DataError: there is no such file, or it is something else.
        """
        path = folder / FILE_NAME
        try:
            found = cls.model_validate_json(integrity.read_bytes(path).removeprefix(BOM))
        except (OSError, ValidationError) as error:
            raise DataError(
                expected="a folder written by `rankdistill compare`",
                got=f"{path}: {str(error).splitlines()[0]}",
                consequence="nothing was read",
                remedy="compare evaluations first, and give the --out folder",
            ) from error
        return found.lying_in(folder)

    def lying_in(self, folder: Path) -> Results:
        """The same, which knows that it lies in `folder`."""
        found = self.model_copy()
        found._path = folder
        return found

    def reported_in(self, reports: Sequence[Path]) -> Results:
        """The same, which tells of reports that were written elsewhere."""
        found = self.model_copy()
        found._reports = tuple(reports)
        return found

    def shown_in(self, measure: str) -> Results:
        """The same, whose differences are shown in `measure`.

        Raises:
            ConfigError: the systems do not have it.
        """
        require_measure(measure, self.systems[0].measures)
        found = self.model_copy()
        found._measure = measure
        return found

    @property
    def path(self) -> Path | None:
        """Its folder; None where it lies in none."""
        return self._path

    @property
    def ship(self) -> bool:
        """Whether there are verdicts, and none refuses."""
        return bool(self.verdicts) and all(verdict.ship for verdict in self.verdicts)

    def judged(self, verdicts: Sequence[Verdict]) -> Results:
        """The same with these verdicts, their sentences before all that is said; it lies nowhere if they differ."""
        old = {verdict.sentence for verdict in self.verdicts}
        said = [sentence for sentence in self.conclusions if sentence not in old]
        found = [verdict.sentence for verdict in verdicts]
        judged = self.model_copy(update={"verdicts": list(verdicts), "conclusions": [*found, *said]})
        judged._path = self._path if judged.verdicts == self.verdicts else None
        return judged

    @property
    def baseline(self) -> str:
        """The system that the others are compared with, wherever it stands among them."""
        return self.comparisons[0].baseline if self.comparisons else self.systems[0].name

    @property
    def measure(self) -> str:
        """In which its differences are shown."""
        return self._measure

    def __repr__(self) -> str:
        names = ", ".join(system.name for system in self.systems if system.name != self.baseline)
        return f"Results({names} against {self.baseline}: {self.data}, {self.split}, {self.queries:,} queries)"

    def tables(self) -> list[Table]:
        """The systems with their measures and costs, their differences to the baseline, what each verdict rests on."""
        about = f"{self.data}, {self.split}, {self.queries} queries"
        differences = f"{TITLES[self._measure]} minus that of {self.baseline}"
        return [
            Table(about, *system_table.rows(self.systems)),
            Table(differences, *system_table.comparison_table(self.comparisons, self._measure)),
            *(verdict.table() for verdict in self.verdicts),
        ]

    def lines(self) -> list[str]:
        """What it comes to, or else the queries won and lost most; and where reports lie."""
        places = [*([] if self._path is None else [self._path / PAGE]), *self._reports]
        return [*(self.conclusions or map(_most_changed, self.changed)), *map(str, places)]

    def to_polars(self) -> pl.DataFrame:
        """A comparison a row.

        baseline, system, measure, difference, low, high, p_value, p_holm, by_training, effect, won, tied, lost.
        """
        import polars as pl

        schema: dict[str, Any] = {
            **dict.fromkeys(("baseline", "system", "measure"), pl.String),
            **dict.fromkeys(("difference", "low", "high", "p_value", "p_holm"), pl.Float64),
            "by_training": pl.List(pl.Float64),
            "effect": pl.Float64,
            **dict.fromkeys(("won", "tied", "lost"), pl.Int64),
        }
        rows = [
            [
                *(one.baseline, one.system, one.measure),
                *(one.difference, *one.interval, one.p_value, one.p_holm),
                *(one.by_training, one.effect, one.won, one.tied, one.lost),
            ]
            for one in self.comparisons
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """All of it, as `results.json` has it."""
        return self.model_dump(mode="json")

    def to_markdown(self) -> str:
        """Its tables in Markdown."""
        return "\n".join(table.markdown() for table in self.tables())

    def to_latex(self) -> str:
        """Its tables in LaTeX, for the package booktabs."""
        return "% \\usepackage{booktabs}\n" + "\n".join(table.latex() for table in self.tables())

    def plot(self, measure: str | None = None) -> Figure:
        """The differences to the baseline with their intervals.

        Args:
            measure: which; the one that is shown unless given.

        Raises:
            ConfigError: the systems do not have it.
        """
        shown = self if measure is None else self.shown_in(measure)
        return difference_plot(shown.comparisons, shown.measure)


class Evaluation(Shown, Record):
    """One system on one split, as `rankdistill evaluate` writes it; it prints as a table of its means.

    `results.json` holds the means as flat keys too, so that `results["ndcg_at_10"]` needs no knowledge of this class.
    It stands for its folder wherever a path will do.

    Args:
        system: the system and its measures.
        queries: how many.
        through: tool (`mteb`, `beir`) -> measure -> what that tool says of the same system.
        signature: see `Results`.
        turns: of conversations, the means by turn; None of other queries.
    """

    system: System
    queries: int
    through: dict[str, dict[str, float]] = Field(default_factory=dict)
    signature: dict[str, Any] = Field(default_factory=dict)
    turns: ByTurn | None = None

    def differences(self) -> dict[str, float]:
        """Tool -> how far its means are from ours, which count rounded to 5 digits here as theirs are."""
        return {
            tool: max(abs(value - round(self.system.measures[name], 5)) for name, value in values.items())
            for tool, values in self.through.items()
        }

    def write(self, folder: Path) -> None:
        """Write `results.json` into `folder`."""
        _write(folder, self._content)

    @classmethod
    def read(cls, folder: Path) -> Evaluation:
        """What `write` wrote.

        Raises:
            DataError: there is no such file, or it is something else.
        """
        path = folder / FILE_NAME
        try:
            content = plain_json.loads(integrity.read_text(path, "utf-8-sig"))
            found = cls(**{name: content[name] for name in cls.model_fields if name != "turns" or name in content})
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise DataError(
                expected="a folder written by `rankdistill evaluate`",
                got=f"{path}: {str(error).splitlines()[0]}",
                consequence="nothing was compared",
                remedy="evaluate the model first, and give its --out folder",
            ) from error
        return found.lying_in(folder)

    def lying_in(self, folder: Path) -> Evaluation:
        """The same, which knows the folder that holds it."""
        found = self.model_copy()
        found._path = folder
        return found

    def remarked(self, *remarks: str) -> Evaluation:
        """The same, with lines that printing shows below the means."""
        found = self.model_copy()
        found._remarks = (*self._remarks, *remarks)
        return found

    @property
    def path(self) -> Path:
        """The folder that holds it.

        Raises:
            ConfigError: it was neither written nor read.
        """
        if self._path is None:
            raise ConfigError(
                expected="an evaluation that lies in a folder",
                got=f"{self.system.name}, which was not written",
                consequence="nothing was read",
                remedy="evaluate into a folder: rankdistill.evaluate(DIR, SYSTEM, OUT)",
            )
        return self._path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        place = "" if self._path is None else f"{str(self._path)!r}: "
        means = ", ".join(f"{TITLES.get(name, name)} {mean:.4f}" for name, mean in self.system.measures.items())
        return f"Evaluation({place}{self.system.name} on {self.queries:,} queries, {means})"

    def tables(self) -> list[Table]:
        """The means and the costs."""
        told = [self.signature[key] for key in ("data", "split") if key in self.signature]
        title = ", ".join([*told, f"{self.queries} queries"])
        besides = [] if self.turns is None else [self.turns.table()]
        return [Table(title, *system_table.rows([self.system])), *besides]

    def lines(self) -> list[str]:
        """What is remarked, and how far other tools differ."""
        told = [f"{tool} differs by at most {furthest:.1e}" for tool, furthest in self.differences().items()]
        return [*([] if self.turns is None else self.turns.lines()), *self._remarks, *told]

    def to_polars(self) -> pl.DataFrame:
        """`query_id` and one column a measure; one row for each query of the qrels."""
        return read_per_query(self.path)

    def to_json(self) -> dict[str, Any]:
        """Its folder, and what `results.json` holds."""
        place = {} if self._path is None else {"evaluation": str(self._path)}
        remarks = {"remarks": list(self._remarks)} if self._remarks else {}
        return {**place, **self._content, **remarks}

    def require_agreement(self) -> None:
        """Raise DataError if another tool gives the same system other means."""
        require_agreement(self)

    def plot(self, measure: str = MAIN_MEASURE) -> Figure:
        """How many queries have which value of `measure`, with the mean and its 95% interval.

        Raises:
            ConfigError: no such measure.
        """
        if measure not in self.system.measures:
            raise ConfigError(
                expected=f"a measure: {', '.join(self.system.measures)}",
                got=repr(measure),
                consequence="nothing was drawn",
                remedy="name one of those",
            )
        values = self.to_polars().get_column(measure).to_list()
        mean, interval = self.system.measures[measure], self.system.intervals.get(measure)
        return distribution_plot(values, measure, mean, interval, self.system.name)

    @property
    def _content(self) -> dict[str, Any]:
        absent = {"turns"} if self.turns is None else set()
        return {**self.system.measures, **self.model_dump(mode="json", exclude=absent)}

    _path: Path | None = PrivateAttr(None)
    _remarks: tuple[str, ...] = PrivateAttr(())


def _most_changed(changed: Changed) -> str:
    """The queries that a system wins and loses most, in a line."""

    def told(changes: Sequence[Change]) -> str:
        return ", ".join(
            f"{shortened(one.text or one.query_id, CHARACTERS)!r} ({one.difference:+.2f})" for one in changes[:TOLD]
        )

    parts = [
        f"{word} most: {told(changes)}" for word, changes in (("wins", changed.won), ("loses", changed.lost)) if changes
    ]
    return f"{changed.system} {'; '.join(parts) or f'differs from {changed.baseline} in no query'}"


TOLD = 2
"""Queries that a line names each way."""

CHARACTERS = 60
"""Of each."""

TOLERANCE = 1.5e-5
"""Means rounded to 5 digits may differ by one in the last, where a value lies halfway."""


def require_agreement(evaluation: Evaluation) -> None:
    """Raise DataError if another tool gives the same system other means."""
    furthest = {tool: value for tool, value in evaluation.differences().items() if not value <= TOLERANCE}
    if furthest:
        raise DataError(
            expected="the same means from every tool, of the same queries, judgements and rule on identical ids",
            got=", ".join(f"{tool} differs by {value:.5f}" for tool, value in furthest.items()),
            consequence="the results are written, but one of these numbers is wrong",
            remedy="compare the measures under `through` in results.json; a system that answers differently each time "
            "gives such differences too",
        )


def _write(folder: Path, content: Mapping[str, Any], noted: bool = False) -> None:
    path = folder / FILE_NAME
    with integrity.noting(path, folder) if noted else files.atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
