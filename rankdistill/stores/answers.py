"""What teachers behind services answered so far, kept at once: a killed run asks again for what was in flight alone.

A file a work unit, beside the plan; each line is the key of a pair and its score. It goes when the shard is complete.
Keys are of content, so the lines count under another plan too. For a store in an object store, which cannot append, the
files lie in this user's cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rankdistill import files, locations, manifest

FOLDER = "answers"

CUT = "?"
"""Put behind a line that was cut off, so that it is none."""


def answers_folder(root: Path, teacher_id: str) -> Path:
    """Where the answers of one teacher to the store in `root` lie."""
    if locations.is_local(root):
        return root / FOLDER / teacher_id
    return locations.cache_folder() / FOLDER / manifest.digest(str(root))[:32] / teacher_id


def forget_answers(root: Path, teacher_id: str) -> None:
    """Remove what shards hold by now."""
    folder = answers_folder(root, teacher_id)
    if folder.is_dir():
        files.remove_folder(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


class Answers:
    """The answers of one teacher; those of one work unit are added.

    Args:
        folder: as `answers_folder` gives it.
        unit: what the unit is called; one process at a time works on it.
    """

    def __init__(self, folder: Path, unit: str) -> None:
        self._folder, self._path = folder, folder / f"{unit}.txt"

    def known(self) -> dict[bytes, float]:
        """Key of a pair -> its score, of every answer that is whole."""
        found: dict[bytes, float] = {}
        for path in locations.listing(self._folder, "*.txt"):
            for line in path.read_text(encoding="ascii", errors="replace").split("\n")[:-1]:
                key, _, score = line.partition(" ")
                try:
                    found[bytes.fromhex(key)] = float.fromhex(score)
                except ValueError:  # of a machine that lost its power
                    continue
        return found

    def add(self, scores: Iterable[tuple[bytes, float]]) -> None:
        """Keep the scores of one answer: all of them, or, after a kill in the midst, the first ones.

        Raises:
            OutputError: the disk is full or read-only.
        """
        lines = "".join(f"{key.hex()} {score.hex()}\n" for key, score in scores)
        files.make_folder(self._folder)
        with files.output_errors(self._path), self._path.open("a+b") as stream:
            end = stream.seek(0, os.SEEK_END)
            if end:  # a line that a kill cut off is spoilt and ended first: the beginning of a number is a number too
                stream.seek(end - 1)
                lines = lines if stream.read(1) == b"\n" else f"{CUT}\n{lines}"
            stream.write(lines.encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())

    def forget(self) -> None:
        """Remove the unit's file: its shard is complete."""
        self._path.unlink(missing_ok=True)
