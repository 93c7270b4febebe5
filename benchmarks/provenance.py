"""Where a figure comes from: command, revision, machine, versions. Every file under benchmarks/results carries it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COMMITTED = RESULTS = HERE / "results"
SCRATCH = HERE.parent / "runs" / "scratch"
DIRTY, UNKNOWN = "-dirty", "unknown"

CODE = ("rankdistill", "benchmarks", "recipes", "indexes", "setup.cfg", "pyproject.toml", "constraints.txt")
"""What figures depend on, of the repository: a new file in them counts too."""

NOT_RESULTS = ":(exclude,top)benchmarks/results"

LIBRARIES = (
    "numpy",
    "torch",
    "transformers",
    "sentence-transformers",
    "openvino",
    "onnxruntime",
    "faiss-cpu",
    "mteb",
    "beir",
    "bm25s",
    "pyserini",
    "ir-measures",
    "pyarrow",
    "polars",
)


def provenance(data: str = "") -> dict[str, Any]:
    """What made the figures of this run, as JSON values; `data` names the data set they were made on."""
    return {
        "command": _command(),
        "revision": REVISION,
        "data": data,
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": platform.system(),
            "python": platform.python_version(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
            "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
        },
        "versions": {name: version for name in LIBRARIES if (version := _version(name))},
    }


def parse(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of a benchmark; it does not start where its figures could not be told from which code they came.

    With `--scratch`, which every benchmark has, they go to runs/scratch instead of benchmarks/results, from any code.
    """
    parser.add_argument(
        "--scratch", action="store_true", help="results to runs/scratch, not benchmarks/results; for uncommitted code"
    )
    given = parser.parse_args(words)
    if getattr(given, "child", None):
        return given  # measures a part for a parent that was asked already
    if not given.scratch and RESULTS == COMMITTED and is_dirty():
        parser.error(f"{_refusal()}; or try it with --scratch")
    global _scratch
    _scratch = given.scratch
    return given


def is_dirty() -> bool:
    """Whether the code differed from its commit when the run began, or lies in no repository."""
    return REVISION == UNKNOWN or REVISION.endswith(DIRTY)


def write_results(name: str, content: dict[str, Any], data: str = "") -> Path:
    """Write `content` with its provenance to benchmarks/results/<name>.json, or to runs/scratch under `--scratch`.

    Raises:
        SystemExit: the code that made it is in no commit.
    """
    folder = SCRATCH if _scratch else RESULTS
    if folder == COMMITTED and is_dirty():
        raise SystemExit(f"{name}: {_refusal()}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"provenance": provenance(data), **content}, indent=1, ensure_ascii=False) + "\n")
    return path


def _command() -> str:
    """The command line with paths to data shown by their last part, so that no machine's folders are recorded."""
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in sys.argv[1:]]
    script = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parent.parent
    named = script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name
    return shlex.join(["python", "-m", named.removesuffix(".py").replace("/", "."), *words])


def _revision() -> str:
    """The commit, with `-dirty` where more than results differs from it or has not been added to it."""
    commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
    known = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", NOT_RESULTS)
    new = _git("status", "--porcelain", "--", *(f":/{part}" for part in CODE), NOT_RESULTS)
    return f"{commit}{DIRTY}" if commit and (known or new) else commit or UNKNOWN


def _refusal() -> str:
    return (
        f"expected a clean tree, got {REVISION}: nobody could tell which code made the figures, so no results are "
        "written; commit the changes first"
    )


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


REVISION = _revision()
"""As it was when the run began: files may change while it goes on."""

_scratch = False


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
