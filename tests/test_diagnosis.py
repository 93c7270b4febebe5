"""The doctor: what it says of a machine it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from rankdistill import diagnosis
from rankdistill.indexing.lucene import java as java_runtimes
from rankdistill.inference import fastest


def subjects(check: Callable[[], Iterator[diagnosis.Finding]]) -> dict[str, diagnosis.Finding]:
    return {finding.subject: finding for finding in check()}


def test_a_missing_library_is_a_problem_and_an_optional_one_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in {"torch", "openvino"}:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = subjects(diagnosis._versions)
    assert (found["torch"].state, found["torch"].advice) == ("problem", "pip install torch")
    assert found["openvino"].state == "note"
    assert "rankdistill[openvino]" in found["openvino"].advice


def test_both_faiss_builds_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_installed", lambda name: True)
    assert subjects(diagnosis._one_faiss)["faiss"].state == "problem"
    monkeypatch.setattr(diagnosis, "_installed", lambda name: name == "faiss-cpu")
    assert subjects(diagnosis._one_faiss) == {}


@pytest.mark.parametrize(
    ("asked", "state"), [(None, "ok"), ("1", "note"), ("2", "note"), ("4", "ok"), ("8", "note"), ("4,2", "ok")]
)
def test_threads_are_compared_with_cores(monkeypatch: pytest.MonkeyPatch, asked: str | None, state: str) -> None:
    monkeypatch.setattr(diagnosis.os, "sched_getaffinity", lambda process: set(range(4)))
    if asked is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert subjects(diagnosis._threads)["threads"].state == state


@pytest.mark.parametrize(
    ("kernel", "flags", "state", "advice"),
    [
        ("Prescott", {"avx2", "avx512f"}, "note", "OPENBLAS_CORETYPE=SkylakeX"),
        ("Prescott", {"avx2"}, "note", "OPENBLAS_CORETYPE=Haswell"),
        ("SkylakeX", {"avx512f"}, "ok", ""),
    ],
)
def test_a_blas_that_does_not_know_the_processor_is_noted(
    monkeypatch: pytest.MonkeyPatch, kernel: str, flags: set[str], state: str, advice: str
) -> None:
    import threadpoolctl

    pool = {
        "user_api": "blas",
        "internal_api": "openblas",
        "version": "0.3",
        "architecture": kernel,
        "num_threads": 2,
        "filepath": "/x/site-packages/faiss_cpu.libs/libopenblas.so",
    }
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [pool])
    monkeypatch.setattr(diagnosis, "_cpu_flags", lambda: flags)
    found = subjects(diagnosis._blas)["BLAS of faiss_cpu"]
    assert found.state == state
    assert advice in found.advice


def test_an_old_java_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setattr(java_runtimes, "_homes", lambda: [(tmp_path, "JAVA_HOME")])
    assert subjects(diagnosis._java)["Java"].state == "note"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    assert subjects(diagnosis._java)["Java"].state == "ok"


def test_ceilings_are_told_in_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(diagnosis, "_product_rate", lambda dtype: 2e11 if dtype == torch.float32 else 1e12)
    assert "float32 200 GFLOP/s, bf16 1,000 GFLOP/s" in subjects(diagnosis._ceilings)["matrix products"].text
    monkeypatch.setattr(diagnosis, "_product_rate", lambda dtype: 2e11 if dtype == torch.float32 else 1e11)
    assert "bf16 x0.5: it gains nothing" in subjects(diagnosis._ceilings)["matrix products"].text


def test_a_product_has_a_rate() -> None:
    import torch

    assert 1e7 < diagnosis._product_rate(torch.float32, tokens=64, inner=32, outer=32, rounds=1) < 1e14


@pytest.mark.parametrize(("amx", "likely"), [(True, "openvino-bf16"), (False, "openvino")])
def test_it_says_what_fast_compares_and_what_it_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, amx: bool, likely: str
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True, "amx_bf16": amx})
    told = subjects(diagnosis._fast)["--backend fast"].text
    assert "torch, torch-bf16, onnx, openvino, openvino-bf16" in told
    assert told.endswith(f"likely {likely}")
    found = {"model": fastest.Choice("onnx", [fastest.Measured("onnx", 2.0), fastest.Measured("torch", 1.0)])}
    monkeypatch.setattr(fastest, "kept_choices", lambda: found)
    assert "onnx 2.00x torch" in subjects(diagnosis._fast)["fast for model"].text
