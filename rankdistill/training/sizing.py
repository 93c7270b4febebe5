"""The shape of a student on scores that must not be larger than so many bytes: the best on dev of those that fit.

Shapes differ in layers, vocabulary and storage. A few, from the deepest to the shallowest, are trained for a share of
the steps; the best of these on the dev split is the student's. What was trained is kept with the run's checkpoints, so
that an interrupted choice goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.inference.storage import shipped_bytes
from rankdistill.manifest import Manifest
from rankdistill.notes import tell
from rankdistill.students import shapes
from rankdistill.students.shapes import MEGABYTE, Shape
from rankdistill.students.targets import spaced
from rankdistill.training import processes
from rankdistill.training.form import Form

FOLDER = "sizes"
SHARE = 0.1
"""Of the steps that each shape is trained for."""
TRIED = 3
"""Shapes that are trained."""


def choose(
    model: Any,
    form: Form,
    texts: Iterable[str],
    steps: int,
    folder: Path,
    train: Callable[[Form, int, Path], Mapping[str, float]],
) -> tuple[Form, list[dict[str, Any]]]:
    """The best form, and what the log tells of each.

    Args:
        model: what is cut; left as it is.
        form: what is asked for.
        texts: whose tokens are counted.
        steps: of the whole training.
        folder: where students of the shapes are kept.
        train: (form, steps, folder) -> `value`, the dev measure of a student that was trained so, as stored.

    Raises:
        ConfigError: nothing fits, or several processes train.
        ModelReferenceError: a student whose vocabulary or layers are not known.
    """
    require_one_process()
    found = shapes.of_encoder(model, form.settings(), texts, int((form.max_mb or 0) * MEGABYTE), None, narrower=False)
    deepest = sorted(found, key=lambda shape: (-(shape.layers or 0), -shape.coverage))
    tried = [deepest[row] for row in spaced(len(deepest), TRIED)]
    rows = [_told(shape) for shape in tried]
    short = max(1, round(steps * SHARE))
    for shape, row in zip(tried, rows, strict=True):
        if len(tried) > 1:
            row |= {"steps": short, "value": train(_form(shape, form), short, folder / shape.name)["value"]}
            tell(f"{shape.name}: at most {shape.most_bytes / MEGABYTE:.2f} MB, dev nDCG@10 {row['value']:.4f}")
    best = max(range(len(rows)), key=lambda number: rows[number].get("value", 0.0))
    for number, row in enumerate(rows):
        row["chosen"] = number == best
    return _form(tried[best], form), rows


def _told(shape: Shape) -> dict[str, Any]:
    return {
        "shape": shape.name,
        "layers": shape.layers,
        "width": shape.width,
        "vocabulary": shape.vocabulary,
        "storage": shape.storage,
        "coverage": round(shape.coverage, 6),
        "bytes": shape.most_bytes,
    }


def _form(shape: Shape, asked: Form) -> Form:
    return Form(shape.changes.get("keep_layers", asked.keep_layers), shape.changes.get("vocabulary"), shape.storage)


def sizes_folder(checkpoints: Path, wanted: Manifest) -> Path:
    """Where the shapes of the run `wanted` are tried: one with other inputs or settings has another."""
    return checkpoints / FOLDER / wanted.identity[:12]


def require_dev(form: Form, dev_split: str | None) -> None:
    """Raise ConfigError for a size without a dev split, which its shapes are compared on."""
    if form.max_mb is not None and dev_split is None:
        raise ConfigError(
            expected="a dev split (dev_split, --dev-split) beside max_mb, to choose the student's shape on",
            got="none",
            consequence="nothing was trained",
            remedy="name one, or name the shape yourself: keep_layers, vocabulary, storage",
        )


def require_one_process() -> None:
    """Raise ConfigError where several processes train: shapes are chosen by one."""
    if processes.count() > 1:
        raise ConfigError(
            expected="one process, which chooses the student's shape",
            got=f"max_mb, and {processes.count()} processes",
            consequence="nothing was trained",
            remedy="train without torchrun, or name the shape yourself: keep_layers, hidden_size, vocabulary, storage",
        )


def require_within(folder: Path, max_mb: float | None) -> None:
    """Raise ConfigError where the files in `folder` take more than that; None: whatever they take."""
    size = shipped_bytes(folder)
    if max_mb is not None and size > max_mb * MEGABYTE:
        raise ConfigError(
            expected=f"a student of at most {max_mb:g} MB",
            got=f"{size / MEGABYTE:.3f} MB",
            consequence="the student was trained, but is larger than asked for, and is not finished",
            remedy="set max_mb a little lower, and report this: the estimate of its size was wrong",
        )
