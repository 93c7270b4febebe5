"""`ensemble`: several teachers as one, assessed, weighed and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown, Table
from rankdistill.ensembles import materialising
from rankdistill.ensembles.combining import Coverage
from rankdistill.ensembles.source import Ensemble
from rankdistill.errors import ConfigError
from rankdistill.evaluation import ensembles
from rankdistill.evaluation.ensembles import Quality
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.names import beside
from rankdistill.verbs.arguments import Data, Place, collection_of, listed, place_of, score_store_of
from rankdistill.verbs.contract import verb_with_stores

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Assessed:
    """What an ensemble is worth on a split.

    Args:
        data: name of the collection's folder.
        split: whose judgements.
        judged: queries of the split.
        quality: of the ensemble as it was given, before weights were fitted.
    """

    data: str
    split: str
    judged: int
    quality: Quality


@dataclass(frozen=True, repr=False)
class Ensembled(Shown):
    """An ensemble with what came of it; it prints as its quality, its weights, and what was missing.

    Args:
        ensemble: with the fitted weights, where some were fitted.
        assessed: beside its parts, where it was assessed.
        store: it as the one teacher of a store, where it was written.
        written: what was missing when it was written.
    """

    ensemble: Ensemble
    assessed: Assessed | None = None
    store: ScoreStore | None = None
    written: Coverage | None = None

    def __repr__(self) -> str:
        members = ", ".join(self.ensemble.names.values())
        where = f", written to {self.store.path}" if self.store is not None else ""
        return f"Ensembled({members}: {self.ensemble.calibrate}, {self.ensemble.missing}{where})"

    def tables(self) -> list[Table]:
        """Systems with nDCG@10 and their difference from the ensemble; the fitted weights."""
        if self.assessed is None:
            return []
        found, quality = self.assessed, self.assessed.quality
        queries = f"{quality.queries} of {found.judged} queries"
        title = f"{found.data}, {found.split}: {queries}; {self.ensemble.calibrate}, {self.ensemble.missing}"
        shown = [Table(title, *ensembles.quality_rows(quality))]
        if quality.fit is not None:
            rows = ensembles.weight_rows(quality.fit, self.ensemble.names)
            shown.append(Table("weights, with their range over the folds", *rows))
        return shown

    def lines(self) -> list[str]:
        """What was missing, and where it was written to."""
        found = []
        if self.assessed is not None:
            found.append(self._missing(self.assessed.split, self.assessed.quality.coverage))
        if self.store is not None and self.written is not None:
            found += [
                self._missing(str(self.store.path), self.written),
                f"{self.store.path}: {self._named}",
            ]
        return found

    @property
    def _named(self) -> str:
        """The ensemble as tables show it."""
        assert self.store is not None
        teacher_id = self.ensemble.teacher_id
        return beside(self.store.given_name(teacher_id), teacher_id)

    def _missing(self, where: str, coverage: Coverage) -> str:
        names = self.ensemble.names
        lacking = [f"{names[member]} lacks {count:,}" for member, count in coverage.missing.items() if count]
        line = f"{where}: {coverage.wanted:,} pairs; {'; '.join(lacking) or 'every teacher scored all'}"
        if coverage.dropped:
            line += f"; {coverage.dropped:,} dropped"
        if coverage.imputed:
            line += f"; {coverage.imputed:,} scores imputed"
        return line

    def to_polars(self) -> pl.DataFrame:
        """A row a system with its measures, where the ensemble was assessed; else teacher, name and weight."""
        import polars as pl

        if self.assessed is None:
            return pl.DataFrame(self._teachers())
        return pl.DataFrame([{"system": one.name, **one.measures} for one in self.assessed.quality.systems])

    def to_json(self) -> dict[str, Any]:
        """Teachers, settings, the quality of each system, and what was missing."""
        chosen = self.ensemble
        said: dict[str, Any] = {
            "ensemble": chosen.teacher_id,
            "teachers": self._teachers(),
            "calibrate": chosen.calibrate,
            "missing": chosen.missing,
            "reference": chosen.reference,
        }
        if self.assessed is not None:
            quality = self.assessed.quality
            said |= {
                "data": self.assessed.data,
                "split": self.assessed.split,
                "queries": quality.queries,
                "judged_queries": self.assessed.judged,
                "systems": [one.model_dump(mode="json") for one in quality.systems],
                "comparisons": [one.model_dump(mode="json") for one in quality.comparisons],
                "coverage": quality.coverage.to_json(),
            }
            if quality.fit is not None:
                said["fit"] = {
                    "weights": dict(quality.fit.weights),
                    "folds": [dict(fold) for fold in quality.fit.folds],
                }
        if self.store is not None and self.written is not None:
            said |= {"store": str(self.store.path), "written": self.written.to_json()}
        return said

    def _teachers(self) -> list[dict[str, Any]]:
        names = self.ensemble.names
        return [
            {"teacher": member, "name": names[member], "weight": weight}
            for member, weight in self.ensemble.weights.items()
        ]


@verb_with_stores("store", "out")
def ensemble(
    store: ScoreStore | Place,
    teachers: str | Sequence[str],
    out: Place | None = None,
    *,
    calibrate: str = "zscore",
    missing: str = "error",
    weights: Sequence[float] | None = None,
    reference: str | None = None,
    eval_data: Data | None = None,
    split: str = "test",
    fit: bool = False,
    name: str = "ensemble",
    seed: int = 0,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Ensembled:
    """Calibrate and average several teachers of a store, query by query; nothing is scored again.

    Args:
        store: the score store that holds the teachers.
        teachers: names, ids, or starts of ids.
        out: new store to write the ensemble to, as one teacher; one that holds exactly this is left as it is.
        calibrate: `none`, `zscore`, `minmax`, `percentile`, `rank`, `rrf`, `affine` or `affine-store`.
        missing: pairs that only some teachers scored: `error`, `intersect` (drop) or `impute` (minimum).
        weights: one a teacher; equal unless given.
        reference: teacher to whose mean and deviation the scores are mapped.
        eval_data: collection with the judgements to assess it on.
        split: which judgements.
        fit: fit weights to the judgements, cross-validated; `out` then has them.
        name: what the ensemble is called in `out`.
        seed: of the permutations and resamples.
        ignore_identical_ids: whether the document that has the query's own id is left out; as `meta.json` says unless
            given, see `rankdistill.data.identical_ids`.
        progress: True tells on standard error; or a function that takes the number of pairs just written.
        command: the command line, for the manifest.

    Returns:
        The ensemble with what came of it: `ensemble`, `assessed`, and `store` where it was written.

    Raises:
        ConfigError: nothing to do; settings that do not fit together; see `rankdistill.Ensemble`.
        StoreError: no such teacher, or scores are missing.
        DataError: no store, no such collection or split, or no teacher scored a judged query.
        StaleOutputError: `out` holds something else.
    """
    if eval_data is None and (fit or out is None):
        raise ConfigError(
            expected="qrels to assess the ensemble on, or an output",
            got="--fit without --eval-data" if fit else "neither --eval-data nor --out",
            consequence="nothing was read",
            remedy="give eval_data (--eval-data DIR --split SPLIT), or out (--out STORE)",
        )
    chosen = Ensemble(score_store_of(store), listed(teachers), calibrate, missing, weights, reference)
    assessed = None
    if eval_data is not None:
        dataset = collection_of(eval_data, [split], ignore_identical_ids=ignore_identical_ids)
        qrels = dataset.qrels(split)
        quality = ensembles.assess(chosen, qrels, fit=fit, seed=seed, own=dataset.own_documents)
        assessed = Assessed(dataset.path.name, split, len(qrels), quality)
        if quality.fit is not None:
            chosen = chosen.weighing([quality.fit.weights[member] for member in chosen.members])
    if out is None:
        return Ensembled(chosen, assessed)
    folder = place_of(out)
    with reporter_of(progress).stage("ensemble", "pairs") as stage:
        coverage = materialising.write(chosen, folder, name=name, command=command, progress=stage)
    return Ensembled(chosen, assessed, ScoreStore(folder), coverage)
