"""Sparse, pointwise and listwise teachers on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankdistill import data as datasets
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers import load
from tests.cli.verb import Run
from tests.teachers.conftest import tiny_causal_lm
from tests.teachers.http_server import Reply, serving

__all__ = ["tiny_causal_lm"]  # a fixture


def _yaml(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


def _stored(store: Path) -> list[tuple[str, str, float]]:
    return list(ScoreStore(store).scores().iter_rows())


@pytest.mark.parametrize("kind", ["sparse", "auto"])
def test_a_sparse_teacher(
    kind: str, rankdistill: Run, mined: Path, tiny_beir: Path, tiny_splade: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    words = ["--data", tiny_beir, "--teacher", tiny_splade, "--candidates", mined, "--out", store, "--kind", kind]
    assert rankdistill("score", *words)[0] == 0
    dataset = datasets.load(tiny_beir)
    rows = _stored(store)
    expected = load(tiny_splade).score(
        [(dataset.queries("train")[query_id], dataset.contents[doc_id]) for query_id, doc_id, _ in rows]
    )
    assert [score for *_, score in rows] == pytest.approx(expected.tolist(), abs=1e-4)


def test_a_model_of_another_kind_is_an_error_without_a_store(
    rankdistill: Run, mined: Path, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    words = ["--data", tiny_beir, "--teacher", tiny_encoder, "--candidates", mined, "--out", store]
    for kind in ("sparse", "multi_vector", "llm_pointwise", "llm_listwise"):
        status, shown = rankdistill("score", *words, "--kind", kind)
        assert status == 1
        assert "ModelReferenceError" in shown
        assert "an encoder consequence:" in shown
    assert not store.exists()


def test_a_pointwise_language_model_from_a_yaml(
    rankdistill: Run, mined: Path, tiny_beir: Path, tiny_causal_lm: str, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher.yaml"
    teacher.write_text(
        f"kind: llm_pointwise\nmodel: {tiny_causal_lm}\ntemplate: plain\nyes: yes\nno: no\nscore_kind: probability\n"
    )
    store = tmp_path / "store"
    words = ["--data", tiny_beir, "--teacher", teacher, "--candidates", mined, "--out", store]
    assert rankdistill("score", *words)[0] == 0
    assert all(0 <= score <= 1 for *_, score in _stored(store))
    teacher.write_text(f"kind: llm_pointwise\nmodel: {tiny_causal_lm}\nyes: perhaps so\n")
    status, shown = rankdistill("score", *words)
    assert status == 1
    assert "'perhaps so' to be one token" in shown


def test_a_listwise_language_model_behind_a_server(
    rankdistill: Run, mined: Path, tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks of whole queries, whatever the size of a work unit; repaired answers are counted."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def backwards(_: str, body: Any) -> Reply:
        numbers = re.findall(r"^\[(\d+)\] ", body["messages"][-1]["content"], re.MULTILINE)
        text = " > ".join(f"[{number}]" for number in reversed(numbers)) + " > [99]"
        return Reply({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 7}})

    store = tmp_path / "store"
    with serving(backwards) as server:
        chat = {"url": f"{server.url}/v1/chat/completions", "model": "m"}
        teacher = _yaml(tmp_path / "teacher.yaml", kind="llm_listwise", chat=chat, window=4, step=2)
        words = ["--data", tiny_beir, "--teacher", teacher, "--candidates", mined, "--out", store, "--unit-size", 13]
        _, planned = rankdistill("plan", *words)
        assert not server.posts
        status, shown = rankdistill("score", *words)
        assert status == 0
    counted = len(server.posts)
    assert f"{counted} answers, {counted} malformed, 0 missing, 0 repeated, {counted} foreign" in shown
    assert f"{counted} requests, {7 * counted} tokens" in shown
    assert f"prompts {counted}: " in planned
    rows = _stored(store)
    for query_id in {row[0] for row in rows}:
        scores = sorted((score for query, _, score in rows if query == query_id), reverse=True)
        assert scores == [-float(rank) for rank in range(len(scores))]
