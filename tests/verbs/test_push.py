"""The verb `push`, and `evaluate` on what an engine answers, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import rankdistill as rd
from rankdistill.cli.evaluate import evaluate as cli_evaluate
from rankdistill.cli.push import push as cli_push
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.indexing import StoredIndex
from tests.cli.verb import run_verb


@pytest.fixture
def dense(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> StoredIndex:
    return rd.index(tiny_beir, tiny_encoder, tmp_path / "dense", backend="torch")


@pytest.fixture
def sparse(tiny_beir: Path, tiny_splade: str, tmp_path: Path) -> StoredIndex:
    return rd.index(tiny_beir, tiny_splade, tmp_path / "sparse", kind="sparse", backend="torch")


def run_of(folder: Path) -> list[tuple[str, str]]:
    """(query, document) of a run, in its order."""
    lines = [line.split() for line in (folder / "run.trec").read_text().splitlines()]
    return [(line[0], line[2]) for line in lines]


def test_what_an_engine_answers_is_what_the_index_answers(
    dense: StoredIndex, sparse: StoredIndex, tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    url, asked = str(tmp_path / "qdrant"), {"engine": "qdrant", "collection": "tiny"}
    done = rd.push([dense, sparse], to="qdrant", url=url, collection="tiny", exact=True)
    assert (done.documents, done.sent) == (40, 40)
    assert "40 documents, 40 of them sent now; dense (32) and sparse" in str(done)
    assert done.to_json()["spaces"]["dense"] == dense.space.fingerprint
    for index, model in ((dense, tiny_encoder), (sparse, tiny_splade)):
        name = Path(model).name
        of_index = rd.evaluate(tiny_beir, index, tmp_path / f"index-{name}", backend="torch")
        of_engine = rd.evaluate(tiny_beir, model, tmp_path / f"engine-{name}", url=url, backend="torch", **asked)
        assert of_engine.system.measures == of_index.system.measures
        assert run_of(tmp_path / f"engine-{name}") == run_of(tmp_path / f"index-{name}")
        told = of_engine.signature["system"]["engine"]
        assert (told["name"], told["collection"], told["version"][:5]) == ("qdrant", "tiny", "edge ")
    with pytest.raises(ConfigError, match="dense and sparse"):
        rd.evaluate(tiny_beir, None, tmp_path / "out", url=url, **asked)


def test_the_command_line(dense: StoredIndex, tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    there = ["--url", tmp_path / "lance", "--collection", "tiny"]
    line = ["--to", "lancedb", "--index", dense.folder, *there, "--data", tiny_beir, "--json"]
    assert json.loads(run_verb(cli_push, *line).stdout)["sent"] == 40
    assert json.loads(run_verb(cli_push, *line).stdout)["sent"] == 0
    line = ["--engine", "lancedb", *there, "--data", tiny_beir, "--split", "test", "--backend", "torch"]
    run_verb(cli_evaluate, *line, "--out", tmp_path / "out")
    of_index = rd.evaluate(tiny_beir, dense, tmp_path / "of-index", backend="torch")
    assert json.loads((tmp_path / "out" / "results.json").read_text())["system"]["measures"] == of_index.system.measures
    import lancedb

    kept = pl.from_arrow(lancedb.connect(tmp_path / "lance").open_table("tiny").to_arrow())
    assert isinstance(kept, pl.DataFrame)
    rows = (tiny_beir / "corpus.jsonl").read_text().splitlines()
    texts = {json.loads(row)["_id"]: json.loads(row)["text"] for row in rows}
    assert all(row["text"].endswith(texts[row["doc_id"]]) for row in kept.iter_rows(named=True))


def test_an_embedding_store_is_pushed_with_the_ids_of_its_collection(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store", backend="torch")
    done = rd.push(embeddings=store, data=tiny_beir, to="qdrant", url=str(tmp_path / "q"), collection="c", exact=True)
    assert done.documents == 40
    of_engine = rd.evaluate(
        tiny_beir, tiny_encoder, tmp_path / "out", engine="qdrant", url=str(tmp_path / "q"), collection="c",
        backend="torch",
    )  # fmt: skip
    of_model = rd.evaluate(tiny_beir, tiny_encoder, tmp_path / "of-model", backend="torch")
    assert of_engine.system.measures == of_model.system.measures


def test_a_model_of_another_space_and_other_data_are_refused(
    dense: StoredIndex, tiny_beir: Path, tiny_splade: str, stranger: Path, tmp_path: Path
) -> None:
    asked = {"engine": "qdrant", "url": str(tmp_path / "q"), "collection": "c"}
    with pytest.raises(DataError, match="there is none"):
        rd.evaluate(tiny_beir, None, tmp_path / "out", **asked)
    rd.push(dense, to="qdrant", url=str(tmp_path / "q"), collection="c")
    with pytest.raises(SpaceMismatchError):
        rd.evaluate(tiny_beir, str(stranger), tmp_path / "out", **asked)
    with pytest.raises(ConfigError, match="a model of dense vectors"):
        rd.evaluate(tiny_beir, tiny_splade, tmp_path / "out", **asked)
    lines = (tiny_beir / "corpus.jsonl").read_text().splitlines()
    (tiny_beir / "corpus.jsonl").write_text("\n".join([*lines, json.dumps({"_id": "d40", "text": "more"})]) + "\n")
    with pytest.raises(DataError, match="41 documents"):
        rd.evaluate(tiny_beir, None, tmp_path / "out", **asked)


def test_what_cannot_be_pushed_is_told(
    dense: StoredIndex, sparse: StoredIndex, tiny_beir: Path, tmp_path: Path
) -> None:
    there = {"to": "qdrant", "url": str(tmp_path / "q"), "collection": "c"}
    words = rd.index(tiny_beir, None, tmp_path / "words", factory="bm25")
    for index, settings, told in (
        (None, there, "neither"),
        (words, there, "index of text"),
        ([dense, dense], there, "both dense"),
        (dense, there | {"to": "solr"}, "'solr'"),
        (dense, there | {"url": "grpc://localhost:6334"}, "grpc"),
        (dense, there | {"collection": "a/b"}, "a/b"),
        (sparse, there | {"to": "lancedb", "url": str(tmp_path / "lance")}, "sparse"),
        (dense, there | {"parameters": "ef=2"}, "ef"),
        (dense, there | {"parameters": "m=16", "exact": True}, "no parameters"),
        (dense, there | {"parameters": "m=1.5"}, "1.5"),
        (dense, there | {"batch_size": 0}, "batch_size"),
        (dense, there | {"api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
    ):
        with pytest.raises(ConfigError, match=told):
            rd.push(index, **settings)
    assert not (tmp_path / "q").exists()
    for settings, told in (
        ({"engine": "qdrant"}, "--url and --collection"),
        ({"exact": True}, "--exact"),
        ({"engine": "qdrant", "url": "u", "collection": "c", "index": dense}, "an index"),
        ({"engine": "qdrant", "url": "u", "collection": "c", "factory": "HNSW8"}, "factory"),
    ):
        with pytest.raises(ConfigError, match=told):
            rd.evaluate(tiny_beir, None, tmp_path / "out", **settings)


def test_the_fields_of_an_index_are_typed_columns(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    path = tiny_beir / "corpus.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for place, row in enumerate(rows):
        row |= {"year": 1990 + place, "free": place % 2 == 0, "tags": ["a", f"t{place % 3}"], "day": "2024-05-01"}
        if place == 7:
            del row["year"], row["tags"], row["day"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wanted = ["year", "free", "tags", "day"]
    index = rd.index(tiny_beir, tiny_encoder, tmp_path / "index", backend="torch", fields=wanted, shard_size=15)
    rd.push(index, to="lancedb", url=str(tmp_path / "lance"), collection="c")
    import lancedb

    table = lancedb.connect(tmp_path / "lance").open_table("c")
    kept = table.search().where("year >= 1995 AND free = true", prefilter=True).limit(100).to_list()
    assert sorted(row["year"] for row in kept) == [year for year in range(1996, 2030, 2)]
    every = {row["doc_id"]: row for row in table.to_arrow().to_pylist()}
    assert [every["d07"][name] for name in wanted] == [None, False, None, None]
    assert (every["d08"]["tags"], every["d08"]["day"].isoformat()) == (["a", "t2"], "2024-05-01T00:00:00+00:00")
    reserved = rd.index(tiny_beir, tiny_encoder, tmp_path / "other", backend="torch", fields={"title": "string"})
    assert rd.push(reserved, to="lancedb", url=str(tmp_path / "lance"), collection="d").documents == 40
    for row in rows:
        row["position"] = 1
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    taken = rd.index(tiny_beir, tiny_encoder, tmp_path / "taken", backend="torch", fields=["position"])
    with pytest.raises(ConfigError, match="'position'"):
        rd.push(taken, to="lancedb", url=str(tmp_path / "lance"), collection="e")
