"""Where a figure comes from: command, revision, machine, versions. Every file under benchmarks/results carries it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

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


def write_results(name: str, content: dict[str, Any], data: str = "") -> Path:
    """Write `content` with its provenance to benchmarks/results/<name>.json."""
    path = RESULTS / f"{name}.json"
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
    """The commit, with `-dirty` where more than results differs from it."""
    commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)benchmarks/results")
    return f"{commit}-dirty" if changed else commit or "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


REVISION = _revision()
"""As it was when the run began: files may change while it goes on."""


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
