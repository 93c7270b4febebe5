"""The verbs `open` and `status`, from Python."""

from __future__ import annotations

import ast
import json
from importlib import import_module, util
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data, manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.evaluation.sparsity import Cost, Row, Sparsity
from rankdistill.indexing import build
from rankdistill.mining.candidates import Candidates
from rankdistill.stores.reader import ScoreStore
from rankdistill.verbs.open import READERS, _reader
from rankdistill.verbs.status import Status
from tests.gate.conftest import made_candidates, made_scores, write_store

ROOT = Path(rd.__file__).parent
MAKERS = {"Manifest", "_manifest", "replace"}
"""Functions whose first argument, or `artefact`, may be the name of an artefact."""


def written() -> set[str]:
    """Every name of an artefact that the package gives to a manifest."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
        named = [one for one in calls if getattr(one.func, "attr", getattr(one.func, "id", "")) in MAKERS]
        home = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        for call in named:
            by_name = [word.value for word in call.keywords if word.arg == "artefact"]
            first = call.args[:1] if getattr(call.func, "attr", getattr(call.func, "id", "")) != "replace" else []
            for given in by_name or first:
                found |= value_of(given, home)
    return found


def value_of(given: ast.expr, home: str) -> set[str]:
    """The text that an expression in the module `home` stands for, if its names are the module's own."""
    try:
        value = eval(compile(ast.Expression(given), home, "eval"), vars(import_module(home)))
    except (NameError, AttributeError):  # a local name: whoever calls gives the artefact's
        return set()
    return {value} if isinstance(value, str) else set()


def test_every_artefact_that_is_written_has_a_reader() -> None:
    assert written() == set(READERS)


@pytest.mark.parametrize("artefact", READERS)
def test_a_reader_is_there(artefact: str) -> None:
    home = READERS[artefact].partition(":")[0]
    if artefact in ("student", "teacher") and util.find_spec(home) is None:
        pytest.skip(f"{home} is not in this version")
    assert callable(_reader(READERS[artefact]))


def test_a_collection_is_opened_and_says_what_it_holds(tiny_beir: Path, tmp_path: Path) -> None:
    found = rd.open(str(tiny_beir))
    assert isinstance(found, Dataset)
    assert repr(found) == f"Dataset({str(tiny_beir)!r}: 40 documents, 24 queries, splits dev, test, train)"
    assert "40 documents" in str(found)
    assert found.to_polars().rows()[0][:2] == ("dev", 6)
    assert "<table>" in found._repr_html_()
    assert rd.open(found, ignore_identical_ids=True).ignore_identical_ids is True
    with (tiny_beir / "corpus.jsonl").open("a") as stream:
        stream.write("{broken\n")
    with pytest.raises(DataError, match=r"corpus\.jsonl:41"):
        rd.open(tiny_beir)
    assert len(rd.open(tiny_beir, lenient=True).reports) == 1


def test_whatever_verbs_wrote_is_opened(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    rd.mine(tiny_beir, tmp_path / "candidates", depth=5)
    evaluate(Bm25Retriever(dataset), dataset, "test", tmp_path / "evaluation")
    build(dataset, None, tmp_path / "index", "bm25")
    candidates = made_candidates()
    write_store(tmp_path / "store", candidates, {"good": ("logit", made_scores(candidates))})
    assert isinstance(rd.open(tmp_path / "candidates"), Candidates)
    assert isinstance(rd.open(tmp_path / "store"), ScoreStore)
    opened = rd.open(str(tmp_path / "evaluation"))
    assert isinstance(opened, Evaluation)
    assert isinstance(rd.open(opened), Evaluation)
    assert rd.open(tmp_path / "index").factory == "bm25"
    row = Row("all terms", Cost(1, 2, 3, 4, 5), {"ndcg_at_10": 0.5})
    Sparsity("tiny", "test", 6, 40, [row]).write(tmp_path / "sparsity")
    manifest.Manifest("sparsity").write(tmp_path / "sparsity")
    found = rd.open(tmp_path / "sparsity")
    assert isinstance(found, Sparsity)
    assert found.to_polars()["kept"].to_list() == ["all terms"]
    manifest.Manifest("export", parameters={"format": "disco"}).write(tmp_path / "export")
    assert isinstance(rd.open(tmp_path / "export"), Status)


def test_what_cannot_be_opened_is_said(tmp_path: Path, tiny_beir: Path) -> None:
    for folder, said in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "neither a manifest nor a corpus")):
        with pytest.raises(DataError, match=said):
            rd.open(folder)
    manifest.Manifest("of tomorrow").write(tmp_path)
    with pytest.raises(DataError, match="of tomorrow"):
        rd.open(tmp_path)
    with pytest.raises(ConfigError, match="of tomorrow"):
        rd.open(tmp_path, lenient=True)
    with pytest.raises(ConfigError, match="path of open"):
        rd.open(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lenient is meant"):
        rd.open(tiny_beir, lenent=True)  # type: ignore[call-arg]


def test_status_says_what_made_a_folder(tiny_beir: Path, tmp_path: Path) -> None:
    mined = rd.mine(tiny_beir, tmp_path / "candidates", depth=5, command="rankdistill mine")
    found = rd.status(mined)
    assert str(found).splitlines()[:2] == [f"{mined.path}: candidates", "command: rankdistill mine"]
    told: dict[str, Any] = json.loads(json.dumps(found.to_json()))
    assert (told["artefact"], told["finished"], told["parameters"]["depth"]) == ("candidates", True, 5)
    assert found.to_polars().row(0) == (str(mined.path), "candidates", True, "rankdistill mine")
    candidates = made_candidates()
    write_store(tmp_path / "store", candidates, {"good": ("logit", made_scores(candidates))})
    store = rd.status(str(tmp_path / "store"))
    assert repr(store) == f"Status({str(tmp_path / 'store')!r}: scores)"
    assert "finished" in str(store)
    with pytest.raises(DataError, match=r"no manifest(.|\n)*run the verb that writes it"):
        rd.status(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        rd.status(tmp_path / "nowhere")
    here = rd.mine(tiny_beir, tmp_path / "here", depth=5)
    assert "command:" not in str(rd.status(here)), "nothing is said of what is not there"
