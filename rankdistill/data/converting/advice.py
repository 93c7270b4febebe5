"""The command line that makes a collection of what lies at a path, for errors of who wanted one."""

from __future__ import annotations

import shlex
from pathlib import Path

from rankdistill.data.converting import documents, guessing, kinds
from rankdistill.data.converting.table import listed
from rankdistill.errors import ConfigError, RankdistillError

COMMAND = "rankdistill data convert"


LOOKED_AT = 5000
"""Files of a folder that are looked at: an error should not take long."""


def advice(place: Path) -> str | None:
    """How `rankdistill data convert` is called for `place`; None where it takes nothing of what is there."""
    try:
        kind = kinds.find(place, LOOKED_AT)
        if kind == kinds.BEIR:
            return None
        line = [*COMMAND.split(), "--from", kind, "--input", str(place)]
        told = ""
        if kind != kinds.FILES:
            table = kinds.open_table(place, kind)
            try:
                guessing.choose(str(place), table.columns, documents.PARTS, {})
            except ConfigError:
                line += ["--id", "COLUMN", "--text", "COLUMN"]
                told = f"; its columns are {listed(table.columns)}"
    except (RankdistillError, OSError):
        return None
    return f"`{shlex.join([*line, '--out', 'DIR'])}` makes a collection of it{told}"
