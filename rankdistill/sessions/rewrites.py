"""Rewrites that a program made, beside the sessions: `rewrites/NAME/`, one folder a rewriter, with its manifest.

So several stand side by side, and the sessions' own file never changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from rankdistill import files, locations, manifest
from rankdistill.errors import ConfigError, DataError
from rankdistill.tables import read_parquet, write_parquet

FOLDER, FILE_NAME, ARTEFACT = "rewrites", "rewrites.parquet", "rewrites"

SCHEMA = pa.schema([pa.field("turn_id", pa.string(), nullable=False), pa.field("rewrite", pa.string(), nullable=False)])
"""One row a turn, in the order of the sessions."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def require_name(name: str) -> None:
    """Raise ConfigError for a name that no folder can have."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            expected="a name of letters, digits, dots, dashes and underscores, as flan-t5",
            got=repr(name),
            consequence="nothing was rewritten",
            remedy="give another name",
        )


def folder_of(sessions: Path, name: str) -> Path:
    """Where the rewrites of that name lie."""
    return sessions / FOLDER / name


def finished(sessions: Path) -> list[str]:
    """The names of the finished rewrites beside the sessions, sorted."""
    folders = locations.listing(sessions / FOLDER)
    return [one.name for one in folders if (one / manifest.FILE_NAME).is_file()]


def write(folder: Path, rewrites: Mapping[str, str]) -> Path:
    """Write turn_id -> rewrite as a table; gives its path."""
    table = pa.table({"turn_id": list(rewrites), "rewrite": list(rewrites.values())}, schema=SCHEMA)
    write_parquet(folder / FILE_NAME, table)
    return folder / FILE_NAME


def read(sessions: Path, name: str) -> dict[str, str]:
    """turn_id -> rewrite.

    Raises:
        DataError: they are unfinished, or damaged.
    """
    folder = folder_of(sessions, name)
    manifest.expect(folder, ARTEFACT, "rewrite")
    try:
        rows = read_parquet(folder / FILE_NAME, schema=SCHEMA).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            expected=f"the rewrites that {name} made in {folder / FILE_NAME}",
            got=str(error),
            consequence="nothing was read",
            remedy=f"remove {folder}, and make them again with `rankdistill rewrite`",
        ) from error
    return dict(zip(rows["turn_id"], rows["rewrite"], strict=True))


def hash_of(sessions: Path, name: str) -> str:
    """SHA-256 (hex) of the rewrites of that name."""
    return files.hash_file(folder_of(sessions, name) / FILE_NAME)
