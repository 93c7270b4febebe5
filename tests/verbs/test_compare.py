"""The verb `compare`, from Python."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill import data, files
from rankdistill.errors import ConfigError, DataError, LockedError, OutputError, StaleOutputError
from rankdistill.evaluation.comparing import Trained
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.retrieve import Bm25Retriever
from tests.cli.verb import Run


@pytest.fixture
def evaluated(tiny_beir: Path, tmp_path: Path) -> list[Path]:
    """Folders of three evaluations."""
    dataset = data.load(tiny_beir)
    for name, k1 in (("first", 0.1), ("second", 2.0), ("third", 1.2)):
        evaluate(Bm25Retriever(dataset, name, k1), dataset, "train", tmp_path / name)
    return [tmp_path / name for name in ("first", "second", "third")]


def test_evaluations_are_compared_with_the_first_and_nothing_is_written(evaluated: list[Path], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = rd.compare([rd.open(folder) for folder in evaluated])
    assert found == rd.compare(list(map(str, evaluated)))
    assert [system.name for system in found.systems] == ["first", "second", "third"]
    assert found.path is None
    assert sorted(tmp_path.rglob("*")) == before
    against = rd.compare(evaluated[:2], baseline=str(evaluated[2]), measure="mrr_at_10")
    assert [system.name for system in against.systems] == ["third", "first", "second"]
    assert "MRR@10 minus that of third" in str(against)


def test_a_comparison_prints_plots_and_becomes_frames_and_json(evaluated: list[Path]) -> None:
    found = rd.compare(evaluated)
    assert repr(found) == f"Results(second, third against first: {found.data}, train, 12 queries)"
    assert "nDCG@10 minus that of first" in str(found)
    assert found._repr_html_().count("<table>") == 2
    frame = found.to_polars()
    assert len(frame) == len(found.to_pandas()) == 2 * len(MEASURES)
    row = frame.filter(system="second", measure="ndcg_at_10").row(0, named=True)
    (told,) = [one for one in found.comparisons if (one.system, one.measure) == ("second", "ndcg_at_10")]
    assert (row["difference"], row["low"], row["high"], row["p_holm"]) == (
        *(told.difference, *told.interval),
        told.p_holm,
    )
    assert json.loads(json.dumps(found.to_json()))["systems"][0]["name"] == "first"
    drawn = found.plot()
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == ["second", "third"]
    assert drawn.axes[0].get_xlabel() == "nDCG@10 minus that of first"
    assert found.plot("mrr_at_10").axes[0].get_xlabel() == "MRR@10 minus that of first"
    with pytest.raises(ConfigError, match="a measure"):
        found.plot("ndcg")


def test_what_is_written_is_what_the_command_writes_and_can_be_opened(
    evaluated: list[Path], tmp_path: Path, rankdistill: Run
) -> None:
    first, second, _ = evaluated
    command = f"rankdistill compare {first} {second} --baseline {first} --out ."
    found = rd.compare([first, second], tmp_path / "a", command=command)
    assert rankdistill("compare", first, second, "--baseline", first, "--out", tmp_path / "b")[0] == 0
    for name in ("results.json", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert found.path == tmp_path / "a"
    assert str(found).endswith(str(tmp_path / "a" / "report.html"))
    opened = rd.open(tmp_path / "a")
    assert isinstance(opened, Results)
    assert opened.to_json() == found.to_json()
    status, shown = rankdistill("compare", first, second, "--json")
    assert status == 0
    assert json.loads(shown)["comparisons"] == found.to_json()["comparisons"]


def test_one_evaluation_under_two_names_is_left_out_and_said(
    evaluated: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = evaluated
    with caplog.at_level(logging.WARNING, "rankdistill"):
        found = rd.compare([first, f"again={first}", second, first / ".." / "second"])
    assert [system.name for system in found.systems] == ["first", "second"]
    assert [record.getMessage() for record in caplog.records] == [
        f"again is left out: its evaluations are those of {first}, under another name"
    ]
    with pytest.raises(DataError, match="at least two"):
        rd.compare([first, Trained("again", (first,))])
    swapped = rd.compare([Trained("ab", (first, second)), Trained("ba", (second, first)), third])
    assert [system.name for system in swapped.systems] == ["ab", "third"], (
        "the order of trainings makes no other system"
    )
    assert caplog.records[-1].getMessage().startswith("ba is left out")


def test_a_training_counts_once_by_whatever_path(evaluated: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = evaluated
    monkeypatch.chdir(first.parent)
    Path("link").symlink_to(first)
    for other in (str(first), "link", "second/../first"):
        with pytest.raises(
            ConfigError, match=r"each evaluation of 'a' once .*\s+got: first, .*, where .* stands twice"
        ):
            rd.compare([f"a=first,{other}", second])


def test_a_split_says_nothing_of_evaluations(evaluated: list[Path], rankdistill: Run, tmp_path: Path) -> None:
    for split in ("dev", "test"):
        with pytest.raises(ConfigError, match=rf"got: the split '{split}' without one"):
            rd.compare(evaluated[:2], split=split)
        assert rankdistill("compare", *evaluated[:2], "--split", split, "--out", tmp_path / "out")[0] == 1
    assert not (tmp_path / "out").exists()


def test_wrong_words_are_errors_of_ours(evaluated: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="systems of compare"):
        rd.compare([7])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="measure is meant"):
        rd.compare(evaluated, mesure="mrr_at_10")  # type: ignore[call-arg]
    with pytest.raises(DataError, match="at least two"):
        rd.compare([])
    with pytest.raises(DataError, match="at least two"):
        rd.compare(evaluated[0])
    with pytest.raises(ConfigError, match="a measure"):
        rd.compare(evaluated, tmp_path / "out", measure="ndcg")
    assert not (tmp_path / "out").exists()


def test_an_evaluation_is_not_written_over(evaluated: list[Path], tmp_path: Path) -> None:
    before = (evaluated[0] / "results.json").read_bytes()
    with pytest.raises(StaleOutputError, match="it holds 'evaluation'"):
        rd.compare(evaluated, evaluated[0])
    assert (evaluated[0] / "results.json").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a file"):
        rd.compare(evaluated, tmp_path / "file")
    with pytest.raises(ConfigError, match="seed of at least 0"):
        rd.compare(evaluated, seed=-1)


def test_two_do_not_write_one_comparison(evaluated: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "compared"
    rd.compare(evaluated[:2], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with files.exclusive(out), pytest.raises(LockedError, match="the only process writing"):
        rd.compare(evaluated, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert len(rd.compare(evaluated, out).systems) == 3


def test_what_cannot_be_compared_is_told_before_anything_is_evaluated(tiny_beir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for changed, said in (
        ({"baseline": "typo"}, "the baseline typo"),
        ({"measure": "foo"}, "a measure"),
        ({"systems": ["results.json=bm25", "b=bm25"]}, "the comparison's own files"),
        ({"systems": ["report.html=bm25", "b=bm25"]}, "the comparison's own files"),
    ):
        with pytest.raises(ConfigError, match=said):
            rd.compare(**{"systems": ["a=bm25", "b=bm25:words"], "out": out, "data": tiny_beir} | changed)
        assert not out.exists()
    rd.evaluate(tiny_beir, "bm25", out)
    before = sorted(path.name for path in out.iterdir())
    with pytest.raises(StaleOutputError):
        rd.compare(["a=bm25", "b=bm25:words"], out, data=tiny_beir)
    assert sorted(path.name for path in out.iterdir()) == before
