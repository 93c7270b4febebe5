"""`serve` of tiny models: from its first line to its last, with a visitor who asks meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

import rankdistill
from rankdistill.errors import ConfigError, RankdistillError, SpaceMismatchError
from rankdistill.inference import TextEncoder
from rankdistill.serving.embedding_model import EmbeddingModel
from rankdistill.serving.refusals import BackendRefusal
from tests.serving.process.command import asked, until
from tests.serving.process.here import Visit, visited
from tests.serving.process.test_reload import switch

QUERY = "the deep river"


@pytest.fixture(scope="module")
def bundle(student: str, teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tower"
    rankdistill.bundle(student, teacher, folder, onnx=False, router=False)
    return folder


def vector_of(model: str) -> np.ndarray:
    found: np.ndarray = TextEncoder(model, backend="torch").encode([QUERY])
    return found


def test_a_bundle_is_served_to_who_has_a_key(
    bundle: Path, student: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").write_text("secret\n")

    def visit(here: Visit) -> None:
        told = here.serving
        assert [(one["name"], one["kind"], one["sides"]) for one in told.models] == [("tower", "dense", ["query"])]
        assert (told.keys, told.workers) == (1, 1)
        shown = str(told)
        assert told.url in shown
        assert "POST /v1/embeddings" in shown
        assert "torch (float32)" in shown
        assert here.embed().status == 401
        answer = here.embed(QUERY, authorization="Bearer secret")
        assert answer.status == 200
        np.testing.assert_allclose([answer.json["data"][0]["embedding"]], vector_of(student), atol=1e-6)
        assert here.ask("/ready").status == 200

        (tmp_path / "keys").write_text("another\n")
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: here.embed(QUERY, authorization="Bearer another").status == 200)
        assert here.embed(QUERY, authorization="Bearer secret").status == 401, "a key is taken back by a reload"

        (tmp_path / "keys").write_text("")
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: any("the reload failed" in one.getMessage() for one in caplog.records))
        assert here.embed(QUERY, authorization="Bearer another").status == 200

    visited(visit, bundle, api_key_file=tmp_path / "keys")


def test_a_link_that_leads_elsewhere_is_followed_without_a_dropped_request(
    student: str, stranger: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link, broken = tmp_path / "current", tmp_path / "broken"
    link.symlink_to(student)
    shutil.copytree(student, broken)
    (broken / "model.safetensors").write_bytes(b"half of it")
    expected = {name: vector_of(model) for name, model in (("old", student), ("new", stranger))}

    def visit(here: Visit) -> None:
        kept = here.connection()
        seen: list[str] = []

        def which() -> str:
            answer = asked(kept, "/v1/embeddings", {"input": QUERY, "input_type": "query", "model": "current"})
            assert answer.status == 200
            found = np.array([answer.json["data"][0]["embedding"]])
            name = min(expected, key=lambda one: float(np.abs(expected[one] - found).max()))
            np.testing.assert_allclose(found, expected[name], atol=1e-6)
            seen.append(name)
            return name

        assert which() == "old"
        switch(link, broken)
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: (which(), any("the reload failed" in one.getMessage() for one in caplog.records))[1])
        assert set(seen) == {"old"}, "what cannot be loaded replaces nothing"
        switch(link, Path(stranger))
        until(lambda: which() == "new")
        assert which() == "new"
        kept.close()

    caplog.set_level("INFO", "rankdistill")
    visited(visit, link)


def test_ready_tells_of_a_broken_model_within_two_seconds(student: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(model: EmbeddingModel) -> None:
        raise BackendRefusal(expected="finite vectors", got="NaN")

    def visit(here: Visit) -> None:
        assert here.ask("/ready").status == 200
        monkeypatch.setattr(EmbeddingModel, "probe", probe)
        until(lambda: here.ask("/ready").status == 503)
        assert "NaN" in here.ask("/ready").json["error"]
        assert here.ask("/health").status == 200

    visited(visit, student)


def test_an_index_is_searched_and_one_of_another_space_refused(
    tiny_beir: Path, student: str, teacher: str, stranger: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    rankdistill.index(tiny_beir, teacher, tmp_path / "index", backend="torch")
    found = rankdistill.search(tmp_path / "index", QUERY, 5, model=student, backend="torch")[0]

    def visit(here: Visit) -> None:
        assert [*here.serving.indexes] == ["docs"]
        answer = here.ask("/search", {"query": QUERY, "k": 5})
        assert answer.status == 200, answer.body
        assert [hit["id"] for hit in answer.json["hits"]] == [hit.doc_id for hit in found]
        ranked = here.ask("/rerank", {"query": QUERY, "texts": ["a river", "a violin"]})
        assert ranked.status == 200, ranked.body

    visited(visit, student, [f"docs={tmp_path / 'index'}"], reranker=tiny_cross_encoder)
    with pytest.raises(SpaceMismatchError):
        visited(visit, stranger, tmp_path / "index")


def test_what_cannot_be_served_is_told_before_anything_is_loaded(student: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# none yet\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for match, settings in {
            "another program listens": {"port": port},
            "such address": {"host": "203.0.113.1"},
            "port of 65535": {"port": 65536},
            "workers of 1": {"workers": 0},
            "both called": {"models": [student]},
            "API key": {"api_key_file": tmp_path / "empty"},
            "efSearch": {"search_parameters": ["efSearch=9"]},
        }.items():
            with pytest.raises(ConfigError, match=match):
                rankdistill.serve(student, **{"port": 0} | settings)  # type: ignore[arg-type]
    with pytest.raises(RankdistillError, match="no_such"):
        rankdistill.serve(tmp_path / "no_such", port=0)
    with pytest.raises(ConfigError, match="cross-encoder or a multi-vector"):
        rankdistill.serve(student, port=0, reranker=f"other={student}", backend="torch")
