"""The verb `embed` from Python: what it takes, what it gives, and that its store is the command line's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data, sessions
from rankdistill.errors import ConfigError, DataError
from rankdistill.stores.embeddings.asking import Asked
from rankdistill.stores.embeddings.gathering import gather
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import parse_text_file
from rankdistill.stores.runs import StoreRun
from rankdistill.verbs.plan import Plan
from tests.cli.verb import run_verb
from tests.conversations import write_tiny_sessions
from tests.verbs.files import contents


def store_of(made: EmbeddingStore | StoreRun | Plan) -> EmbeddingStore:
    assert isinstance(made, EmbeddingStore)
    return made


def test_paths_and_objects_make_the_store_that_the_command_and_the_library_make(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.cli import console
    from rankdistill.cli.embed import embed

    command, dataset = "rankdistill embed --out .", data.load(tiny_beir)
    settings: dict[str, Any] = {"backend": "torch", "limit": 20, "query_prompt": "ask ", "document_prompt": "the "}
    settings |= {"command": command}
    rd.embed(str(tiny_beir), tiny_encoder, str(tmp_path / "text"), **settings)
    rd.embed([tiny_beir], Path(tiny_encoder), tmp_path / "paths", **settings)
    rd.embed((dataset,), tiny_encoder, tmp_path / "objects", **settings)
    teacher = {"kind": "embedding", "model": tiny_encoder, "backend": "torch"}
    rd.embed(dataset, teacher, tmp_path / "mapping", **settings | {"backend": "auto"})
    monkeypatch.setattr(console, "command", lambda leave_out=(): command)
    flags = ["--data", tiny_beir, "--teacher", tiny_encoder, "--backend", "torch", "--limit", 20]
    run_verb(embed, *flags, "--query-prompt", "ask ", "--document-prompt", "the ", "--out", tmp_path / "flags")
    asked = Asked(tiny_encoder, "torch", prompts={"query": "ask ", "document": "the "})
    gathered = gather(Sources([dataset]), tmp_path / "texts.parquet", 20)
    asked.writer(tmp_path / "library", gathered).run(command=command)
    wanted = contents(tmp_path / "library")
    assert len(wanted) > 3
    for name in ("text", "paths", "objects", "mapping", "flags"):
        assert contents(tmp_path / name) == wanted, name


def test_a_store_says_what_it_holds_and_what_the_call_did(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    from rankdistill.cli.status import status

    done: list[int] = []
    store = store_of(rd.embed(tiny_beir, tiny_encoder, tmp_path / "e", progress=done.append))
    assert sum(done) == 2 * 132  # gathered, and embedded
    assert repr(store) == (
        f"EmbeddingStore('{tmp_path / 'e'}': 40 document texts, 92 query texts by {store.name}, 32 x float32)"
    )
    assert Path(store) == tmp_path / "e"
    assert str(store).split() == run_verb(status, tmp_path / "e").stdout.split()
    assert "document texts: 40" in store._repr_html_()
    assert store.to_polars().columns == ["text_id", "kind", "source", "text"]
    assert store.to_polars()["text_id"].to_list() == store.texts()["text_id"].to_pylist()
    assert len(store.to_pandas()) == 132
    told = json.loads(json.dumps(store.to_json(), allow_nan=False))
    assert (told["texts"], told["dimension"]) == ({"query": 92, "document": 40}, 32)
    assert store.run is not None
    assert (store.run.done, store.run.work, store.run.left) == (132, "embedded", 0)
    plan = rd.embed(tiny_beir, tiny_encoder, store, plan=True)
    assert isinstance(plan, Plan)
    assert (plan.missing, plan.rate) == (0, None)


def test_a_plan_measures_and_writes_nothing(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    plan = rd.embed(tiny_beir, tiny_encoder, tmp_path / "e", plan=True, sample=20, unit_size=32)
    assert isinstance(plan, Plan)
    assert (plan.wanted, plan.missing, plan.shards, plan.bytes) == (132, 132, 5, 132 * 32 * 4)
    assert plan.rate is not None
    assert [line.split()[0] for line in str(plan).splitlines()] == ["wanted", "missing", "size", "time"]
    assert "texts/s" in str(plan)
    assert not (tmp_path / "e").exists()


def test_files_alone_and_collections_that_are_judged(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = next(iter(data.load(tiny_beir).queries("train").values()))
    (tmp_path / "more.txt").write_text(f"an unheard-of query\n{held}\n")
    words = f"query={tmp_path / 'more.txt'}"
    assert len(store_of(rd.embed(None, tiny_encoder, tmp_path / "all", texts=words))) == 2
    with caplog.at_level(logging.INFO, "rankdistill"):
        store = store_of(rd.embed(None, tiny_encoder, tmp_path / "some", texts=[words], judged=tiny_beir))
    assert store.to_polars()["text"].to_list() == ["an unheard-of query"]
    assert "more.txt: 1 (1 held out)" in caplog.text


def test_rewrites_of_conversations_that_are_judged_are_held_out(tiny_beir: Path, tmp_path: Path) -> None:
    """`evaluate --reads rewrite:NAME` asks them."""
    folder = write_tiny_sessions(tiny_beir)
    tested = [one.turn.rewrites["human"][0] for one in sessions.read(folder).asked("test")]
    trained = next(iter(sessions.read(folder).rewrites("human", "train").values()))
    (tmp_path / "more.txt").write_text("".join(f"{text.upper()}!\n" for text in [*tested, trained, "unheard of"]))
    words = parse_text_file(f"query={tmp_path / 'more.txt'}")
    of_ours = gather(Sources([data.load(folder)], [words]), tmp_path / "a.parquet")
    assert of_ours.tallies["more.txt"] == dict.fromkeys(of_ours.tallies["more.txt"], 0) | {"kept": 2, "held_out": 6}
    of_others = gather(Sources(files=[words], judged=[data.load(folder)]), tmp_path / "b.parquet")
    assert (len(of_others), of_others.tallies["more.txt"]["held_out"]) == (1, 7)


def test_where_other_shares_are_missing_the_run_is_returned(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    first = rd.embed(tiny_beir, tiny_encoder, tmp_path / "e", unit_size=32, shard="1/2")
    assert isinstance(first, StoreRun)
    assert (first.left, first.unit) == (2, "texts")
    assert isinstance(rd.embed(tiny_beir, tiny_encoder, tmp_path / "e", unit_size=32, shard="2/2"), EmbeddingStore)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"data": 3}, ConfigError, "data of embed"),
        ({"data": [3]}, ConfigError, "data of embed"),
        ({"data": None}, DataError, "--data or --texts"),
        ({"text": "x"}, ConfigError, "texts is meant"),
        ({"limit": 0}, ConfigError, "limit of at least 1"),
        ({"document_limit": -1}, ConfigError, "document_limit of at least 0"),
        ({"unit_size": 0}, ConfigError, "unit_size of at least 1"),
        ({"sample": -1}, ConfigError, "sample of at least 0"),
        ({"dtype": "int8"}, ConfigError, "float32 or float16"),
        ({"teacher": {"kind": "embedding", "model": "x", "modell": "x"}}, ConfigError, "modell"),
    ],
)
def test_wrong_names_types_and_values_are_errors_before_anything_is_written(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, changed: dict[str, Any], error: type[Exception], says: str
) -> None:
    given: dict[str, Any] = {"data": tiny_beir, "teacher": tiny_encoder, "out": tmp_path / "e"} | changed
    with pytest.raises(error, match=says):
        rd.embed(**given)
    assert not (tmp_path / "e").exists()


def test_long_texts_are_noted_and_the_command_prints_json(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from rankdistill.cli.embed import embed

    with caplog.at_level(logging.WARNING, "rankdistill"):
        store = store_of(rd.embed(tiny_beir, tiny_encoder, tmp_path / "e", max_length=8, progress=True))
    assert "40 document texts are longer than the teacher takes: it read their beginning" in caplog.text
    assert store.to_json()["truncated"]["document"] == 40
    flags = ["--data", tiny_beir, "--teacher", tiny_encoder, "--max-length", 8, "--out", tmp_path / "e"]
    told = json.loads(run_verb(embed, *flags, "--json").stdout)
    assert (told["embedded"], told["reused"], told["finished"]) == (0, 132, True)
    told = json.loads(run_verb(embed, *flags, "--plan", "--json").stdout)
    assert (told["missing"], told["unit"]) == (0, "texts")
