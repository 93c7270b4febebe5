"""A finished student, read only: what it is, what its training log tells, and the encoder or scorer that it is."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest
from rankdistill.display import Shown, Table
from rankdistill.teachers.teaching import training_log
from rankdistill.training.config import SCORE_PAIRS, SPARSE_TYPES

if TYPE_CHECKING:
    import polars as pl

    from rankdistill.inference import TextEncoder
    from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
    from rankdistill.inference.sparse_encoder import SparseTextEncoder
    from rankdistill.teachers.base import PairTeacher

ARTEFACT = "student"


class Student(Shown):
    """A finished student; it prints as what its training saw, and what came of it on dev splits.

    Args:
        path: its folder, a plain sentence-transformers model with `manifest.json` and `training_log.json`.

    Raises:
        DataError: the folder is absent, holds something else, or training has not finished (no manifest).
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.manifest = manifest.expect(self.path, ARTEFACT, "train")

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Student({str(self.path)!r}: {self.type}, trained with {self.manifest.parameters.get('loss')})"

    @property
    def type(self) -> str:
        """What it is: `dense`, `splade`, `multi-vector`, `cross-encoder`, ...; aligned students are dense."""
        return str(self.manifest.parameters.get("type") or "dense")

    @cached_property
    def log(self) -> dict[str, Any]:
        """What `training_log.json` tells: `steps`, `best_step`, the `loss` curve, and what it was trained on.

        Raises:
            DataError: the file is missing or damaged.
        """
        return training_log.read(self.path)

    def open(self, backend: str = "auto") -> TextEncoder | SparseTextEncoder | MultiVectorTextEncoder | PairTeacher:
        """The model, ready for use: `encode_queries` and `encode_documents`, or `score` of one that scores pairs.

        Args:
            backend: what runs it, as `torch`; see `TextEncoder`.

        Raises:
            ModelReferenceError: the model does not load.
        """
        reference = str(self.path)
        if self.type in SCORE_PAIRS:
            from rankdistill.teachers import load

            return load(reference, backend=backend)
        if self.type in SPARSE_TYPES:
            from rankdistill.inference.sparse_encoder import SparseTextEncoder

            return SparseTextEncoder(reference, backend)
        if self.type == "multi-vector":
            from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder

            return MultiVectorTextEncoder(reference, backend)
        from rankdistill.inference import TextEncoder

        return TextEncoder(reference, backend=backend)

    def tables(self) -> list[Table]:
        """The shapes tried for its size; of an aligned student, the measures of what was kept and of the start."""
        return [*self._sizes(), *self._measures()]

    def _sizes(self) -> list[Table]:
        rows = self.log.get("sizes") or []
        if not rows:
            return []
        measure = next((row["measure"] for row in rows if "measure" in row), "dev nDCG@10")
        names = ["layers", "width", "vocabulary", "storage", "coverage", "MB", "fitted cosine", measure, ""]
        return [Table("shapes that fit", names, [_shape_row(row) for row in rows])]

    def _measures(self) -> list[Table]:
        points = {point["step"]: point for point in self.log.get("monitor") or []}
        if not points:
            return []
        before, after = points[0], points.get(self.log["best_step"], points[max(points)])
        averaged = self.log.get("averaged") or {}
        if averaged.keys() >= before.keys() - {"step"}:
            after = averaged
        rows = [[name, f"{before[name]:.4f}", f"{after[name]:.4f}"] for name in before if name != "step"]
        return [Table("while training", ["measure", "before", self._kept(after.get("step"))], rows)]

    def _kept(self, step: int | None) -> str:
        """Which weights it has: those of a step, or an average."""
        averaged = self.log.get("averaged") or {}
        if "steps" in averaged:
            return f"mean of steps {', '.join(map(str, averaged['steps']))}"
        return f"moving average at step {step}" if averaged else f"step {step}"

    def lines(self) -> list[str]:
        """What it was trained on, nDCG@10 on the dev split before and after, and where it lies."""
        found = []
        for name, count in (self.log.get("view") or self.log.get("texts") or {}).items():
            if count:
                parts = {"": count} if isinstance(count, int) else count
                told = ", ".join(f"{part} {number:,}".lstrip() for part, number in parts.items())
                found.append(f"{name.replace('_', ' ')}: {told}")
        cut = self.log.get("truncation") or {}
        if cut.get("over_long"):
            found.append(
                f"over-long texts, read to the student's limit: {cut['over_long']:,} of {cut['examined']:,} examined"
            )
        scores = {point["step"]: point["value"] for point in self.log.get("dev_ndcg_at_10") or []}
        if scores:
            best = self.log["best_step"]
            after = (self.log.get("averaged") or {}).get("value", scores[best])
            found.append(f"dev nDCG@10: {scores[0]:.4f} before, {after:.4f} at {self._kept(best)}")
        if stored := self.log.get("stored"):
            found.append(f"stored as {stored['storage']}: {stored['bytes'] / 1e6:.2f} MB")
        return [*found, f"student: {self.path}"]

    def to_polars(self) -> pl.DataFrame:
        """A row a step that the log tells of: `step`, the loss curve, and the measures on dev splits, null elsewhere.

        Step 0 is the student before training. Measures of one dev split begin with `dev_`; those of an alignment have
        the names that its table shows.
        """
        import polars as pl

        rows: dict[int, dict[str, Any]] = {}
        for point in self._points():
            rows.setdefault(point["step"], {}).update(point)
        return pl.DataFrame([rows[step] for step in sorted(rows)], infer_schema_length=None)

    def _points(self) -> list[dict[str, Any]]:
        """The points of the loss curve, and those of the evaluations."""
        named = {"step": "step", "value": "dev_ndcg_at_10"}
        dev = [
            {named.get(name, f"dev_{name}"): number for name, number in point.items()}
            for point in self.log.get("dev_ndcg_at_10") or []
        ]
        return [*dev, *self.log.get("loss", []), *(self.log.get("monitor") or [])]

    def to_json(self) -> dict[str, Any]:
        """Folder, type, and all that the log tells."""
        return {"student": str(self.path), **self.log, "type": self.type}


def _shape_row(row: dict[str, Any]) -> list[str]:
    numbers = [f"{row[name]:.4f}" if name in row else "" for name in ("fitted_cosine", "value")]
    layers = "" if row["layers"] is None else str(row["layers"])
    shape = [layers, str(row["width"]), f"{row['vocabulary']:,}", row["storage"], f"{row['coverage']:.4f}"]
    return [*shape, f"{row['bytes'] / 1e6:.2f}", *numbers, "chosen" if row["chosen"] else ""]
