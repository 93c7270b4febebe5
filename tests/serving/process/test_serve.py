"""`rankdistill serve` of a tiny bundle, as a process: from its first line to its last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rankdistill
from tests.serving.process.command import asked, command

CHEAP = ("--backend", "torch", "--threads", 1)


@pytest.fixture(scope="module")
def bundle(student: str, teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tower"
    rankdistill.bundle(student, teacher, folder, onnx=False, router=False)
    return folder


def test_a_bundle_is_served_with_keys_and_drained(bundle: Path, student: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("secret\n")
    with command(bundle, "--api-key-file", tmp_path / "keys", *CHEAP) as running:
        told = running.told
        assert [(one["name"], one["kind"], one["sides"]) for one in told["models"]] == [("tower", "dense", ["query"])]
        assert (told["keys"], told["workers"]) == (1, 1)
        assert "POST /v1/embeddings" in told["routes"]
        assert running.embed().status == 401
        kept = running.connection()
        answer = asked(kept, "/v1/embeddings", {"input": ["the deep river"]}, authorization="Bearer secret")
        assert answer.status == 200
        from rankdistill.inference import TextEncoder

        expected = TextEncoder(student, backend="torch").encode(["the deep river"])
        np.testing.assert_allclose([answer.json["data"][0]["embedding"]], expected, atol=1e-6)
        assert running.stop() == 0
        kept.close()
    assert any("shutting down" in line for line in running.log)
    assert not any("Traceback" in line for line in running.log)
