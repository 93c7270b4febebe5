"""A finished teacher of `teach`, read only: what its training log tells, and where it lies."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest
from rankdistill.display import Shown, Table
from rankdistill.errors import WorseTeacherError
from rankdistill.teachers.teach import ARTEFACT
from rankdistill.teachers.teaching import beside, training_log
from rankdistill.teachers.teaching.reranking import METRIC

if TYPE_CHECKING:
    import polars as pl

    from rankdistill.teachers.base import PairTeacher


class TaughtTeacher(Shown):
    """A finished teacher, a plain sentence-transformers `CrossEncoder`; it prints as its dev figures before and after.

    Verbs take it wherever they take a model.

    Args:
        path: its folder, with `manifest.json` and `training_log.json`.
        allow_worse: whether `require` lets one pass that ranks worse than something beside it.

    Raises:
        DataError: the folder is absent, holds something else, or training has not finished (no manifest).
    """

    def __init__(self, path: str | PathLike[str], allow_worse: bool = False) -> None:
        self.path, self.allow_worse = Path(path), allow_worse
        self.manifest = manifest.expect(self.path, ARTEFACT, "teach")

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        dev = f", dev nDCG@10 {self.before:.4f} before, {self.after:.4f} after" if self.figures else ""
        return f"TaughtTeacher({str(self.path)!r}: {self.log['steps']:,} steps of {self._loss}{dev})"

    @cached_property
    def log(self) -> dict[str, Any]:
        """What `training_log.json` tells: `positives`, `steps`, the `loss` curve, and the figures on the dev split.

        Raises:
            DataError: the file is missing or damaged.
        """
        return training_log.read(self.path)

    @property
    def loss(self) -> dict[int, float]:
        """Optimiser step -> loss."""
        return {point["step"]: point["loss"] for point in self.log.get("loss", [])}

    @property
    def figures(self) -> dict[int, float]:
        """Optimiser step -> nDCG@10 of the dev candidates, re-ranked; step 0 is the base. None without such."""
        return {point["step"]: point["value"] for point in self.log.get(METRIC, [])}

    @property
    def before(self) -> float | None:
        """nDCG@10 on the dev split of the base with a new head; None without dev candidates."""
        return next(iter(self.figures.values()), None)

    @property
    def after(self) -> float | None:
        """nDCG@10 on the dev split at the end; None without dev candidates."""
        return next(reversed(self.figures.values()), None)

    @property
    def is_worse(self) -> bool | None:
        """Whether BM25, a source of the dev candidates or the base ranks them better; None without such candidates."""
        return bool(beside.better(self.log)) if beside.LOG_NAME in self.log else None

    def require(self, allow_worse: bool | None = None) -> None:
        """Raise WorseTeacherError if something beside it ranks better; the folder stays as it is.

        Args:
            allow_worse: let it pass; as `teach` was told unless given.
        """
        allowed = self.allow_worse if allow_worse is None else allow_worse
        if allowed or not self.is_worse:
            return
        raise WorseTeacherError(
            expected="a teacher that ranks the dev candidates no worse than BM25, their own order and its base model",
            got=" ".join(beside.verdict(self.log)),
            consequence=f"students would learn a worse order from it; {self.path} is kept, finished",
            remedy="teach it for longer, on more labels or from another base; or distil from what ranks better, or "
            "from an ensemble of both (docs/teachers.md); --allow-worse (allow_worse=True, in a recipe "
            "teacher.allow_worse=true) lets it pass",
        )

    @property
    def _loss(self) -> str:
        return str(self.manifest.parameters.get("loss"))

    def open(self, backend: str = "auto", max_length: int | None = None) -> PairTeacher:
        """The teacher, loaded: `score` takes (query, document) texts.

        Args:
            backend: what runs it.
            max_length: tokens of a pair; as it was trained unless given.

        Raises:
            ModelReferenceError: the model does not load.
        """
        from rankdistill.teachers.registry import load

        return load(str(self.path), "cross_encoder", backend, max_length)

    def tables(self) -> list[Table]:
        """nDCG@10 of the dev candidates: the teacher's, the sources', BM25's and the base's."""
        return beside.table(self.log)

    def lines(self) -> list[str]:
        """nDCG@10 on the dev split before and after; whether something beside it is better; where the teacher lies."""
        figures = [f"dev nDCG@10 {self.before:.4f} before, {self.after:.4f} after"] if self.figures else []
        return [*figures, *beside.verdict(self.log), f"teacher: {self.path}"]

    def to_polars(self) -> pl.DataFrame:
        """A row a step that the log tells of: step, loss, dev_ndcg_at_10; null where a step has no such point."""
        import polars as pl

        rows = [(step, self.loss.get(step), self.figures.get(step)) for step in sorted({*self.loss, *self.figures})]
        return pl.DataFrame(rows, {"step": pl.Int64, "loss": pl.Float64, "dev_ndcg_at_10": pl.Float64}, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder, the figures before and after, whether something is better, and all that the log tells."""
        found = {"teacher": str(self.path), "before": self.before, "after": self.after, "is_worse": self.is_worse}
        return found | self.log
