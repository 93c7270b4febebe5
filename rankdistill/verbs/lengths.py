"""A note where a model of ours reads more of a text than it was trained with."""

from __future__ import annotations

from pathlib import Path

from rankdistill import integrity, manifest, plain_json
from rankdistill.errors import DataError
from rankdistill.notes import note
from rankdistill.teachers.teaching.training_log import LOG_FILE

_SETTING = {"student": "max_document_length", "teacher": "max_length"}
"""Artefact -> the parameter of its manifest that says how long its texts, or pairs, were in training."""


def note_longer(model: object, max_length: object) -> None:
    """A note that `model` is used with longer texts than it was trained with, where it is.

    Args:
        model: as the user named it; only the path of a folder tells how it was trained.
        max_length: tokens that were asked for; None: what its files say, which did not tell it of older students.
    """
    folder = Path(model) if isinstance(model, str) else Path()
    if not isinstance(model, str) or not model or not folder.is_dir() or (made := _made(folder)) is None:
        return
    trained = made.parameters.get(_SETTING.get(made.artefact, "")) or _logged(folder)
    used = _declared(folder) if max_length is None else max_length
    if isinstance(trained, int) and isinstance(used, int) and used > trained:
        line = f"{model} was trained with {trained} tokens of a text, and is used with {used}"
        remedy = "" if max_length is not None else f"; --max-length {trained} uses it as it was trained"
        note(line + remedy)


def _made(folder: Path) -> manifest.Manifest | None:
    try:
        return manifest.read(folder)
    except DataError:  # a file of that name that is none of ours
        return None


def _logged(folder: Path) -> int | None:
    """The length of documents in training where none was named: the model's own then."""
    path = folder / LOG_FILE
    try:
        log = plain_json.loads(integrity.read_text(path)) if path.is_file() else {}
        return (log.get("lengths") or {}).get("document")
    except (ValueError, AttributeError):  # a file of that name that is none of ours
        return None


def _declared(folder: Path) -> int | None:
    """What the tokeniser's file says; None where it does not, or is damaged: loading the model tells of that."""
    try:
        config = plain_json.loads(integrity.read_text(folder / "tokenizer_config.json"))
    except (OSError, ValueError):
        return None
    limit = config.get("model_max_length") if isinstance(config, dict) else None
    return int(limit) if isinstance(limit, int | float) and limit < _NO_LIMIT else None


_NO_LIMIT = 10**9
"""Transformers writes 10^30 for tokenisers without a maximum."""
