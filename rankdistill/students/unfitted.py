"""A static student as it is before any text of its teacher is fitted: the teacher's vectors of single tokens, weighted.

What fitting and training are worth is the difference to it.
"""

from __future__ import annotations

from pathlib import Path

from rankdistill import manifest
from rankdistill.inference.saving import save_model
from rankdistill.making import making
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.students.prepare import STATIC, prepare
from rankdistill.students.settings import StudentSettings
from rankdistill.students.targets import Embeddings


def unfitted(
    store: Embeddings,
    space: Space,
    inputs: dict[str, str],
    settings: StudentSettings,
    out: Path,
    progress: Progress | None = None,
    command: str = "",
) -> Path:
    """Write the table that `settings` make of `store`, without the fit; returns `out`.

    Its texts decide the words of the table and their frequencies; their vectors are not used.

    Args:
        store: texts with the teacher's vectors.
        space: the teacher's.
        inputs: name -> hash of the store and the teacher, for the manifest.
        settings: of the student.
        out: folder of the student; one that holds exactly this is left as it is.
        progress: called with the number of texts and tokens done since the last call.
        command: the command line, for the manifest.

    Raises:
        ConfigError: the settings cannot give the teacher's dimension or normalisation.
        ModelReferenceError: the teacher's tokeniser is not known.
        StaleOutputError: `out` was made from other inputs.
    """
    plain = settings.model_copy(update={"static": settings.static.model_copy(update={"fit": False}), "max_mb": None})
    wanted = manifest.Manifest(
        artefact="student",
        inputs=inputs,
        parameters={"preparation": plain.decisive(), "steps": 0},
        versions=manifest.versions_of("torch", "transformers", "sentence-transformers"),
        command=command,
    )
    with making(out, wanted) as made:
        if not made.current:
            save_model(prepare(STATIC, plain, space, store, progress=progress), out)
            made.wrote()
    return out
