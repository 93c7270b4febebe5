"""The clients and what asks through them against the real server, with real (tiny) models: numbers equal ours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill as rd
from rankdistill import space
from rankdistill.cli.evaluate import evaluate as cli_evaluate
from rankdistill.client.failures import ServerError
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.inference import TextEncoder, conversation
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.serving.models import load_model
from tests import tiny_task
from tests.beir_folder import beir_folder
from tests.cli.verb import run_verb
from tests.client import both
from tests.client.conftest import LIMITS, served
from tests.conversations import write_tiny_sessions

TEXTS = [f"the deep river {number} of stone" for number in range(12)]
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


@KINDS
def test_vectors_are_the_model_s(kind: str, address: str, tiny_encoder: str, tiny_splade: str) -> None:
    with both.of(kind, address) as client:
        assert client.ready() is True
        info = client.info()
        assert [one["name"] for one in info["models"]] == ["dense", "sparse", "pairs"]
        assert info["limits"]["inputs"] == LIMITS.inputs
        found = client.embed(TEXTS * 9, "query")
        np.testing.assert_allclose(
            found, TextEncoder(tiny_encoder, backend="torch").encode_queries(TEXTS * 9), atol=1e-6
        )
        weights = client.embed_sparse(TEXTS, "document")
        expected = SparseTextEncoder(tiny_splade, backend="torch").encode_documents(TEXTS).toarray()
        dense = np.zeros_like(expected)
        for row, terms in zip(dense, weights, strict=True):
            row[list(terms)] = list(terms.values())
        np.testing.assert_allclose(dense, expected, atol=1e-5)
        assert [token.text for token in client.tokenize(["the river"])[0]] == ["[CLS]", "the", "river", "[SEP]"]


@KINDS
def test_texts_are_ranked_over_several_calls_as_in_one(kind: str, address: str, tiny_cross_encoder: str) -> None:
    from rankdistill import teachers

    scores = teachers.load(tiny_cross_encoder).score([("a river", text) for text in TEXTS])
    with both.of(kind, address) as client:
        ranked = client.rerank("a river", TEXTS, raw_scores=True)
        assert sorted(one.index for one in ranked) == list(range(12))
        for one in ranked:
            assert one.score == pytest.approx(scores[one.index], abs=1e-4)
        assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


@KINDS
def test_searches_are_those_of_the_index(kind: str, address: str, indexes: dict[str, Path]) -> None:
    queries = ["the deep river 3", "an old violin", "bread", "stone 7", "what is the planet"]
    with both.of(kind, address) as client:
        for mode, folder in indexes.items():
            expected = rd.search(folder, queries, 5, **({} if mode == "bm25" else {"backend": "torch"}))
            for hits, ours in zip(client.search_batch(queries, 5, index=mode), expected, strict=True):
                assert [hit.id for hit in hits] == [one.doc_id for one in ours]
                assert [hit.score for hit in hits] == pytest.approx([one.score for one in ours], abs=1e-5)
        fused = client.search(queries[0], 5)
        assert fused.mode == "fused"
        assert len(fused) == 5
        first = client.search(queries[0], 5, index="dense")
        vector = client.embed([queries[0]], "query")[0]
        assert [hit.id for hit in client.search(vector=vector, k=5, index="dense")] == [hit.id for hit in first]
        weights = client.embed_sparse([queries[0]], "query")[0]
        of_weights = client.search(vector=weights, k=5, index="sparse")
        assert [hit.id for hit in of_weights] == [hit.id for hit in client.search(queries[0], 5, index="sparse")]
        with pytest.raises(SpaceMismatchError) as raised:
            client.search(vector=[1.0, 2.0], index="dense")
        assert isinstance(raised.value, ServerError)
        assert raised.value.status == 409
        assert raised.value.request_id
    with both.of(kind, address, space=first.space) as client:
        client.search(queries[0], index="dense")
        with pytest.raises(SpaceMismatchError):
            client.search(queries[0], index="sparse")


@KINDS
def test_refusals_of_every_route_are_read(kind: str, address: str, keyed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with both.of(kind, address) as client:
        for ask, status in (
            (lambda: client.embed([" "]), 400),
            (lambda: client.embed(["a"], model="other"), 404),
            (lambda: client.embed(["a"], dimensions=3), 400),
            (lambda: client.embed(["river " * 400], truncate=False), 422),
            (lambda: client.embed(["\ud800"]), 400),
            (lambda: client.embed_sparse(["a"], model="dense"), 400),
            (lambda: client.rerank("", ["a"]), 400),
            (lambda: client.search("a", index="other"), 404),
            (lambda: client.search("a", 10**6), 413),
        ):
            with pytest.raises(ServerError) as raised:
                ask()
            assert raised.value.status == status, raised.value
            assert raised.value.request_id is not None
            assert "expected" in raised.value.got
    with both.of(kind, keyed) as client, pytest.raises(ServerError, match="api_key_env") as raised:
        client.embed(["a"])
    assert raised.value.status == 401
    monkeypatch.setenv("A_KEY", "s3cret")
    with both.of(kind, keyed, api_key_env="A_KEY") as client:
        assert client.embed(["a"]).shape[0] == 1


@pytest.mark.parametrize("mode", ["dense", "sparse", "bm25"])
def test_what_is_served_is_what_was_evaluated(
    mode: str, address: str, collection: Path, indexes: dict[str, Path], tmp_path: Path
) -> None:
    ours = rd.evaluate(collection, indexes[mode], tmp_path / "ours", **({} if mode == "bm25" else {"backend": "torch"}))
    served = rd.evaluate(collection, None, tmp_path / "served", server=address, index=mode, latency=2)
    assert served.system.measures == pytest.approx(ours.system.measures, abs=5e-5)
    system = served.signature["system"]["server"]
    assert system["index"] == mode
    assert served.system.latency_ms is not None
    assert served.system.latency_ms.queries == 2
    assert system["version"]
    assert [one["name"] for one in system["models"]] == ["dense", "sparse", "pairs"]
    assert address not in json.dumps(served.signature["system"])


def test_the_command_evaluates_a_server(address: str, collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--server", address, "--data", str(collection), "--split", "test", "--out", str(out), "--mode", "fused"]
    said = run_verb(cli_evaluate, *words).output
    assert "served dense + sparse + bm25 fused" in said
    assert "up to date" in run_verb(cli_evaluate, *words).output
    assert json.loads((out / "manifest.json").read_text())["parameters"]["name"] == "served dense + sparse + bm25 fused"


def test_a_server_without_an_index_gives_its_vectors(
    keyed: str, collection: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "s3cret")
    for mode, model in (("dense", tiny_encoder), ("sparse", tiny_splade)):
        ours = rd.evaluate(collection, model, tmp_path / f"ours-{mode}", backend="torch")
        served = rd.evaluate(collection, None, tmp_path / mode, server=keyed, mode=mode, api_key_env="A_KEY")
        assert served.system.measures == pytest.approx(ours.system.measures, abs=5e-5)
    assert served.signature["system"]["encoder"]["server"]["model"]["name"] == "sparse"
    with pytest.raises(ConfigError, match="without any index"):
        rd.evaluate(collection, None, tmp_path / "no", server=keyed, index="dense", api_key_env="A_KEY")
    with pytest.raises(ConfigError, match=r"dense \(dense\), sparse \(sparse\)"):
        rd.evaluate(collection, None, tmp_path / "no", server=keyed, mode="multi_vector", api_key_env="A_KEY")


def test_tasks_of_mteb_are_asked_of_a_server_as_of_its_model(
    keyed: str, address: str, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "s3cret")
    with tiny_task.known_to_mteb(tmp_path / "tasks", {"TinyAsked": tiny_task.QUERIES}) as root:
        asked: dict[str, Any] = {"tasks": "TinyAsked", "data_root": root}
        local = rd.evaluate(None, tiny_encoder, tmp_path / "local", backend="torch", **asked)
        served = rd.evaluate(None, None, tmp_path / "served", server=keyed, api_key_env="A_KEY", **asked)
        with pytest.raises(ConfigError, match="which hold one collection"):
            rd.evaluate(None, None, tmp_path / "no", server=address, **asked)
        with pytest.raises(ConfigError, match="max_length"):
            rd.evaluate(None, None, tmp_path / "no", server=keyed, max_length=8, **asked)
        with pytest.raises(ConfigError, match="index besides"):
            rd.evaluate(None, None, tmp_path / "no", server=address, index="dense", **asked)
    one, other = (found.results["TinyAsked"]["scores"]["test"][0] for found in (local, served))
    assert other["ndcg_at_10"] == pytest.approx(one["ndcg_at_10"], abs=1e-5)
    assert served.revision != local.revision


def test_what_would_have_no_effect_is_refused(address: str, collection: Path, tmp_path: Path) -> None:
    settings: list[dict[str, Any]] = [
        {"system": "bm25"},
        {"query_model": "a"},
        {"factory": "HNSW32"},
        {"backend": "torch"},
        {"unaligned": True},
        {"max_length": 8},
        {"fusion": "rrf"},
        {"search_parameters": {"efSearch": 3}},
        {"embeddings": "a"},
        {"index": ["dense", "sparse"]},
        {"index": "other"},
    ]
    for setting in settings:
        system = setting.pop("system", None)
        with pytest.raises(ConfigError, match="nothing was evaluated"):
            rd.evaluate(collection, system, tmp_path / "no", server=address, **setting)
    with pytest.raises(ConfigError, match="add --server"):
        rd.evaluate(collection, "bm25", tmp_path / "no", mode="dense")


def test_a_server_of_other_documents_is_not_evaluated(address: str, tmp_path: Path) -> None:
    texts = {f"x{number:02d}": text for number, text in enumerate(TEXTS * 4)}
    for size, match in ((40, "none of them"), (12, "40 documents")):
        documents = dict(list(texts.items())[:size])
        other = beir_folder(
            tmp_path / f"of-{size}", documents, {"q": "river"}, {"test": [("q", next(iter(documents)), 1)]}
        )
        with pytest.raises(DataError, match=match):
            rd.evaluate(other, None, tmp_path / "no", server=address, index="dense")


def test_mteb_evaluates_a_server_as_the_model_itself(
    address: str, collection: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    mteb = pytest.importorskip("mteb")
    from rankdistill import data
    from rankdistill.evaluation.mteb_served import ServedModel
    from rankdistill.evaluation.mteb_task import local_task

    dataset = data.load(collection)
    with rd.Client(address) as client:
        model = ServedModel(client)
        found = mteb.evaluate(
            model,
            local_task(dataset, "test", 100),
            cache=mteb.ResultCache(tmp_path / "cache"),
            co2_tracker=False,
            show_progress_bar=False,
        )
    ours = rd.evaluate(collection, tiny_encoder, tmp_path / "ours", backend="torch")
    (scores,) = found.task_results[0].scores["test"]
    assert scores["ndcg_at_10"] == pytest.approx(ours.system.measures["ndcg_at_10"], abs=5e-5)
    assert model.mteb_model_meta.name.startswith("rankdistill/dense-")
    assert model.mteb_model_meta.similarity_fn_name.value == "cosine"


def test_a_server_is_sent_the_turns_that_its_model_was_trained_to_read(
    address: str,
    collection: Path,
    indexes: dict[str, Path],
    tiny_encoder: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where it reads none, what is sent must be named: the last turn went out as what the model was trained to read."""
    folder = write_tiny_sessions(Path(shutil.copytree(collection, tmp_path / "sessions")))
    student = Path(shutil.copytree(tiny_encoder, tmp_path / "student"))
    conversation.write(student, conversation.named("newest_first", separator=" [SEP] "))
    space.write(student, rd.open(indexes["dense"]).space)
    given: dict[str, Any] = {"sessions": folder, "split": "test"}
    ours = rd.evaluate(None, str(student), tmp_path / "ours", index=indexes["dense"], backend="torch", **given)
    model = load_model(str(student), name="dense", backend="torch", threads=1, limits=LIMITS)
    with served({"dense": model}, {"dense": indexes["dense"]}) as own:
        sent = rd.evaluate(None, None, tmp_path / "sent", server=own, latency=1, **given)
        last = rd.evaluate(None, None, tmp_path / "last", server=own, reads="last_turn", **given)
        plain = rd.evaluate(None, None, tmp_path / "plain", server=own, reads="newest_first", latency=1, **given)
        with pytest.raises(ConfigError, match="for a re-ranker behind a server"):
            rd.evaluate(None, None, tmp_path / "no", server=own, rerank=tiny_encoder, **given)
    assert sent.system.measures == pytest.approx(ours.system.measures, abs=5e-5)
    assert last.system.measures != pytest.approx(ours.system.measures, abs=5e-5)
    assert sent.turns is not None
    assert last.turns is not None
    assert (sent.turns.reads, last.turns.reads) == ("turns, joined by the served model", "last_turn")
    assert plain.turns is not None
    assert plain.turns.reads == "newest_first, joined by spaces, not cut"
    assert "tokeniser is not known here" in caplog.text
    for mode in ("dense", "bm25"):
        with pytest.raises(ConfigError, match="say what is sent as text"):
            rd.evaluate(None, None, tmp_path / "no", server=address, index=mode, **given)


def test_texts_that_say_nothing_are_found_last(
    address: str, caplog: pytest.LogCaptureFixture, tiny_encoder: str
) -> None:
    from rankdistill.evaluation.served import ServedEncoder

    with rd.Client(address) as client:
        told = client.info()
        for kind in ("dense", "sparse"):
            encoder = ServedEncoder(client, told, kind)
            found = encoder.encode_documents(["a river", "", "stone", " \n"])
            plain = encoder.encode_documents(["a river", "stone"])
            whole, rows = (np.asarray(one.todense() if kind == "sparse" else one) for one in (found, plain))
            np.testing.assert_allclose(whole[[0, 2]], rows, atol=1e-6)
            assert not whole[[1, 3]].any()
            assert encoder.encode_documents([" "]).shape == (1, rows.shape[1])
    assert "2 texts are empty" in caplog.text
