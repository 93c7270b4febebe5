"""The shape of a student that must not be larger than so many bytes: which of those that fit is best on dev.

Every shape that fits is made, fitted in closed form, and stored as the student will be: how near its vectors of texts
that are held out come to the teacher's says which few are trained briefly. The best of these on dev (without dev data,
the nearest) is the student's. All of that is kept with the run's checkpoints, so that an interrupted choice goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, plain_json, space
from rankdistill.inference import storage as storing
from rankdistill.inference.saving import save_model
from rankdistill.notes import tell
from rankdistill.students import dense, prepare, prune, shapes, static
from rankdistill.students.kept_tokens import Cutter
from rankdistill.students.shapes import Shape
from rankdistill.students.targets import Longest, Targets, encode, sample, texts_of
from rankdistill.teachers.teaching import training_log
from rankdistill.training.alignment import geometry
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.selection import SelectedEmbeddings, Selection
from rankdistill.training.alignment.source import EmbeddingSource
from rankdistill.training.sizing import require_one_process

if TYPE_CHECKING:
    import numpy as np

COMPARED = 500
"""Texts that fitted shapes are compared on, where none are held out: of those that are trained on."""

FITTED = 40_000
"""Texts that the table of a static student is fitted to, where shapes are compared: more rank them alike."""
HELD_OUT = "held_out/cosine_mean"

Train = Callable[[AlignConfig, Path], Mapping[str, Any]]
"""(settings, folder) -> the measures of the student that was trained there, as stored."""


@dataclass(frozen=True)
class Sizing:
    """A choice that is to be made.

    Args:
        student: model reference, or `static`.
        config: the settings, with `max_mb`.
        embeddings: the whole store.
        selected: which rows are trained on, and which held out.
        shown: what preparation reads.
        steps: of the whole training.
        folder: where what was done is kept.
    """

    student: str
    config: AlignConfig
    embeddings: EmbeddingSource
    selected: Selection
    shown: SelectedEmbeddings
    steps: int
    folder: Path

    @property
    def short_steps(self) -> int:
        """Steps of a brief training."""
        return max(1, round(self.steps * self.config.preparation.size_share))

    @property
    def _limit(self) -> int:
        """Bytes."""
        return int((self.config.preparation.max_mb or 0) * shapes.MEGABYTE)

    def choose(self, train: Train, on_dev: bool) -> tuple[AlignConfig, list[dict[str, Any]]]:
        """The settings of the best shape, and what the log tells of each.

        Args:
            train: trains a shape.
            on_dev: whether there is a dev split; texts that are held out decide without.

        Raises:
            ConfigError: nothing fits, or several processes train.
        """
        from rankdistill.training.alignment.monitor import BEST

        require_one_process()
        found = self.shapes()
        tell(f"{len(found)} shapes take at most {self.config.preparation.max_mb:g} MB")
        rows = [row for row in self._fitted(found) if row["bytes"] <= self._limit]
        if not rows:
            raise shapes.too_large(self._limit, min(row["bytes"] for row in self._fitted(found)))
        nearest = sorted(rows, key=lambda row: -row["fitted_cosine"])[: self.config.preparation.size_candidates]
        by_name = {shape.name: shape for shape in found}
        measure = BEST if on_dev else HELD_OUT
        if len(nearest) > 1 and (on_dev or len(self.selected.held_out)):
            for row in nearest:
                value = train(self._briefly(by_name[row["shape"]]), self.folder / row["shape"])[measure]
                row |= {"steps": self.short_steps, "measure": measure, "value": value}
                tell(f"{row['shape']}: {row['bytes'] / shapes.MEGABYTE:.2f} MB, {measure} {value:.4f}")
        best = max(nearest, key=lambda row: (row.get("value", row["fitted_cosine"]), -row["bytes"]))
        for row in rows:
            row["chosen"] = row is best
        return self._applied(by_name[best["shape"]]), rows

    def shapes(self) -> list[Shape]:
        """Those that fit.

        Raises:
            ConfigError: none does.
        """
        settings, teacher = self.config.preparation, self.embeddings
        limit = self._limit
        if self.student == prepare.STATIC:
            targets = sample(self.shown, settings.static.texts)
            tokenizer = static.tokenizer_of(teacher.reference, targets, settings.static, teacher.space.max_length)
            counts, _ = prune.count(tokenizer, targets.texts)
            cutter = Cutter(json.loads(tokenizer.to_str()))
            return shapes.of_table(cutter, settings, counts, limit, teacher.space.dimension)
        model = dense.load(self.student, settings.pooling, max_length=settings.max_length)
        texts = texts_of(self.shown, prune.COUNTED_TEXTS)
        projected = None if settings.projection == "never" else teacher.space.dimension
        return shapes.of_encoder(model, settings, texts, limit, projected)

    def _fitted(self, found: Sequence[Shape]) -> list[dict[str, Any]]:
        """What is known of each shape once it is fitted: what was found before is not made again."""
        path = self.folder / "fitted.json"
        known: dict[str, Any] = plain_json.read(path) if path.is_file() else {}
        compared = self._compared()
        singles: dict[str, np.ndarray] = {}
        for shape in found:
            if shape.name not in known:
                known[shape.name] = self._fit(shape, compared, singles)
                files.make_folder(self.folder)
                files.write_text(path, json.dumps(known, indent=1) + "\n")
        return [dict(known[shape.name]) for shape in found]

    def _fit(self, shape: Shape, compared: Targets, singles: dict[str, np.ndarray]) -> dict[str, Any]:
        from sentence_transformers import SentenceTransformer

        settings = shape.applied(self.config.preparation)
        table = settings.static.model_copy(update={"texts": min(settings.static.texts, FITTED)})
        settings = settings.model_copy(update={"static": table})
        longest: Longest = self.config.limits
        model = prepare.prepare(
            self.student, settings, self.embeddings.space, self.shown, known=singles, longest=longest
        )
        with files.temporary_folder() as folder:
            save_model(model, folder)
            storing.compress(model, folder, shape.storage)
            space.write(folder, self.embeddings.space)
            size = storing.shipped_bytes(folder)
            vectors = encode(SentenceTransformer(str(folder), device="cpu", local_files_only=True), compared, longest)
        cosines = (geometry.unit(vectors) * geometry.unit(compared.vectors)).sum(axis=1)
        return {
            "shape": shape.name,
            "layers": shape.layers,
            "width": shape.width,
            "vocabulary": shape.vocabulary,
            "storage": shape.storage,
            "coverage": round(shape.coverage, 6),
            "settings": {**shape.changes, "storage": shape.storage},
            "bytes": size,
            "fitted_cosine": float(cosines.mean()),
        }

    def _compared(self) -> Targets:
        """Texts that fitting does not see, or, without such, some that it does."""
        rows = self.selected.held_out
        if not len(rows):
            return sample(self.shown, COMPARED)
        return sample(SelectedEmbeddings(self.embeddings, rows), COMPARED)

    def _applied(self, shape: Shape) -> AlignConfig:
        return self.config.model_copy(update={"preparation": shape.applied(self.config.preparation)})

    def _briefly(self, shape: Shape) -> AlignConfig:
        steps = self.short_steps
        changes = {"steps": steps, "eval_steps": steps, "log_steps": steps, "cycles": 1, "keep_checkpoints": False}
        return self._applied(shape).model_copy(update=changes | {"select": "last", "patience": None, "report_to": ()})


def measured(folder: Path) -> dict[str, Any]:
    """The measures of a student that was trained briefly, as it is stored."""
    log = training_log.read(folder)
    return dict(log.get("stored") or log["monitor"][-1])
