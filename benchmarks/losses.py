"""One table of every loss: the same start, teacher, texts and steps; only the loss differs.

    python -m benchmarks.losses --data DIR --work WORK
    python -m benchmarks.losses --data DIR --work WORK --sets scifact --only pld,tgeo
    python -m benchmarks.losses --data DIR --work WORK --report

The student is the query side of two layers of all-MiniLM-L6-v2 that were aligned with the whole model's vectors; the
documents stay as the whole model, which is the teacher too, embeds them (`--starts aligned` trains both sides instead).
It is trained with every loss on scores of `rankdistill.names.LOSSES`, over a query's own candidates, and once more over
those of the whole batch where the loss has such a form; with contrastive training beside which an auxiliary head learns
from the teacher; and with the losses of `ALIGNMENTS`, on as many texts a step.
What a loss calls temperature is half the deviation of the teacher's scores of a query; its other settings have their
defaults. The learning rate is chosen with the first seed on training queries that are kept apart (`choice`); the
collections' own splits are only reported, over all seeds, with paired tests (Holm) against the start as it is and
against contrastive training.

Cells are those of `benchmarks.when_it_pays`: with its `--work`, and equal steps, what it has done is not done again. A
run that was interrupted goes on, and two at once share the work. `LEFT_OUT` says what is not in the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import student_cells
from benchmarks.provenance import parse, write_results
from benchmarks.student_cells import CONTRASTIVE, QUERIES, TEACHERS, Cell, Cells, Objective
from benchmarks.student_sets import MEASURE
from benchmarks.when_it_pays import OBJECTIVES as PAYING
from rankdistill.display import Table
from rankdistill.names import ALIGNMENTS, LOSSES, REGULARISERS, has_in_batch_form
from rankdistill.verbs.settings import AlignConfig, TrainConfig

LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(REGULARISERS, "goes beside a loss, on term weights, which a dense student has not"),
    "nd": "trains the lengths of vectors, which all-MiniLM-L6-v2 and its students have not",
    "token_relations": "compares token vectors, beside a loss on scores of a multi-vector student",
}
"""What is no row -> why.

Sparse and multi-vector students take the losses on scores too, but train both sides, at twenty times a cell's time.
"""

EQUAL: Mapping[str, Any] = {name: TrainConfig.model_fields[name].default for name in ("warmup", "weight_decay")}
"""Settings that a loss may have been published with, beside those of all cells, and that are the same for all here."""


BESIDE: Mapping[str, Mapping[str, Any]] = {"lelp": {"extra": {"lelp": 1.0}}}
"""Alignment losses that see a part of the vectors only -> the settings that put them beside the default one."""


def _objectives() -> Iterator[tuple[str, Objective]]:
    for name, loss in LOSSES.items():
        plain = {"loss": name} | {key: value for key, value in EQUAL.items() if key in loss.settings}
        yield _named(name, Objective(plain, taught=not loss.labels))
        if has_in_batch_form(name):
            yield _named(f"{name} in batch", Objective(plain, in_batch=True))
    yield "dual heads", Objective({"loss": "contrastive", "auxiliary_head_weight": 1.0})
    for name in ALIGNMENTS:
        if name in LEFT_OUT:
            continue
        settings = {} if name == AlignConfig.model_fields["loss"].default else BESIDE.get(name, {"loss": name})
        starts = ("aligned", QUERIES)
        yield _named(f"alignment {name}", Objective(settings, taught=False, starts=starts, texts=True))


def _named(name: str, objective: Objective) -> tuple[str, Objective]:
    """Under the name that `benchmarks.when_it_pays` has for the same, so that their cells are one."""
    return next(((known, one) for known, one in PAYING.items() if one == objective), (name, objective))


OBJECTIVES: Mapping[str, Objective] = dict(_objectives())


def main() -> None:
    """Make what is missing, print the tables, and write benchmarks/results/losses_COLLECTION.json of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    student_cells.add_arguments(parser, ["dense"], [QUERIES], "runs/when_it_pays")
    parser.set_defaults(sets=["msmarco_mini", "scifact"])
    given = parse(parser)
    if unknown := {*given.teachers} - {*TEACHERS}:
        parser.error(f"--teachers: {', '.join(sorted(unknown))} is none of {', '.join(TEACHERS)}")
    for name, cells in student_cells.run(given, OBJECTIVES):
        found = cells.report()
        tables = {split: table(cells, found, split) for split in cells.splits}
        for one in tables.values():
            print(f"\n== {name}, {one.title}\n{one.text()}")
        said = {split: [dict(zip(one.header, row, strict=True)) for row in one.rows] for split, one in tables.items()}
        content = {**student_cells.asked(given), "left_out": dict(LEFT_OUT), "table": said, **found}
        print(write_results(f"losses_{name}", content, name))


def table(cells: Cells, found: Mapping[str, Any], split: str) -> Table:
    """A row for each loss, the best first: nDCG@10, and its differences from the start and from contrastive training.

    Args:
        cells: of the collection.
        found: what `Cells.report` gave.
        split: of the collection.
    """
    rows = []
    for system in cells.systems():
        start = system[0]
        rate = cells.rate(*system)
        called = Cell(*system, 0.0, 0).system
        against = found[split].get(start), found[split].get(f"{start}: {CONTRASTIVE}")
        mean = next((mean for one in against if one for mean in _means(one, called)), None)
        if rate is None or mean is None:
            continue
        differences = [_difference(one, called) for one in against]
        rows.append((mean[0], [called, f"{rate:g}", f"{mean[0]:.4f}", f"{mean[1]:.4f}", *differences]))
    header = ["loss", "rate", "nDCG@10", "sd of seeds", "against the start", "against contrastive"]
    return Table(split, header, [row for _, row in sorted(rows, key=lambda one: -one[0])])


def _means(compared: Mapping[str, Any], system: str) -> Iterator[tuple[float, float]]:
    for one in compared["systems"]:
        if one["name"] == system:
            yield one["measures"][MEASURE], one["deviations"].get(MEASURE, 0.0)


def _difference(compared: Mapping[str, Any] | None, system: str) -> str:
    for one in (compared or {}).get("comparisons", ()):
        if one["system"] == system and one["measure"] == MEASURE:
            return f"{one['difference']:+.4f} (Holm p {one['p_holm']:.4f})"
    return ""


if __name__ == "__main__":
    main()
