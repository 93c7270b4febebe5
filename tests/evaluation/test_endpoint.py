"""A live embedding service under evaluation, and side by side with local models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.cli.compare import compare
from rankdistill.cli.evaluate import evaluate
from rankdistill.errors import ConfigError, StaleOutputError, TeacherError
from rankdistill.evaluation.endpoint import PROBE, EndpointEncoder, Settings, key
from rankdistill.stores.answers import kept_vectors
from tests import tiny_task
from tests.cli.verb import run_verb
from tests.teachers.http_server import FakeServer, Reply, serving


@pytest.fixture(scope="module")
def service(tiny_encoder: str) -> Iterator[FakeServer]:
    """The tiny encoder behind `/v1/embeddings`; its vectors are three times as long, and come in another order."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(tiny_encoder, device="cpu")

    def answer(path: str, body: Any) -> Reply:
        if path.partition("?")[0] != "/v1/embeddings":
            return Reply({"error": "no such page"}, 404)
        rows = 3 * model.encode(body["input"])
        data = [{"index": place, "embedding": row.tolist()} for place, row in enumerate(rows)]
        return Reply({"data": data[::-1], "model": "tiny", "usage": {"total_tokens": len(rows)}})

    with serving(answer) as fake:
        yield fake


@pytest.fixture
def asked(service: FakeServer) -> FakeServer:
    """The service, with nothing asked yet."""
    service.asked.clear()
    service.first.clear()
    return service


