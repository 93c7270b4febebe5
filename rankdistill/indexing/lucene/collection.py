"""Documents on their way into Lucene, and the Java process that indexes them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.errors import OutputError
from rankdistill.indexing.lucene import jvm
from rankdistill.indexing.lucene.java import Java

SUBFOLDER = "lucene"
"""Of an index: what Lucene wrote."""

DOCUMENTS = "documents"

_COUNTS = re.compile(r" - (indexed|unindexable|empty|skipped|errors): +([\d,]+)$", re.MULTILINE)
_EXCEPTION = re.compile(r"[\w.]+(?:Exception|Error)\b.*")


class Collection:
    """Documents as lines of JSON in a temporary folder, until `index` has them read by Java.

    Args:
        runtime: the Java.
        jar: with Anserini.
    """

    def __init__(self, runtime: Java, jar: Path) -> None:
        self._java, self._jar = runtime, jar
        self._count = 0

    def write(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Add documents, as the collection class of Anserini wants them."""
        path = self._folder / DOCUMENTS / "documents.jsonl"
        with files.output_errors(path), path.open("a", encoding="utf-8") as stream:
            for document in documents:
                stream.write(json.dumps(document) + "\n")
                self._count += 1

    def index(self, main: str, arguments: Sequence[str], folder: Path | None = None) -> Path:
        """Index the documents into `folder / "lucene"`, or into a temporary folder; where the index is.

        Args:
            main: the class of Anserini that indexes.
            arguments: for it, besides input, output, threads.
            folder: of the index, which nobody else writes to; what is in it already is replaced when the new index is
                complete, and what a killed process left is removed.

        Raises:
            OutputError: Java ran out of memory, was killed, or left a document out.
        """
        out = (folder or self._folder) / SUBFOLDER
        unfinished = files.temporary_of(out)
        for stray in out.parent.glob(f"{files.TEMPORARY_PREFIX}*-{SUBFOLDER}"):
            files.remove_folder(stray)
        paths = ["-input", str(self._folder / DOCUMENTS), "-index", str(unfinished)]
        command = [str(self._java.program), *jvm.options(self._java), "-cp", str(self._jar), main, *paths, *arguments]
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        counts = {name: int(number.replace(",", "")) for name, number in _COUNTS.findall(finished.stdout)}
        complete = counts.get("indexed", -1) + counts.get("empty", 0) == self._count
        if finished.returncode or not complete:
            files.remove_folder(unfinished)
            raise _failed(finished.returncode, finished.stdout, counts)
        (unfinished / "write.lock").unlink(missing_ok=True)
        files.remove_folder(out)
        unfinished.replace(out)
        return out

    @cached_property
    def _folder(self) -> Path:
        """Temporary; removed with this object."""
        folder = files.make_temporary_folder()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        (folder / DOCUMENTS).mkdir()
        return folder


def _failed(code: int, said: str, counts: Mapping[str, int]) -> OutputError:
    exception = _EXCEPTION.search(said)
    if code < 0:
        reason = f"it was killed by signal {-code}"
    elif exception:
        reason = exception.group(0).strip()
    else:
        reason = ", ".join(f"{name} {number:,}" for name, number in counts.items()) or _last_line(said)
    return OutputError(
        expected="the Java process to index every document",
        got=reason,
        consequence="no index was written",
        remedy="give it more memory: export _JAVA_OPTIONS=-Xmx8g"
        if code < 0 or "OutOfMemoryError" in reason
        else "check the free space and the documents, then run the command again",
    )


def _last_line(said: str) -> str:
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
