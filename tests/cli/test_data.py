"""The verb `data`, as a user types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rankdistill import manifest
from rankdistill.cli.data import app
from rankdistill.data import load, sources
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError
from rankdistill.records import Document, Query


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_check_counts_documents_and_splits(tiny_beir: Path) -> None:
    code, output = run("check", tiny_beir)
    assert code == 0
    assert "40 documents" in " ".join(output.split())
    rows = [line.split() for line in output.splitlines() if line.split()[:1] in (["dev"], ["test"], ["train"])]
    assert [row[:2] for row in rows] == [["dev", "6"], ["test", "6"], ["train", "12"]]
    assert all(len(row) == 4 for row in rows)


def test_check_lists_bad_rows_and_fails_unless_lenient(tiny_beir: Path) -> None:
    with (tiny_beir / "corpus.jsonl").open("a") as stream:
        stream.write("{broken\n" * 3)
    code, output = run("check", tiny_beir, "--show", "2")
    assert code == 1
    assert output.count("corpus.jsonl:4") == 2
    assert "and 1 more" in output
    assert run("check", tiny_beir, "--lenient")[0] == 0


def test_check_of_a_missing_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        run("check", tmp_path / "absent")


def test_pydocs_writes_a_collection_once(tmp_path: Path) -> None:
    arguments = ("pydocs", "--out", tmp_path / "out", "--packages", "networkx", "--limit", 60, "--gzip")
    code, output = run(*arguments)
    assert code == 0
    assert "60 documents" in " ".join(output.split())
    assert (tmp_path / "out/corpus.jsonl.gz").is_file()
    assert manifest.expect(tmp_path / "out", "dataset", "data pydocs").inputs.keys() == {"networkx"}
    assert "up to date" in run(*arguments)[1]


def test_fetch_writes_what_the_source_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str) -> Collection:
        return Collection([Document("d", "", "text")], [Query("q", name)], {"test": {"q": {"d": 1}}})

    monkeypatch.setitem(sources.SOURCES, "hf", fake)
    code, output = run("fetch", "hf:org/name", "--out", tmp_path)
    assert code == 0
    assert "1 documents" in " ".join(output.split())
    assert load(tmp_path).queries() == {"q": "org/name"}


def test_convert_makes_a_collection_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs.csv").write_text("sku,description,price\nA1,Red chair,3\nA2,Blue table,4\n")
    line = "convert --from csv --input docs.csv --id sku --text description --out DIR"
    code, output = run(*line.split())
    assert code == 0
    assert "2 documents" in " ".join(output.split())
    assert [(one.doc_id, one.text) for one in load("DIR").documents()] == [("A1", "Red chair"), ("A2", "Blue table")]
    assert "up to date" in run(*line.split())[1]
    assert run(*line.replace("--from csv ", "").split())[0] == 0


def test_every_flag_of_convert_reaches_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    from rankdistill.verbs import data

    texts = (
        "id",
        "title",
        "text",
        "encoding",
        "delimiter",
        "query_id",
        "query_text",
        "qrels_columns",
        "clicks_columns",
    )
    given: dict[str, Any] = {name: f"x-{name}" for name in (*texts, "tokenizer")}
    given |= {"from_": "csv", "keep": ["a", "b"], "qrels": ["c", "dev=d"], "min_clicks": 4, "dev": 0.3, "test": 0.4}
    given |= {"passage_tokens": 50, "overlap": 5, "queries": Path("q"), "clicks": Path("k")}
    given |= {"number_rows": True, "gzip": True, "lenient": True}
    words: list[object] = ["convert", "--input", "in", "--out", "out"]
    for name, value in given.items():
        flag = f"--{name.strip('_').replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            words += [flag] if one is True else [flag, one]
    seen: dict[str, Any] = {}

    def record(*places: Path, **named: Any) -> None:
        seen.update(named, places=places)
        raise SystemExit(0)

    monkeypatch.setattr(data, "convert", record)
    run(*words)
    assert seen.pop("places") == (Path("in"), Path("out"))
    assert {name: seen[name] for name in given} == given
    assert seen.keys() - given.keys() == {"progress", "command"}


def test_trec_qrels_become_a_beir_split(tiny_beir: Path, tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q00 0 d01 2\nq00 0 d02 0\n")
    code, output = run("trec-qrels", tmp_path / "qrels.txt", "--out", tiny_beir / "qrels/trec.tsv")
    assert code == 0
    assert "2 judgements of 1 queries" in output
    assert load(tiny_beir).qrels("trec") == {"q00": {"d01": 2, "d02": 0}}


def test_trec_qrels_with_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q00 0 d01 2\nbad\n")
    with pytest.raises(DataError, match=r"qrels\.txt:2"):
        run("trec-qrels", tmp_path / "qrels.txt", "--out", tmp_path / "out.tsv")
    assert not (tmp_path / "out.tsv").exists()
    code, output = run("trec-qrels", tmp_path / "qrels.txt", "--out", tmp_path / "out.tsv", "--lenient")
    assert code == 0
    assert "left out 1 bad rows" in output