def values(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_a_service_has_the_values_of_its_model(
    asked: FakeServer, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    line = ["--data", tiny_beir, "--split", "test"]
    run_verb(evaluate, *line, "--model", asked.url, "--served-model", "tiny", "--out", tmp_path / "service")
    run_verb(evaluate, *line, "--model", tiny_encoder, "--backend", "torch", "--out", tmp_path / "local")
    found, local = values(tmp_path / "service"), values(tmp_path / "local")
    for measure in ("ndcg_at_10", "recall_at_100", "mrr_at_10"):
        assert found[measure] == pytest.approx(local[measure], abs=1e-6)
    assert {one.body["model"] for one in asked.posts} == {"tiny"}
    assert found["signature"]["system"]["encoder"]["endpoint"]["model"] == "tiny"
    assert found["system"]["name"].startswith("tiny at 127.0.0.1:")
    assert found["system"]["teacher_unknown"], "what a service learned from nobody knows"
    assert not local["system"]["teacher_unknown"]


def test_queries_and_documents_have_prefixes_of_their_own(asked: FakeServer, tiny_beir: Path, tmp_path: Path) -> None:
    prefixes = ["--query-prefix", "what is ", "--document-prefix", "the old "]
    line = ["--data", tiny_beir, "--model", f"{asked.url}/v1", *prefixes, "--out", tmp_path / "out"]
    run_verb(evaluate, *line)
    texts = [text for one in asked.posts for text in one.body["input"]]
    dataset = rankdistill.open(tiny_beir)
    wanted = {f"what is {text}" for text in dataset.queries("test").values()}
    wanted |= {f"the old {text}" for text in dataset.contents.values()}
    assert set(texts) == wanted | {"dimension"}
    said = values(tmp_path / "out")["signature"]["system"]["encoder"]["endpoint"]
    assert (said["query_prefix"], said["document_prefix"]) == ("what is ", "the old ")


def test_services_and_local_models_are_compared_in_one_run(
    asked: FakeServer, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    settings = {"url": asked.url, "model": "tiny", "query_prefix": "deep ", "document_prefix": "", "max_batch": 7}
    (tmp_path / "service.yaml").write_text(json.dumps(settings))
    systems = ["words=bm25", f"local={tiny_encoder}", f"service={tmp_path / 'service.yaml'}"]
    line = [*systems, "--data", tiny_beir, "--out", tmp_path / "out", "--baseline", "local"]
    shown = run_verb(compare, *line)
    assert all(name in shown.stdout for name in ("words", "local", "service"))
    found = values(tmp_path / "out")
    assert [one["name"] for one in found["systems"]] == ["local", "words", "service"], "the baseline is first"
    assert {one["baseline"] for one in found["comparisons"]} == {"local"}
    assert (tmp_path / "out" / "report.html").is_file()
    assert max(len(one.body["input"]) for one in asked.posts) == 7
    asked.asked.clear()
    run_verb(compare, *line)
    assert len(asked.posts) <= 1, "what was evaluated is not asked for again"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "NAME=SYSTEM"),
        (["a=bm25", "a=bm25"], "two a"),
        (["../a=bm25"], "NAME=SYSTEM"),
        (["a="], "NAME=SYSTEM"),
    ],
)
def test_systems_need_names_of_their_own(tiny_beir: Path, tmp_path: Path, words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rankdistill.compare(words or ["bm25"], tmp_path / "out", data=tiny_beir)
    assert not (tmp_path / "out").exists()


def test_systems_need_a_folder_and_a_baseline_of_theirs(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --out DIR"):
        rankdistill.compare(["a=bm25", "b=bm25"], data=tiny_beir)
    with pytest.raises(ConfigError, match="the baseline c"):
        rankdistill.compare(["a=bm25"], tmp_path / "out", data=tiny_beir, baseline="c")


def test_an_empty_text_is_not_sent_and_a_long_one_is_cut(asked: FakeServer) -> None:
    encoder = EndpointEncoder(Settings(url=asked.url, document_prefix="the ", max_characters=9))
    found = encoder.encode_documents(["river deep", " ", "bread"])
    assert asked.posts[-1].body["input"] == ["the river", "the bread"]
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 1])
    assert encoder.space.dimension == found.shape[1] == 32
    assert "3 tokens" in encoder.spent()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"data": []}, "a list of 1 objects"),
        ({"data": [{"index": 0, "embedding": [1.0, "x"]}]}, "of numbers"),
        ({"data": [{"index": 1, "embedding": [1.0]}]}, "each `index`"),
        ({"data": [{"index": 0, "embedding": []}]}, "finite numbers"),
        ('{"data": [{"index": 0, "embedding": [NaN]}]}', "finite numbers"),
        ({"data": [{"index": 0}]}, "an `embedding`"),
        ([1.0], "`data`"),
    ],
)
def test_what_is_no_vectors_is_refused(asked: FakeServer, content: Any, said: str) -> None:
    asked.first = [Reply(content)]
    with pytest.raises(TeacherError, match=said):
        EndpointEncoder(Settings(url=asked.url))


