"""A conversion as a whole: killed anywhere it leaves nothing that looks finished, and the same call begins again."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill import files, manifest
from rankdistill.data import load, writer
from rankdistill.data.converting import Request, judgements, kinds
from rankdistill.data.converting.advice import advice
from rankdistill.errors import ConfigError, DataError, OutputError, StaleOutputError
from rankdistill.verbs import data
from tests.cli.conftest import rankdistill as rankdistill
from tests.cli.verb import Run
from tests.data.converting.conftest import Convert
from tests.verbs.files import contents


class Killed(BaseException):
    """Stands for the end of the process: nothing cleans up behind it."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "docs.csv"
    path.write_text("id,text\n" + "".join(f"d{one},text {one}\n" for one in range(50)))
    (tmp_path / "q.txt").write_text("".join(f"query {one}\n" for one in range(20)))
    (tmp_path / "c.csv").write_text("query,id\n" + "".join(f"query {one},d{one}\n" for one in range(20)))
    return path


def settings(place: Path) -> dict[str, Path]:
    return {"queries": place.parent / "q.txt", "clicks": place.parent / "c.csv"}


POINTS = {
    "while rows are written": ("rankdistill.data.writer._document_line", 30),
    "before a file has its name": ("rankdistill.files._fsync", 1),
    "after the first file": ("rankdistill.files._fsync", 4),
    "between two moves": ("os.replace", 7),
    "before the last move": ("os.replace", 12),
    "before the manifest": ("rankdistill.manifest.Manifest.write", 1),
    "after the manifest": ("rankdistill.data.writer.locations.is_local", 3),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_nothing_that_looks_finished_and_the_same_call_begins_again(
    place: Path, convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    expected = contents(convert(place, "whole", **settings(place)).path)
    name, after = POINTS[point]
    owner, _, function = name.rpartition(".")
    called = 0

    def killed(*given: object, **named: object) -> object:
        nonlocal called
        called += 1
        if called == after:
            raise Killed
        return original(*given, **named)

    from importlib import import_module

    parts = owner.split(".")
    module = next(".".join(parts[:n]) for n in range(len(parts), 0, -1) if _importable(".".join(parts[:n])))
    target = import_module(module)
    for part in parts[module.count(".") + 1 :]:
        target = getattr(target, part)
    original: Callable[..., object] = getattr(target, function)
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove_folder", lambda folder: None)  # a killed process removes nothing
        patch.setattr(target, function, killed)
        with pytest.raises(Killed):
            convert(place, "out", **settings(place))
    out = tmp_path / "out"
    if (out / "corpus.jsonl").exists():  # then all that belongs to it is there
        found = {name: one for name, one in contents(out).items() if not name.startswith(writer.WORK)}
        assert found.items() <= expected.items()
        assert expected.keys() - found.keys() <= {"manifest.json"}
    else:
        assert not (out / "manifest.json").exists()
        with pytest.raises(DataError):
            load(out)
    assert contents(convert(place, "out", **settings(place)).path) == expected
    assert not (out / writer.WORK).exists()


def _importable(name: str) -> bool:
    from importlib import import_module

    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def test_what_a_killed_writer_left_of_other_splits_goes(place: Path, convert: Convert, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / writer.WORK).mkdir(parents=True)
    (out / "qrels").mkdir()
    (out / "qrels" / "old.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    assert convert(place).splits == []
    assert not (out / "qrels").exists()


def test_a_failed_conversion_leaves_no_file(place: Path, convert: Convert, tmp_path: Path) -> None:
    place.write_text("id,text\n1,x\n1,y\n")
    with pytest.raises(DataError, match="duplicate id '1'"):
        convert(place)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_somebody_elses_collection_is_not_touched(place: Path, convert: Convert, tiny_beir: Path) -> None:
    before = contents(tiny_beir)
    with pytest.raises(OutputError, match="without a manifest"):
        convert(place, str(tiny_beir))
    assert {name: one for name, one in contents(tiny_beir).items()} == before


def test_every_setting_that_decides_the_result_is_in_the_manifest(place: Path, convert: Convert) -> None:
    place.write_text("id,name,text\nd1,a,x\nd2,b,y\n")
    convert(place)
    found = manifest.read(convert(place).path)
    assert found is not None
    assert found.parameters == {
        "source": "docs.csv",
        "from": "csv",
        "compress": False,
        "columns": {"id": "id", "title": "name", "text": "text"},
    }
    changed = [
        {"title": "id", "id": "name"},
        {"keep": ["name"], "title": "id", "id": "text", "text": "name"},
        {"number_rows": True},
        {"encoding": "cp1252"},
        {"delimiter": ";", "number_rows": True},
        {"queries": place.parent / "q.txt"},
        {"gzip": True},
        {"lenient": True},
        {"dev": 0.3},
        {"test": 0.3},
        {"min_clicks": 2},
    ]
    for one in changed:
        with pytest.raises((StaleOutputError, ConfigError)):
            convert(place, **one)
    assert found.inputs.keys() == {"documents"}
    place.write_text("id,name,text\nd1,a,x\nd2,b,z\n")
    with pytest.raises(StaleOutputError, match="input 'documents' was"):
        convert(place)


def test_nothing_of_the_machine_is_written(place: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write_text("id,text\nd1,x\nd1,y\nd2,\n")
    first = contents(convert(place, "a", lenient=True).path)
    monkeypatch.chdir(place.parent)
    assert contents(convert("docs.csv", "b", lenient=True).path) == first
    assert str(place.parent) not in "".join(one.decode() for one in first.values())


def test_every_kind_ending_and_label_is_on_the_page() -> None:
    page = (Path(rd.__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert tuple(rows) == kinds.KINDS
    assert f"the most clicked has {judgements.HIGHEST}," in page
    default = Request(Path())
    assert f"({default.test} and {default.dev})" in page


def test_who_is_told_hears_of_each_document(place: Path, convert: Convert) -> None:
    told: list[int] = []
    convert(place, progress=told.append)
    assert sum(told) == 50


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from_": "xml"}, "one of files, csv"),
        ({"encoding": "klingon"}, "the name of an encoding"),
        ({"encoding": "rot13"}, "the name of an encoding"),
        ({"dev": 0.6, "test": 0.6}, "together 1"),
        ({"passage_tokens": 32}, "--tokenizer"),
        ({"overlap": 3}, "--passage-tokens"),
        ({"delimiter": ", "}, "one letter"),
        ({"min_clicks": 0}, "--min-clicks"),
        ({"queries": "absent.txt"}, "no such file"),
        ({"qrels": "dev=absent.txt"}, "no such file"),
        ({"from_": "files", "id": "x"}, "columns of a table"),
        ({"keep": 3}, "keep of convert"),
        ({"min_clicks": 2}, "--clicks with --min-clicks"),
        ({"query_text": "x"}, "--queries with --query-text"),
        ({"qrels_columns": "a,b,c"}, "--qrels with --qrels-columns"),
        ({"from_": "jsonl", "encoding": "cp1252"}, "--encoding with CSV files"),
    ],
)
def test_settings_that_cannot_be(place: Path, convert: Convert, given: dict[str, object], said: str) -> None:
    with pytest.raises((ConfigError, DataError), match=said):
        convert(place, **given)


def test_what_is_advised_runs_as_it_is_printed(place: Path, tmp_path: Path, rankdistill: Run) -> None:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "a.md").write_text("# T\n\nx")
    for wrong in (place, tmp_path / "a folder"):
        status, said = rankdistill("mine", "--data", wrong, "--out", tmp_path / "candidates")
        (line,) = re.findall("`(rankdistill data convert .*?)`", said)
        assert status == 1
        words = [str(tmp_path / "made" / wrong.name) if word == "DIR" else word for word in shlex.split(line)[1:]]
        assert rankdistill(*words)[0] == 0
        assert load(tmp_path / "made" / wrong.name).doc_ids


def test_who_wanted_a_collection_is_told_how_one_is_made(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError) as stopped:
        data.check(place)
    assert (
        stopped.value.remedy
        == f"`rankdistill data convert --from csv --input {place} --out DIR` makes a collection of it"
    )
    for refused in (lambda: rd.open(place), lambda: rd.embed(None, "MODEL", tmp_path / "s", texts=f"query={place}")):
        with pytest.raises(DataError, match=r"data convert --from csv --input .*docs\.csv --out DIR"):
            refused()
    place.write_text("a,b,c\n1,2,3\n")
    assert advice(place) == (
        f"`rankdistill data convert --from csv --input {place} --id COLUMN --text COLUMN --out DIR` makes a collection "
        "of it; its columns are 'a', 'b', 'c'"
    )
    (tmp_path / "in").mkdir()
    assert advice(tmp_path / "in") is None
    (tmp_path / "in" / "a.md").write_text("x")
    monkeypatch.setattr("rankdistill.data.converting.advice.LOOKED_AT", 0)
    assert advice(tmp_path / "in") is None
    monkeypatch.undo()
    assert "--from files" in str(advice(tmp_path / "in"))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": 1, "text": "x"}) + "\n")
    assert "--from jsonl" in str(advice(tmp_path / "rows.jsonl"))
    os.mkfifo(tmp_path / "pipe")
    assert advice(tmp_path / "pipe") is None
    assert advice(tmp_path / "absent") is None
