"""`rankdistill fuse`: several runs as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.retrieve import Retriever
    from rankdistill.fusion import Fusion


def fuse(
    runs: Annotated[
        list[str],
        typer.Option(help="Folders of `rankdistill evaluate`, TREC or Parquet run files: A,B; may be repeated."),
    ],
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    method: Annotated[str, typer.Option(help="rrf, min_max or z_score.")] = "rrf",
    weights: Annotated[str | None, typer.Option(help="One a run, as 0.7,0.3; equal unless given.")] = None,
    rrf_k: Annotated[float, typer.Option("--rrf-k", help="Constant of rrf.")] = 60,
    fit_on: Annotated[str | None, typer.Option(help="Split that the weights are fitted on; no test split.")] = None,
    fit_runs: Annotated[
        list[str], typer.Option(help="Runs of the same systems, in the same order, on the split of --fit-on.")
    ] = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, per_query.parquet and the run.")] = None,
    name: Annotated[str | None, typer.Option(help="What tables call the fused system.")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Fuse runs and evaluate the result beside them; weights are given, or fitted on runs of a dev split."""
    from rankdistill.cli.fusing import parse_weights
    from rankdistill.evaluation import evaluating
    from rankdistill.evaluation.fused import FusedRetriever
    from rankdistill.fusion import Fusion

    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    fusion = Fusion(method, parse_weights(weights), rrf_k)
    parts = _open(runs, dataset, split)
    fusion.require_systems(len(parts))
    if fit_on is not None or fit_runs:
        fusion = _fit(fusion, len(parts), fit_runs, dataset, fit_on, split)
    fused = FusedRetriever(parts, fusion, name=name)
    if out is not None:
        evaluating.evaluate(fused, dataset, split, out, command=console.command())
    _show([*parts, fused], dataset, split)


def _open(runs: Sequence[str], dataset: Dataset, split: str) -> list[Retriever]:
    from rankdistill.cli.runs import open_run

    paths = [Path(path.strip()) for given in runs for path in given.split(",") if path.strip()]
    return [open_run(path, dataset, split) for path in paths]


def _fit(
    fusion: Fusion, systems: int, fit_runs: Sequence[str], dataset: Dataset, fit_on: str | None, split: str
) -> Fusion:
    """Fit the weights, and print them."""
    from rankdistill.cli.fusing import fit
    from rankdistill.errors import ConfigError
    from rankdistill.evaluation.fused import require_no_test

    if fit_on is not None:
        require_no_test(dataset, fit_on, split)
    parts = _open(fit_runs, dataset, fit_on) if fit_on is not None else []
    if fit_on is None or len(parts) != systems or fusion.weights is not None:
        raise ConfigError(
            expected=f"--fit-on SPLIT with --fit-runs of {systems} runs, or --weights, or neither",
            got=f"--fit-on {fit_on}, {len(fit_runs)} --fit-runs of {len(parts)} runs, weights {fusion.weights}",
            consequence="nothing was fused",
            remedy="give one run on that split for each of --runs, in the same order",
        )
    return fit(parts, fusion, dataset, fit_on, split)


def _show(systems: Sequence[Retriever], dataset: Dataset, split: str) -> None:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation.evaluating import DEPTH
    from rankdistill.evaluation.measures import evaluate_run
    from rankdistill.evaluation.report import system_rows
    from rankdistill.evaluation.results import Results, System
    from rankdistill.evaluation.retrieve import answer

    queries, qrels = dataset.queries(split), dataset.qrels(split)
    rows = []
    for one in systems:
        means = evaluate_run(answer(one, dataset, queries, DEPTH), qrels).means
        rows.append(System(name=one.name, measures=means))
    found = Results(title="", data=dataset.name, split=split, queries=len(qrels), systems=rows)
    show(f"{dataset.name}, {split}, {len(qrels)} queries", *system_rows(found))