def test_a_busy_service_is_asked_again_and_a_refusal_is_told(
    asked: FakeServer, tiny_beir: Path, tmp_path: Path
) -> None:
    asked.first = [Reply({"error": "busy"}, 429, {"Retry-After": "0"})]
    assert EndpointEncoder(Settings(url=asked.url)).dimension == 32
    asked.first = [Reply({"error": "no key"}, 401)]
    with pytest.raises(TeacherError, match="api_key_variable"):
        rankdistill.evaluate(tiny_beir, asked.url, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_key_is_sent_and_stands_nowhere(
    asked: FakeServer, tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SERVICE", "sk-secret")
    rankdistill.evaluate(tiny_beir, asked.url, tmp_path / "out", api_key_env="OF_THE_SERVICE")
    assert {one.headers["Authorization"] for one in asked.posts} == {"Bearer sk-secret"}
    assert not [file for file in (tmp_path / "out").rglob("*") if file.is_file() and b"sk-secret" in file.read_bytes()]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"system": "MODEL", "query_prefix": "query: "}, "address of a service"),
        ({"system": "http://127.0.0.1:1", "max_length": 8}, "max_length"),
        ({"system": "http://127.0.0.1:1", "backend": "torch"}, "backend"),
        ({"system": "http://user:word@127.0.0.1:1"}, "user or password"),
        ({"system": "http://127.0.0.1:1", "tasks": "SciFact", "data_root": ".", "max_length": 9}, "max_length"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tiny_beir: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    data = None if "tasks" in settings else tiny_beir
    with pytest.raises(ConfigError, match=said):
        rankdistill.evaluate(data, settings.pop("system"), tmp_path / "out", **settings)


def test_a_file_with_an_unknown_setting_names_it(tiny_beir: Path, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text("url: http://127.0.0.1:1\nprefix: 'query: '\n")
    with pytest.raises(ConfigError, match="prefix"):
        rankdistill.evaluate(tiny_beir, tmp_path / "service.yaml", tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "asked_at"),
    [
        ("http://host:8080", "http://host:8080/v1/embeddings"),
        ("http://host/v1/", "http://host/v1/embeddings"),
        ("https://host/openai/embeddings?api-version=1", "https://host/openai/embeddings?api-version=1"),
    ],
)
def test_an_address_without_a_path_gets_the_usual_one(given: str, asked_at: str) -> None:
    assert Settings(url=given).url == asked_at


def test_what_is_asked_by_parameters_is_another_system(asked: FakeServer, tiny_beir: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"split": "test", "name": "service"}
    address = f"{asked.url}/v1/embeddings"
    for part in ("", "?api-key=sk-1"):
        found = rankdistill.evaluate(tiny_beir, address + part, tmp_path / "out", **given)
        assert found.signature["system"]["encoder"]["endpoint"]["address"] == address.removeprefix("http://")
    with pytest.raises(StaleOutputError):
        rankdistill.evaluate(tiny_beir, f"{address}?deployment=A", tmp_path / "out", **given)
    rankdistill.evaluate(tiny_beir, f"{address}?deployment=A&api-key=sk-1", tmp_path / "a", **given)
    rankdistill.evaluate(tiny_beir, f"{address}?api-key=sk-2&deployment=A", tmp_path / "a", **given)
    with pytest.raises(StaleOutputError):
        rankdistill.evaluate(tiny_beir, f"{address}?deployment=B", tmp_path / "a", **given)
    assert "sk-" not in "".join(path.read_text() for path in (tmp_path / "a").glob("*.json"))


def test_tasks_of_mteb_are_asked_of_a_service_as_of_its_model(
    asked: FakeServer, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = {"TinyServed": tiny_task.QUERIES, "TinyToo": {key: tiny_task.QUERIES[key] for key in ("t0", "t3")}}
    with tiny_task.known_to_mteb(tmp_path / "tasks", tasks) as root:
        several: dict[str, Any] = {"tasks": list(tasks), "data_root": root, "latency": 0}
        local = rankdistill.evaluate(None, tiny_encoder, tmp_path / "local", backend="torch", **several)
        served = rankdistill.evaluate(None, asked.url, tmp_path / "served", served_model="tiny", **several)
        caplog.clear()
        again = rankdistill.evaluate(None, asked.url, tmp_path / "served", served_model="tiny", **several)
        with pytest.raises(StaleOutputError, match="revision"):
            rankdistill.evaluate(
                None, asked.url, tmp_path / "served", served_model="tiny", query_prefix="query: ", **several
            )
    assert "1 requests" in caplog.text.replace("1 request,", "1 requests,"), "what is done is not asked for again"
    for name in tasks:
        one, other = (found.results[name]["scores"]["test"][0] for found in (local, served))
        assert other["ndcg_at_10"] == pytest.approx(one["ndcg_at_10"], abs=1e-5), name
        assert again.results[name]["scores"] == served.results[name]["scores"]
    assert served.name.startswith("rankdistill/")
    told = {one.name: [rankdistill.open(one.path / name / "test").system for name in tasks] for one in (local, served)}
    assert [one.teacher_unknown for one in told[served.name]] == [True, True]
    assert [one.teacher_unknown for one in told[local.name]] == [False, False]
    meta = json.loads((served.files / "model_meta.json").read_text())
    assert meta["revision"] == served.revision != local.revision


def test_a_killed_run_asks_again_for_what_was_in_flight_alone(
    asked: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written at the end of a killed run: each answer was kept as it came."""
    texts = [f"the old river {number}" for number in range(20)]
    settings = Settings(url=asked.url, max_batch=4, concurrency=1)
    encoder, post = EndpointEncoder(settings), EndpointEncoder._vectors

    def until_the_third(one: EndpointEncoder, texts: Sequence[str], stop: Event) -> np.ndarray:
        if len(asked.posts) == 4:
            raise KeyboardInterrupt
        return post(one, texts, stop)

    with monkeypatch.context() as patch:
        patch.setattr(EndpointEncoder, "_vectors", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode_documents(texts)
    asked.asked.clear()
    encoder = EndpointEncoder(settings)
    found = encoder.encode_documents(texts)
    assert [one.body["input"] for one in asked.posts[1:]] == [texts[12:16], texts[16:]]
    encoder.forget()
    np.testing.assert_allclose(found, EndpointEncoder(settings).encode_documents(texts), atol=1e-6)
    assert len(asked.posts) == 3 + 1 + 5


def test_what_another_model_behind_the_address_said_is_not_used(asked: FakeServer) -> None:
    settings, texts = Settings(url=asked.url, max_batch=4), ["the old river", "a deep harbour"]
    first = EndpointEncoder(settings)
    before = first.encode_documents(texts)
    answers = kept_vectors(first._kept, "probe")
    answers.forget()
    answers.add([(key(PROBE), np.zeros(first.dimension, np.float32))])
    asked.asked.clear()
    again = EndpointEncoder(settings)
    np.testing.assert_allclose(again.encode_documents(texts), before, atol=1e-6)
    assert len(asked.posts) == 2
    again.forget()


def test_a_query_that_is_timed_is_asked_for_each_time(asked: FakeServer) -> None:
    encoder = EndpointEncoder(Settings(url=asked.url))
    for _ in range(3):
        encoder.encode_queries(["what is a harbour"])
    assert len(asked.posts) == 4
    encoder.forget()


def test_what_another_run_of_the_same_service_keeps_stays(asked: FakeServer) -> None:
    settings = Settings(url=asked.url, max_batch=4)
    one, other = EndpointEncoder(settings), EndpointEncoder(settings)
    one.encode_documents(["a river", "a harbour"])
    other.encode_documents(["a planet", "a violin"])
    one.forget()
    asked.asked.clear()
    EndpointEncoder(settings).encode_documents(["a planet", "a violin"])
    assert len(asked.posts) == 1, "the probe alone"
    other.forget()
    assert not other._kept.exists()


def test_two_runs_over_the_same_texts_keep_their_own_and_what_is_old_and_dead_goes(asked: FakeServer) -> None:
    settings = Settings(url=asked.url, max_batch=4)
    one = EndpointEncoder(settings)
    one.encode_documents(["a river", "a harbour"])
    (folder,) = [path for path in one._kept.iterdir() if path.is_dir()]
    (own,) = folder.iterdir()
    host = own.name.split("-")[0]
    living, old = (
        folder / f"{host}-{os.getppid()}-vectors.txt",
        one._kept / "others" / f"{host}-{2**22 + 1}-vectors.txt",
    )
    living.write_bytes(own.read_bytes())
    old.parent.mkdir()
    old.touch()
    os.utime(old, (0, 0))
    one.forget()
    assert living.is_file()
    assert not own.exists()
    assert not old.parent.exists()
    again = EndpointEncoder(settings)
    asked.asked.clear()
    again.encode_documents(["a river", "a harbour"])
    assert not asked.posts
    living.unlink()
    again.forget()
    assert not again._kept.exists()
