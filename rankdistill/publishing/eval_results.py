"""`.eval_results/*.yaml`, as mteb pushes them to the hub, kept here instead."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankdistill import files, locations
from rankdistill._extras import require
from rankdistill.errors import DataError

FOLDER = ".eval_results"


def write(meta: Any, out: Path) -> list[Path]:
    """Let mteb make the files from the results in `out`, and keep them in `out/.eval_results`; nothing is sent.

    Args:
        meta: mteb's `ModelMeta`.
        out: with `results/<organisation__model>/<revision>/`.

    Raises:
        DataError: mteb made none.
    """
    mteb = require("mteb", "the hub's evaluation results")
    folder = files.make_folder(out / FOLDER)
    with _kept(folder):
        meta.push_eval_results(cache=mteb.ResultCache(out))
    found = locations.listing(folder, "*.yaml")
    if not found:
        raise DataError(
            expected="a file of evaluation results a task",
            got="none from mteb",
            consequence="nothing was published",
            remedy="check the installed mteb",
        )
    return found


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Within the block what mteb uploads is copied into `folder`, and goes nowhere else."""
    from mteb.results import model_result

    hub = model_result.huggingface_hub

    class Kept:
        """The hub's client, of which nothing is called but this."""

        @staticmethod
        def upload_folder(*, folder_path: str | Path, **unused: Any) -> None:
            for path in Path(folder_path).glob("*.yaml"):
                shutil.copy(path, folder / path.name)

    model_result.huggingface_hub = Kept
    try:
        yield
    finally:
        model_result.huggingface_hub = hub
