"""`fuse`: several runs as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation import evaluating
from rankdistill.evaluation.fused import Fitted, FusedRetriever, require_no_test
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.fusion import Fusion
from rankdistill.fusion.rrf import CONSTANT
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.verbs.arguments import Data, Place, collection_of, listed, place_of, require_title
from rankdistill.verbs.contract import verb
from rankdistill.verbs.runs import Beside, measured, open_run
from rankdistill.verbs.weighing import fit


class Fused(Beside):
    """Runs, and what they are together.

    Args:
        beside: the systems, the fused one last.
        fusion: the method, with the weights that were given or fitted.
    """

    def __init__(self, beside: Beside, fusion: Fusion) -> None:
        super().__init__(beside.data, beside.split, beside.queries, beside.systems, beside.evaluation, beside.lines())
        self.fusion = fusion

    def to_json(self) -> dict[str, Any]:
        """The systems and the fusion, and the folder of the evaluation where there is one."""
        return {**super().to_json(), "fusion": dict(self.fusion.parameters)}


@verb
def fuse(
    data: Data,
    runs: Sequence[Place],
    out: Place | None = None,
    *,
    split: str = "test",
    method: str = "rrf",
    weights: Sequence[float] | None = None,
    rrf_k: float = CONSTANT,
    fit_on: str | None = None,
    fit_runs: Sequence[Place] = (),
    name: str | None = None,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Fused:
    """Fuse runs and evaluate the result beside them; weights are given, or fitted on runs of a dev split.

    Args:
        data: the collection.
        runs: evaluations or their folders, TREC or Parquet run files.
        out: folder for results.json, per_query.parquet and the fused run; None: nothing is written.
        split: which qrels.
        method: `rrf`, `min_max` or `z_score`.
        weights: one a run; equal unless given.
        rrf_k: constant of rrf.
        fit_on: split that the weights are fitted on; no test split.
        fit_runs: runs of the same systems, in the same order, on the split of `fit_on`.
        name: what tables call the fused system.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.mine`.
        progress: True tells on standard error; or a function that takes the number of weights just tried.
        command: the command line, for the manifest.

    Returns:
        Every run and the fused one; it stands for the folder of the fused one's evaluation.

    Raises:
        ConfigError: fewer than two runs, no such method, weights that do not fit, or a split that would tell too much.
        DataError: the collection cannot be used, or a run is not of it.
        StaleOutputError: `out` holds another evaluation.
    """
    require_title(name)
    dataset = collection_of(data, [split], lenient, ignore_identical_ids)
    if method != "rrf" and rrf_k != CONSTANT:
        raise ConfigError(
            expected="the constant of rrf beside the method rrf alone",
            got=f"rrf_k {rrf_k:g} beside {method}",
            consequence="nothing was fused: it would have no effect",
            remedy="leave it out, or fuse by rrf",
        )
    fusion = Fusion(method, None if weights is None else tuple(weights), rrf_k)
    parts = _open(runs, dataset, split)
    fusion.require_systems(len(parts))
    fitted = None
    if fit_on is not None or fit_runs:
        fitted = _fitted(fusion, len(parts), fit_runs, dataset, fit_on, split, reporter_of(progress))
        fusion = fitted.fusion
    fused = FusedRetriever(parts, fusion, name=name)
    evaluation = None
    if out is not None:
        evaluation = evaluating.evaluate(fused, dataset, split, place_of(out), command=command)
    everyone: list[Retriever] = [*parts, fused]
    systems = [measured(one, dataset, split) for one in everyone]
    remarks = [] if fitted is None else [str(fitted)]
    return Fused(Beside(dataset.name, split, len(dataset.qrels(split)), systems, evaluation, remarks), fusion)


def _open(runs: Sequence[Place], dataset: Dataset, split: str) -> list[StoredRun]:
    return [open_run(run, dataset, split) for run in listed(runs)]


def _fitted(
    fusion: Fusion,
    systems: int,
    fit_runs: Sequence[Place],
    dataset: Dataset,
    fit_on: str | None,
    split: str,
    reporter: Reporter,
) -> Fitted:
    if fit_on is not None:
        require_no_test(dataset, fit_on, split)
    parts = _open(fit_runs, dataset, fit_on) if fit_on is not None else []
    if fit_on is None or len(parts) != systems or fusion.weights is not None:
        raise ConfigError(
            expected=f"a split to fit on (--fit-on) with {systems} runs on it (--fit-runs), or weights, or neither",
            got=f"fit_on {fit_on}, {len(fit_runs)} fit_runs, weights {fusion.weights}",
            consequence="nothing was fused",
            remedy="give one run on that split for each of the runs, in the same order",
        )
    return fit(parts, fusion, dataset, fit_on, split, reporter)
