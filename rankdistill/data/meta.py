"""`meta.json` of a BEIR folder: what its rows cannot say of the collection. It may be absent, and so may any field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import integrity
from rankdistill.data.json_lines import parse_object
from rankdistill.data.values import RowError
from rankdistill.errors import DataError

FILE_NAME = "meta.json"


@dataclass(frozen=True)
class Meta:
    """What `meta.json` says; fields of others are not looked at.

    Args:
        ignore_identical_ids: whether rankings leave out the document that has the query's own id; None: it is not said.
            See `rankdistill.data.identical_ids`.
        conversion: what `rankdistill data convert` found and left out; None where it did not make the folder.
    """

    ignore_identical_ids: bool | None = None
    conversion: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The content of the file."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read(folder: Path) -> Meta:
    """What the folder's `meta.json` says; nothing where there is none.

    Raises:
        DataError: the file is no JSON object, has a key twice, or a field has a value of another type.
    """
    path = folder / FILE_NAME
    if not integrity.is_there(path):
        return Meta()
    try:
        content = parse_object(integrity.read_bytes(path))
    except (OSError, RowError) as error:
        raise _unusable("a JSON object", f"{path}: {error}") from error
    rule = content.get("ignore_identical_ids")
    if rule is not None and not isinstance(rule, bool):
        raise _unusable("`ignore_identical_ids` as true or false", f"{path}: {rule!r}")
    conversion = content.get("conversion")
    return Meta(rule, conversion if isinstance(conversion, dict) else None)


def _unusable(expected: str, got: str) -> DataError:
    return DataError(expected=expected, got=got, consequence="nothing was run", remedy="repair the file, or remove it")
