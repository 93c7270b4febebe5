"""Looking at the machine: versions, threads, the BLAS kernels in use, Java, GPU."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rankdistill.display import Shown, Table

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("torch", "transformers", "sentence-transformers", "pyarrow", "polars", "bm25s", "ir-measures")
OPTIONAL = {
    "faiss-cpu": "approximate indexes: pip install 'rankdistill[faiss]'",
    "openvino": "float32 inference about twice as fast on CPU: pip install 'rankdistill[openvino]'",
    "onnxruntime": "faster float32 inference on CPU: pip install 'rankdistill[onnx]'",
    "pyserini": "Lucene indexes: pip install 'rankdistill[lucene]'",
    "mteb": "evaluation through mteb: pip install 'rankdistill[evaluation]'",
    "beir": "evaluation through beir: pip install 'rankdistill[evaluation]'",
}
INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""What decides the speed of inference, narrow ones first: VNNI is for int8, AMX multiplies whole tiles."""

GENERIC_KERNELS = {"Prescott", "Nehalem", "Core2", "generic", "Generic"}
"""OpenBLAS core types that mean: it does not know this processor and leaves its vector units idle."""


class Finding(NamedTuple):
    """One thing looked at: `state` is ok, note or problem; `advice` says what to set."""

    state: Literal["ok", "note", "problem"]
    subject: str
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis(Shown):
    """What was found of this machine; it prints as a table, with advice below."""

    findings: Sequence[Finding]

    @property
    def works(self) -> bool:
        """Whether nothing was found that cannot work."""
        return all(one.state != "problem" for one in self.findings)

    def tables(self) -> list[Table]:
        """A finding a row."""
        rows = [[one.subject, one.state, one.text] for one in self.findings]
        return [Table("", ["subject", "state", "finding"], rows, texts=3)]

    def lines(self) -> list[str]:
        """What to set."""
        return [f"{one.subject}: {one.advice}" for one in self.findings if one.advice]

    def to_polars(self) -> pl.DataFrame:
        """A finding a row: state, subject, text, advice."""
        import polars as pl

        return pl.DataFrame(self.findings, schema=list(Finding._fields), orient="row")

    def to_json(self) -> dict[str, Any]:
        """Whether all can work, and the findings."""
        return {"works": self.works, "findings": [one._asdict() for one in self.findings]}


def examine() -> list[Finding]:
    """Every finding about this machine; nothing is changed."""
    return [finding for check in CHECKS for finding in check()]


def _versions() -> Iterator[Finding]:
    for name in REQUIRED:
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("problem", name, "not installed", f"pip install {name}")
    for name, advice in OPTIONAL.items():
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("note", name, "not installed", advice)


def _one_faiss() -> Iterator[Finding]:
    installed = [name for name in ("faiss-cpu", "faiss-gpu") if _installed(name)]
    if len(installed) == 2:
        yield Finding(
            "problem",
            "faiss",
            "faiss-cpu and faiss-gpu are both installed and provide the same module",
            "pip uninstall faiss-cpu faiss-gpu, then install the one you want",
        )


def _threads() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    asked = os.environ.get("OMP_NUM_THREADS")
    if asked is None:
        yield Finding("ok", "threads", f"{cores} cores, OMP_NUM_THREADS unset: all are used")
    elif asked.isdigit() and int(asked) < cores:
        yield Finding("note", "threads", f"OMP_NUM_THREADS={asked} of {cores} cores", "unset it for single long jobs")
    elif asked.isdigit() and int(asked) > cores:
        advice = f"set OMP_NUM_THREADS={cores}: more threads than cores slow each other down"
        yield Finding("note", "threads", f"OMP_NUM_THREADS={asked} on {cores} cores", advice)
    else:
        yield Finding("ok", "threads", f"OMP_NUM_THREADS={asked}, {cores} cores")


