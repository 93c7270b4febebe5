"""The verb `bundle`, and what takes a bundle, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.verb import Run


@pytest.fixture
def made(rankdistill: Run, student: str, teacher: str, tmp_path: Path) -> Path:
    out = tmp_path / "bundle"
    line = ["bundle", "--query-model", student, "--document-model", teacher, "--out", out]
    status, shown = rankdistill(*line, "--no-router")
    assert status == 0, shown
    assert "model_int8.onnx" in shown
    return out


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_a_bundle_is_indexed_searched_and_evaluated(
    rankdistill: Run, made: Path, student: str, teacher: str, tiny_beir: Path, tmp_path: Path
) -> None:
    index, data = tmp_path / "index", ["--data", tiny_beir, "--backend", "torch"]
    assert rankdistill("index", *data, "--model", made, "--out", index)[0] == 0
    query = ["search", "--index", index, "--query", "a deep river", "--k", 3, "--backend", "torch"]
    found = [rankdistill(*query, *model) for model in ([], ["--model", made], ["--model", student])]
    assert found[0][0] == 0
    assert found[0] == found[1] == found[2] != rankdistill(*query, "--model", teacher)
    lines: dict[str, list[object]] = {
        "of-pair": ["--query-model", student, "--document-model", teacher],
        "of-bundle": ["--model", made],
        "of-index": ["--model", made, "--index", index],
        "of-both": ["--query-model", student, "--index", index],
    }
    for name, line in lines.items():
        status, shown = rankdistill("evaluate", *data, "--split", "train", *line, "--out", tmp_path / name)
        assert status == 0, shown
    values = {name: results(tmp_path / name)["ndcg_at_10"] for name in lines}
    assert len(set(values.values())) == 1, values
    assert (
        results(tmp_path / "of-bundle")["system"]["parameters"] == results(tmp_path / "of-pair")["system"]["parameters"]
    )


def test_document_vectors_come_from_the_store(
    rankdistill: Run, student: str, teacher: str, tiny_beir: Path, tmp_path: Path
) -> None:
    store, data = tmp_path / "embeddings", ["--data", tiny_beir, "--backend", "torch"]
    status, shown = rankdistill("embed", *data, "--teacher", teacher, "--dtype", "float16", "--out", store)
    assert status == 0, shown
    line = ["evaluate", *data, "--split", "train", "--query-model", student, "--document-model", teacher]
    for more, name in (([], "encoded"), (["--embeddings", store], "stored")):
        status, shown = rankdistill(*line, *more, "--through", "beir", "--out", tmp_path / name)
        assert status == 0, shown
    encoded, stored = (results(tmp_path / name) for name in ("encoded", "stored"))
    assert stored["ndcg_at_10"] == pytest.approx(encoded["ndcg_at_10"], abs=1e-3)
    assert stored["signature"]["system"]["documents"]["stored"]["dtype"] == "float16"


@pytest.mark.usefixtures("torch_alone")
@pytest.mark.parametrize("kind", ["layers", "static"])
def test_the_lines_of_the_manual_from_texts_to_a_bundle(
    rankdistill: Run, teacher: str, tiny_beir: Path, tmp_path: Path, kind: str
) -> None:
    store, trained, data = tmp_path / "embeddings", tmp_path / "student", ["--data", tiny_beir]
    start = ["--student", "static"] if kind == "static" else ["--student", teacher, "--keep-layers", "0,2"]
    pair = ["--query-model", trained, "--document-model", teacher]
    lines: list[list[object]] = [
        ["embed", *data, "--teacher", teacher, "--out", store],
        ["train", "--embeddings", store, *start, "--loss", "leaf", "--steps", 4, "--out", trained],
        ["evaluate", *data, "--split", "test", *pair, "--out", tmp_path / "of-pair"],
        ["bundle", *pair, "--out", tmp_path / "bundle"],
        ["evaluate", *data, "--split", "test", "--model", tmp_path / "bundle", "--out", tmp_path / "of-bundle"],
    ]
    for line in lines:
        status, shown = rankdistill(*line)
        assert status == 0, (line, shown)
    assert results(tmp_path / "of-pair")["ndcg_at_10"] == results(tmp_path / "of-bundle")["ndcg_at_10"]
    assert (tmp_path / "bundle" / "query" / "onnx").is_dir() == (kind == "layers")


def test_what_does_not_belong_together_is_an_error_without_a_traceback(
    rankdistill: Run, made: Path, student: str, stranger: str, teacher: str, tiny_beir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    data = ["--data", tiny_beir, "--out", out, "--backend", "torch"]
    assert rankdistill("index", "--data", tiny_beir, "--model", teacher, "--out", tmp_path / "i")[0] == 0
    path = made / "space.json"
    path.write_text(path.read_text().replace('"cosine"', '"dot"'))
    refused: dict[str, list[object]] = {
        "another teacher": ["bundle", "--query-model", student, "--document-model", stranger, "--out", out],
        "nothing says": ["bundle", "--query-model", stranger, "--document-model", teacher, "--out", out],
        "evaluate": ["evaluate", *data, "--query-model", stranger, "--document-model", teacher],
        "search": ["search", "--index", tmp_path / "i", "--query", "a", "--model", stranger],
        "edited bundle": ["evaluate", *data, "--model", made],
        "edited bundle searches": ["search", "--index", tmp_path / "i", "--query", "a", "--model", made],
        "edited bundle indexes": ["index", "--data", tiny_beir, "--model", made, "--out", out],
    }
    for what, line in refused.items():
        status, shown = rankdistill(*line)
        assert (status, "SpaceMismatchError" in shown, "Traceback" in shown) == (1, True, False), (what, shown)
        assert not (out / "manifest.json").exists()


@pytest.mark.parametrize(
    "flags",
    [[], ["--query-model"], ["--document-model"], ["--model", "--query-model"], ["--model", "--document-model"]],
)
def test_flags_that_do_not_say_which_model_embeds_what(
    rankdistill: Run, teacher: str, tiny_beir: Path, tmp_path: Path, flags: list[str]
) -> None:
    models = [word for flag in flags for word in (flag, teacher)]
    status, shown = rankdistill("evaluate", "--data", tiny_beir, "--out", tmp_path / "out", *models)
    assert status == 1
    assert "--query-model MODEL with --document-model MODEL" in shown
