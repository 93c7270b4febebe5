"""`rankdistill ensemble`: several teachers as one, assessed, weighed and written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.locations import place
from rankdistill.cli.options import IdenticalIds

if TYPE_CHECKING:
    from rankdistill.ensembles.combining import Coverage
    from rankdistill.ensembles.source import Ensemble
    from rankdistill.evaluation.ensembles import Quality


def ensemble(
    store: Annotated[
        Path, typer.Option(help="Score store that holds the teachers; also s3://...", parser=place, metavar="STORE")
    ],
    teachers: Annotated[str, typer.Option(help="Names, ids, or starts of these, with commas between them.")],
    calibrate: Annotated[
        str, typer.Option(help="none, zscore, minmax, percentile, rank, rrf, affine or affine-store.")
    ] = "zscore",
    missing: Annotated[
        str, typer.Option(help="Pairs that only some teachers scored: error, intersect (drop) or impute (minimum).")
    ] = "error",
    weights: Annotated[
        str | None, typer.Option(help="One a teacher, with commas between them; equal by default.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Teacher, named likewise, to whose mean and deviation the scores are mapped.")
    ] = None,
    eval_data: Annotated[Path | None, typer.Option(help="BEIR folder with the qrels to assess it on.")] = None,
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit weights to the qrels, cross-validated; --out then uses them.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="New store to write the ensemble to, as one teacher.", parser=place, metavar="STORE"),
    ] = None,
    name: Annotated[str, typer.Option(help="What the ensemble is called in that store.")] = "ensemble",
    seed: Annotated[int, typer.Option(help="Of the permutations and resamples.")] = 0,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Calibrate and average several teachers of a store, query by query; nothing is scored again."""
    from rankdistill.cli.ensembles import parse_teachers, parse_weights
    from rankdistill.ensembles.source import Ensemble
    from rankdistill.errors import ConfigError
    from rankdistill.stores.reader import ScoreStore

    if eval_data is None and (fit or out is None):
        raise ConfigError(
            expected="qrels to assess the ensemble on, or an output",
            got="--fit without --eval-data" if fit else "neither --eval-data nor --out",
            consequence="nothing was read",
            remedy="give --eval-data DIR --split SPLIT, or --out STORE",
        )
    chosen = Ensemble(
        ScoreStore(store), parse_teachers(teachers), calibrate, missing, parse_weights(weights), reference
    )
    if eval_data is not None:
        quality = _assess(chosen, eval_data, split, fit, seed, ignore_identical_ids)
        if quality.fit is not None:
            chosen = chosen.weighing([quality.fit.weights[member] for member in chosen.members])
    if out is not None:
        _write(chosen, out, name)


def _assess(
    chosen: Ensemble, data: Path, split: str, fit: bool, seed: int, ignore_identical_ids: bool | None
) -> Quality:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import ensembles

    dataset = open_collection(data, split, ignore_identical_ids=ignore_identical_ids)
    qrels = dataset.qrels(split)
    quality = ensembles.assess(chosen, qrels, fit=fit, seed=seed, own=dataset.own_documents)
    title = f"{data.name}, {split}: {quality.queries} of {len(qrels)} queries; {chosen.calibrate}, {chosen.missing}"
    show(title, *ensembles.quality_rows(quality))
    if quality.fit is not None:
        show("weights, with their range over the folds", *ensembles.weight_rows(quality.fit, chosen.names))
    _show_coverage(f"{split}: ", quality.coverage, chosen)
    return quality


def _write(chosen: Ensemble, out: Path, name: str) -> None:
    from rankdistill.ensembles import materialising
    from rankdistill.teachers.names import beside

    with console.progress("pairs") as bar:
        task = bar.add_task("ensemble", total=None)
        coverage = materialising.write(
            chosen, out, name=name, command=console.command(), progress=lambda done: bar.advance(task, done)
        )
        bar.remove_task(task)
    _show_coverage(f"{out}: ", coverage, chosen)
    console.out.print(f"{out}: {beside(name, chosen.teacher_id)}", markup=False, highlight=False, soft_wrap=True)


def _show_coverage(where: str, coverage: Coverage, chosen: Ensemble) -> None:
    """Print what was missing."""
    lacking = [f"{chosen.names[member]} lacks {count:,}" for member, count in coverage.missing.items() if count]
    line = f"{where}{coverage.wanted:,} pairs; {'; '.join(lacking) or 'every teacher scored all'}"
    if coverage.dropped:
        line += f"; {coverage.dropped:,} dropped"
    if coverage.imputed:
        line += f"; {coverage.imputed:,} scores imputed"
    console.out.print(line, highlight=False, soft_wrap=True)