def _blas() -> Iterator[Finding]:
    """The BLAS of each library; faiss bundles one of its own that may not know the processor."""
    import numpy  # noqa: F401 - loading it loads its BLAS
    from threadpoolctl import threadpool_info

    if _installed("faiss-cpu"):
        import faiss  # noqa: F401
    for pool in threadpool_info():
        if pool["user_api"] != "blas":
            continue
        home = re.search(r"([\w]+)\.libs/|site-packages/(\w+)/", str(pool["filepath"]))
        owner = next((group for group in home.groups() if group), "?") if home else "?"
        kernel = str(pool.get("architecture") or "unknown kernel")
        text = f"{pool['internal_api']} {pool['version']}, kernels for {kernel}, {pool['num_threads']} threads"
        if kernel in GENERIC_KERNELS:
            advice = (
                f"export OPENBLAS_CORETYPE={_core_type()} before Python starts (flat search may be ten times faster)"
            )
            yield Finding("note", f"BLAS of {owner}", text, advice)
        else:
            yield Finding("ok", f"BLAS of {owner}", text)


def _core_type() -> str:
    """The newest OpenBLAS core type whose instructions this processor has."""
    flags = _cpu_flags()
    return "SkylakeX" if "avx512f" in flags else "Haswell" if "avx2" in flags else "Nehalem"


def _processor() -> Iterator[Finding]:
    flags = _cpu_flags()
    found = [name for name in INSTRUCTIONS if name in flags]
    text = " ".join(found) or "no vector extension known"
    if _installed("torch"):
        from rankdistill.inference.precision import bf16_is_faster_on_processor

        text += ": bf16 training is native" if bf16_is_faster_on_processor() else ": train in float32"
    yield Finding("ok", "processor", text)


def _ceilings() -> Iterator[Finding]:
    """What no back end exceeds: the matrix products of torch, on the shapes of a small encoder, in both formats."""
    if not _installed("torch"):
        return
    import torch

    rates = {name: _product_rate(dtype) / 1e9 for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16))}
    text = ", ".join(f"{name} {rate:,.0f} GFLOP/s" for name, rate in rates.items())
    gain = rates["bf16"] / rates["float32"]
    told = f"bf16 x{gain:.1f}" if gain > 1 else f"bf16 x{gain:.1f}: it gains nothing here"
    yield Finding("ok", "matrix products", f"{text} with {torch.get_num_threads()} threads ({told})")


def _product_rate(dtype: Any, tokens: int = 1024, inner: int = 384, outer: int = 1536, rounds: int = 5) -> float:
    """Floating-point operations a second of torch's matrix product, the best of a few."""
    import torch

    left, right = torch.randn(tokens, inner).to(dtype), torch.randn(inner, outer).to(dtype)
    best = float("inf")
    for _ in range(rounds + 1):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2.0 * tokens * inner * outer / best


def _fast() -> Iterator[Finding]:
    """What `--backend fast` compares on this processor, and what it found for the models that it was asked for."""
    if not _installed("torch"):
        return
    from rankdistill.inference.fastest import candidates, expected, kept_choices

    compared = f"compares {', '.join(candidates('cpu', calibrated=True))}"
    choices = kept_choices()
    if not choices:
        text = f"{compared}; asked for no model yet, by its instructions likely {expected('cpu')}"
        yield Finding("ok", "--backend fast", text)
    for model, choice in choices.items():
        yield Finding("ok", f"fast for {model}", choice.shown)


def _java() -> Iterator[Finding]:
    """The Java that Lucene indexes would run in; the first that is new enough."""
    from rankdistill.indexing.lucene.java import REMEDY, WANTED, installed

    found = list(installed())
    fit = next((java for java in found if java.version >= WANTED), None)
    if fit is not None:
        yield Finding("ok", "Java", str(fit))
    else:
        text = "; ".join(map(str, found)) or "none"
        yield Finding("note", "Java", text, f"only Lucene indexes need version {WANTED} or newer: {REMEDY}")


def _gpu() -> Iterator[Finding]:
    if not _installed("torch"):
        return
    import torch

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            yield Finding("ok", "GPU", f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
    elif shutil.which("nvidia-smi"):
        advice = "install the torch build for your CUDA version"
        yield Finding("note", "GPU", "a driver is there, but this torch cannot use it", advice)
    else:
        yield Finding("ok", "GPU", "none; everything runs on the processor")


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
            return next((set(line.split()) for line in stream if line.startswith("flags")), set())
    except OSError:
        return set()


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions,
    _one_faiss,
    _processor,
    _ceilings,
    _fast,
    _threads,
    _blas,
    _java,
    _gpu,
)
"""Everything `examine` looks at, in this order."""
