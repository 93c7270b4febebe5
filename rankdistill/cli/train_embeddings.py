"""`rankdistill train --embeddings`: a student aligned to its teacher's vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection

if TYPE_CHECKING:
    from rankdistill.training.alignment.dev_sets import Dev


def dev_sets(
    folders: Sequence[Path], splits: Sequence[str], lenient: bool, ignore_identical_ids: bool | None
) -> list[Dev]:
    """The dev splits of `--dev-data` and `--dev-split`: one split for all folders, or one each.

    Raises:
        ConfigError: another number of splits than of folders.
        DataError: a folder is no data set, or has no such split.
    """
    from rankdistill.errors import ConfigError
    from rankdistill.training.alignment.dev_sets import Dev

    if len(splits) != len(folders) and (len(splits) != 1 or not folders):
        raise ConfigError(
            expected="one --dev-split, or one for each --dev-data",
            got=f"{len(folders)} --dev-data and {len(splits)} --dev-split",
            consequence="nothing was trained",
            remedy="give --dev-data DIR --dev-split dev, once for each data set",
        )
    found = []
    for folder, split in zip(
        folders, splits if len(splits) == len(folders) else list(splits) * len(folders), strict=True
    ):
        found.append(Dev(open_collection(folder, split, lenient, ignore_identical_ids), split))
    return found


def run(
    embeddings: Path,
    student: str,
    out: Path,
    config: Path | None,
    settings: dict[str, object],
    layers: list[int] | None,
    dev: Sequence[Dev],
    allow_test: bool,
) -> None:
    """Align, with a bar, and print what came of it; settings that are None are the file's, or the defaults."""
    from rankdistill.training.alignment import config as reading

    chosen = reading.read(config, **settings)  # before the heavy imports

    from rankdistill import EmbeddingStore
    from rankdistill.training.alignment.run import align

    with console.progress("steps") as bar:
        task = bar.add_task("aligning", total=None)
        align(
            EmbeddingStore(embeddings),
            student,
            out,
            chosen,
            keep_layers=layers,
            dev=dev,
            allow_test=allow_test,
            planned=lambda steps: bar.update(task, total=steps),
            progress=lambda done: bar.advance(task, done),
            command=console.command(),
        )
        done = bar.tasks[0].completed
        if not done:
            bar.remove_task(task)
    if not done:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    _summarise(out)


def _summarise(out: Path) -> None:
    """Print what the log tells."""
    import json

    from rankdistill.training.artefact import LOG_FILE

    log = json.loads((out / LOG_FILE).read_text(encoding="utf-8"))
    for name, count in log["texts"].items():
        if count:
            console.out.print(f"{name.replace('_', ' ')}: {count:,}", highlight=False)
    cut = log["truncation"]
    if cut["over_long"]:
        line = f"over-long texts, read to the student's limit: {cut['over_long']:,} of {cut['examined']:,} examined"
        console.out.print(line, highlight=False)
    points = {point["step"]: point for point in log["monitor"]}
    if points:
        _show(points[0], points.get(log["best_step"], points[max(points)]))
    console.out.print(f"student: {out}", highlight=False, soft_wrap=True)


def _show(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The measures of the kept step beside those of the start."""
    from rich.table import Table

    table = Table("measure", "before", f"step {after['step']}", box=None)
    for name in after:
        if name != "step":
            table.add_row(name, f"{before[name]:.4f}", f"{after[name]:.4f}")
    console.out.print(table)
