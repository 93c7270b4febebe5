"""The verbs `data ...`, from Python; and how the command shows a collection and a machine."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from rankdistill.data import load
from rankdistill.errors import ConfigError
from rankdistill.verbs import data
from tests.cli.verb import Run


def test_collections_are_made_checked_and_converted(
    tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = data.pydocs(str(tmp_path / "docs"), packages="networkx", limit=60)
    assert len(made.doc_ids) == 60
    with caplog.at_level(logging.INFO, "rankdistill"):
        data.pydocs(made, packages=["networkx"], limit=60)
    assert f"{tmp_path / 'docs'} is up to date" in caplog.text
    (tmp_path / "qrels.txt").write_text("q00 0 d01 2\nq00 0 d02 0\n")
    found = data.trec_qrels(tmp_path / "qrels.txt", tiny_beir / "qrels" / "trec.tsv")
    assert str(found) == f"{tiny_beir / 'qrels' / 'trec.tsv'}: 2 judgements of 1 queries"
    assert found.to_polars().row(0)[1:] == (2, 1)
    assert load(tiny_beir).counts()["trec"] == {"queries": 1, "judgements": 2, "relevant": 1}
    with pytest.raises(ConfigError, match="packages of pydocs"):
        data.pydocs(tmp_path / "other", packages=3)  # type: ignore[arg-type]


def test_bad_rows_end_the_check_with_1_and_stand_in_its_json(tiny_beir: Path, rankdistill: Run) -> None:
    status, shown = rankdistill("data", "check", tiny_beir, "--json")
    assert status == 0
    assert json.loads(shown)["splits"]["dev"]["queries"] == 6
    with (tiny_beir / "corpus.jsonl").open("a") as stream:
        stream.write("{broken\n")
    status, shown = rankdistill("data", "check", tiny_beir, "--json")
    assert status == 1
    assert "corpus.jsonl:41" in shown
    told, _ = json.JSONDecoder().raw_decode(shown)
    assert len(told["bad_rows"]) == 1


def test_the_doctor_speaks_json(rankdistill: Run) -> None:
    status, shown = rankdistill("doctor", "--json")
    told, _ = json.JSONDecoder().raw_decode(shown)
    assert told["works"] is (status == 0)
    assert "torch" in {one["subject"] for one in told["findings"]}
