"""Every verb that takes --max-length refuses one beyond the model's positions, in one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from rankdistill.cli.main import build_app
from tests.cli.verb import Run

FOLDERS = {"DATA": "tiny_beir", "ENCODER": "tiny_encoder", "CROSS": "tiny_cross_encoder", "SPARSE": "tiny_splade"}
"""Placeholder -> fixture, of the words below; MINED, RUN and STORE are made by the verbs, OUT is a new folder."""

WORDS = {
    "ann-recall": "--data DATA --query-model ENCODER --document-model ENCODER --out OUT",
    "embed": "--data DATA --teacher ENCODER --out OUT",
    "evaluate": "--data DATA --model ENCODER --out OUT",
    "explain": "--model SPARSE --text river",
    "fidelity": "--data DATA --model ENCODER --store STORE --split train",
    "index": "--data DATA --model ENCODER --out OUT",
    "mine": "--data DATA --source dense:ENCODER --out OUT",
    "plan": "--data DATA --teacher CROSS --candidates MINED --out OUT",
    "queries": "--data DATA --teacher ENCODER --out OUT",
    "rerank": "--data DATA --run RUN --model CROSS --out OUT",
    "robustness": "--data DATA --query-model ENCODER --document-model ENCODER --out OUT",
    "score": "--data DATA --teacher CROSS --candidates MINED --out OUT",
    "sparsity": "--data DATA --model SPARSE --out OUT",
    "teach": "--data DATA --base ENCODER --candidates MINED --out OUT",
}


def test_the_list_is_whole() -> None:
    commands = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    able = {name for name, command in commands.items() if any("--max-length" in one.opts for one in command.params)}
    assert able == set(WORDS)


@pytest.mark.parametrize("verb", WORDS)
def test_a_length_beyond_the_positions_is_refused(
    verb: str, rankdistill: Run, mined: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "run.trec").write_text("q18 Q0 d00 1 1.0 x\nq19 Q0 d01 1 1.0 x\n")
    places = {"MINED": mined, "RUN": tmp_path / "run.trec", "OUT": tmp_path / "out"}
    places |= {name: request.getfixturevalue(fixture) for name, fixture in FOLDERS.items()}
    places["STORE"] = tmp_path / "store"
    words = WORDS[verb]
    if "STORE" in words:
        made = {"data": places["DATA"], "teacher": places["CROSS"], "candidates": mined, "out": places["STORE"]}
        assert rankdistill("score", *(word for name, value in made.items() for word in (f"--{name}", value)))[0] == 0
    for name, place in places.items():
        words = words.replace(name, str(place))
    status, text = rankdistill(verb, *words.split(), "--max-length", 1024)
    assert status == 1, text
    assert "expected: max_length of at most 64" in text
    assert "got: 1024" in text
    assert "Traceback" not in text
    assert not (tmp_path / "out" / "manifest.json").exists()
