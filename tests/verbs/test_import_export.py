"""The verbs `import_scores` and `export`, from Python."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.errors import ConfigError, DataError
from tests.cli.verb import Run


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    lines = [f"q{number:02d} Q0 d{place:02d} {place + 1} {9 - place}.5 x" for number in range(12) for place in range(8)]
    path = tmp_path / "run.trec"
    path.write_text("\n".join(lines) + "\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_scores_come_in_and_go_out_as_by_the_command(
    tiny_beir: Path, run_file: Path, tmp_path: Path, rankdistill: Run
) -> None:
    words = ["import", "--format", "trec-run", "--input", run_file, "--teacher-name", "T", "--data", tiny_beir]
    command = " ".join(["rankdistill", *map(str, words), "--out", "."])
    seen: list[int] = []
    given: dict[str, Any] = {"format": "trec-run", "teacher_name": "T", "command": command}
    found = rd.import_scores(str(run_file), tmp_path / "a", data=data.load(tiny_beir), progress=seen.append, **given)
    assert rankdistill(*words, "--out", tmp_path / "b")[0] == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert sum(seen) > 0
    assert repr(found) == f"Imported({str(tmp_path / 'a')!r}: 96 pairs of 12 queries)"
    assert str(found) == f"{tmp_path / 'a'}: 96 pairs of 12 queries from T"
    again = rd.import_scores([run_file], found, data=str(tiny_beir), **given)
    assert str(again).endswith("held already")
    assert again.to_polars()["added"].to_list() == [False]
    store = rd.open(found)
    written = rd.export(store, tmp_path / "out.jsonl", format="sentence-transformers", negatives=1)
    rankdistill(
        *("export", "--store", tmp_path / "a", "--format", "sentence-transformers", "--negatives", 1),
        *("--out", tmp_path / "by_command.jsonl"),
    )
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "by_command.jsonl").read_bytes()
    assert (
        written.to_json()["rows"]
        == written.to_polars()["rows"].item()
        == len((tmp_path / "out.jsonl").read_text().splitlines())
    )
    assert str(written).endswith(f"sentence-transformers: {tmp_path / 'out.jsonl'}")


def test_candidates_and_json(tiny_beir: Path, run_file: Path, tmp_path: Path, rankdistill: Run) -> None:
    found = rd.import_scores(
        run_file, tmp_path / "candidates", format="trec-run", teacher_name="T", data=tiny_beir, as_="candidates"
    )
    assert len(rd.open(found)) >= 96
    status, shown = rankdistill(
        *("import", "--format", "trec-run", "--input", run_file, "--teacher-name", "T", "--data", tiny_beir),
        *("--out", tmp_path / "store", "--json"),
    )
    assert status == 0
    assert json.loads(shown)["pairs"] == 96


def test_bad_rows_are_noted_and_wrong_words_refused(
    run_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with run_file.open("a") as stream:
        stream.write("bad\n")
    given: dict[str, Any] = {"format": "trec-run", "teacher_name": "T"}
    with pytest.raises(DataError, match=r"run\.trec:97"):
        rd.import_scores(run_file, tmp_path / "store", **given)
    with caplog.at_level(logging.WARNING, "rankdistill"):
        assert rd.import_scores(run_file, tmp_path / "store", lenient=True, **given).rejected == 1
    assert "left out 1 bad rows" in caplog.text
    with pytest.raises(ConfigError, match="as_ of import_scores"):
        rd.import_scores(run_file, tmp_path / "store", as_="runs", **given)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="teacher_name"):
        rd.import_scores(run_file, tmp_path / "store", format="trec-run")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="sources is meant"):
        rd.export(tmp_path / "store", tmp_path / "x", format="disco", source="bm25")  # type: ignore[call-arg]
