"""The log that every training of ours leaves beside what it made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rankdistill import integrity, plain_json
from rankdistill.errors import DataError

LOG_FILE = "training_log.json"


def read(folder: Path) -> dict[str, Any]:
    """What `training_log.json` in `folder` tells.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = folder / LOG_FILE
    try:
        found = plain_json.loads(path.read_text(encoding="utf-8"))
        integrity.require(path)
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}, no mapping")
    except (OSError, ValueError) as error:
        raise DataError(
            expected=f"the training log {path}",
            got=str(error),
            consequence="what came of the training is unknown",
            remedy="bring the file back, or train again into another folder",
        ) from error
    return found
