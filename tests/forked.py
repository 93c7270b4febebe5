"""Processes for tests that need one of their own, without the seconds that importing torch takes.

They are forked from a server that has imported the libraries, and nothing of this package: what a program does,
how a signal ends it, and what it leaves are those of a process that was started from the shell.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

LIBRARIES = ["numpy", "polars", "pyarrow.parquet", "torch", "transformers", "sentence_transformers", "datasets"]
PATIENCE = 600.0
"""Seconds after which a test fails instead of waiting on: many times what it takes where much else runs."""

COMMAND = "from rankdistill.cli.main import main; main()"
"""The program `rankdistill`."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(LIBRARIES)


class Forked:
    """A process that runs a program.

    Args:
        program: Python code.
        words: what it finds in `sys.argv` behind its name.
        environment: variables that it has beside ours.
        folder: where it runs; None: here.
        path: first place where it looks for modules; None: that of these tests.
        together: whether its standard error goes where its standard output goes.
    """

    def __init__(
        self,
        program: str,
        *words: object,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        path: Path | None = None,
        together: bool = False,
    ) -> None:
        self._kept = Path(tempfile.mkdtemp(prefix="forked-"))
        place = str(path or Path(__file__).parents[1])
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        variables = {**ours, "PYTHONPATH": place, **(environment or {})}
        files = [str(self._kept / name) for name in ("out", "out" if together else "err")]
        given = (program, [str(word) for word in words], variables, str(folder or Path.cwd()), place, files)
        self._process = _CONTEXT.Process(target=_run, args=given, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def out(self) -> str:
        """What it wrote to standard output so far."""
        return self._read("out")

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""
        return self._read("err")

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.exitcode is None

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        os.kill(self.pid, number)

    def says(self, text: str) -> None:
        """Return when it has said that on standard output."""
        last = time.monotonic() + PATIENCE
        while text not in self.out:
            assert self.runs, self.errors
            assert time.monotonic() < last, self.out
            time.sleep(0.005)

    def ended(self) -> int:
        """Its status when it has ended; minus the signal that killed it."""
        self._process.join(PATIENCE)
        found = self._process.exitcode
        assert found is not None, "it does not end"
        return found

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        if self.runs:
            self._process.kill()
            self._process.join(PATIENCE)
        self._process.close()
        shutil.rmtree(self._kept)

    def _read(self, name: str) -> str:
        file = self._kept / name
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _run(
    program: str, words: Sequence[str], environment: Mapping[str, str], folder: str, path: str, files: Sequence[str]
) -> None:
    """In the process: make it what one from the shell is, and run the program."""
    for number, file in enumerate(files, start=1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, path)
    sys.argv = ["rankdistill", *words]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("rankdistill", "tests", "benchmarks")]:
        del sys.modules[name]
    main = sys.modules["__main__"] = ModuleType("__main__")
    try:
        exec(compile(program, "<program>", "exec"), vars(main))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
