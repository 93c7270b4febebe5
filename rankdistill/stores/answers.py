"""What services answered so far, kept at once: a killed run asks again for what was in flight alone.

A file a work unit, beside the plan; each line is a checksum, a key and what was answered: of a pair its score, of a
prompt the model's reply. It goes when the shard is complete. Keys are of content, so the lines count under another plan
too. For a store in an object store, which cannot append, the files lie in this user's cache.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections import UserDict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import numpy as np

from rankdistill import files, locations, manifest

Value = TypeVar("Value")

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
    files.remove_if_empty(folder.parent)  # also where a kill came between the two


class Answers(Generic[Value]):
    """The answers of one teacher; those of one work unit are added.

    Args:
        folder: as `answers_folder` gives it.
        unit: what the unit is called; one process at a time works on it.
        write: an answer in ASCII, without the end of a line.
        read: what `write` wrote.
    """

    def __init__(self, folder: Path, unit: str, write: Callable[[Value], str], read: Callable[[str], Value]) -> None:
        self._folder, self._path, self._write, self._read = folder, folder / f"{unit}.txt", write, read

    def known(self) -> dict[bytes, Value]:
        """Key -> what was answered, of every answer that is whole."""
        found: dict[bytes, Value] = {}
        for path in locations.listing(self._folder, "*.txt"):
            try:
                lines = path.read_text(encoding="ascii", errors="replace").split("\n")[:-1]
            except FileNotFoundError:  # another writer's shard is complete since
                continue
            for line in lines:
                check, _, answer = line.partition(" ")
                key, _, value = answer.partition(" ")
                if check == _check(answer):
                    found[bytes.fromhex(key)] = self._read(value)
        return found

    def add(self, answered: Iterable[tuple[bytes, Value]]) -> None:
        """Keep what came together: all of it, or, after a kill in the midst, the first ones.

        Raises:
            OutputError: the disk is full or read-only.
        """
        answers = (f"{key.hex()} {self._write(value)}" for key, value in answered)
        lines = "".join(f"{_check(answer)} {answer}\n" for answer in answers)
        with files.output_errors(self._path), self._opened() as stream:
            end = stream.seek(0, os.SEEK_END)
            if end:  # a line that a kill cut off is spoilt and ended first
                stream.seek(end - 1)
                lines = lines if stream.read(1) == b"\n" else f"{CUT}\n{lines}"
            stream.write(lines.encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())

    def _opened(self) -> BinaryIO:
        for _ in range(9):  # whoever forgets the last of the others' files removes the folder
            files.make_folder(self._folder)
            with contextlib.suppress(FileNotFoundError):
                return self._path.open("a+b")
        return self._path.open("a+b")

    def forget(self) -> None:
        """Remove the unit's file: its shard is complete."""
        self._path.unlink(missing_ok=True)


def _check(answer: str) -> str:
    """What stands before an answer, so that one that was damaged is none."""
    return hashlib.blake2b(answer.encode("ascii", "replace"), digest_size=4).hexdigest()


def kept_scores(folder: Path, unit: str) -> Answers[float]:
    """The scores of pairs; see `Answers`."""
    return Answers(folder, unit, float.hex, float.fromhex)


def kept_vectors(folder: Path, unit: str) -> Answers[np.ndarray]:
    """Vectors of texts, float32; see `Answers`."""
    return Answers(
        folder,
        unit,
        lambda vector: base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode("ascii"),
        lambda text: np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32),
    )


class Replies(UserDict[bytes, str]):
    """Key of a prompt -> the model's reply: those that were kept, and each that is set here is kept at once.

    Args:
        folder: as `answers_folder` gives it.
        unit: what the unit is called.
    """

    def __init__(self, folder: Path, unit: str) -> None:
        super().__init__()
        self._kept: Answers[str] = Answers(folder, unit, json.dumps, json.loads)
        self.data.update(self._kept.known())

    def __setitem__(self, key: bytes, reply: str) -> None:
        self._kept.add([(key, reply)])
        super().__setitem__(key, reply)

    def forget(self) -> None:
        """Remove the unit's file: its replies are kept elsewhere."""
        self._kept.forget()
        self.data.clear()


class Came:
    """What a service wrote and no file of a cache has yet, by the cache's keys.

    Args:
        root: the cache's folder.
        name: of its folder for one writer.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._folder = answers_folder(root, name)
        self._replies = Replies(self._folder, files.of_this_process("kept"))

    def keep(self, key: str, text: str) -> None:
        """Keep a text at once; `key` is hexadecimal."""
        self._replies[bytes.fromhex(key)] = text

    def fold(self, held: Collection[str], write: Callable[[dict[str, str]], object]) -> None:
        """Give `write` what other runs left that is not `held`, then forget that of those which were killed."""
        left = {key.hex(): text for key, text in self._replies.items() if key.hex() not in held}
        if left:
            write(left)
        for path in locations.listing(self._folder, "*.txt"):
            if files.is_dead(path):  # a living one is still writing into its own
                path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Forget what this process kept: a file has it."""
        self._replies.forget()
        files.remove_if_empty(self._folder)
        files.remove_if_empty(self._folder.parent)
