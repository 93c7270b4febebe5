"""The verb `bundle` from Python: two towers in, a bundle that says what it holds out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from rankdistill.bundles import Bundle
from rankdistill.cli import console
from rankdistill.cli.bundle import bundle as command
from rankdistill.errors import ConfigError, SpaceMismatchError
from tests.cli.verb import run_verb
from tests.verbs.test_train import content


def test_a_bundle_says_what_it_holds_and_is_that_of_the_command(
    student: str, teacher: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rankdistill")
    words = ["--query-model", student, "--document-model", teacher, "--no-router"]
    typed = run_verb(command, *words, "--json", "--out", tmp_path / "typed").stdout
    out = tmp_path / "called"
    given: dict[str, Any] = {"router": False, "command": console.command()}
    made = rankdistill.bundle(Path(student), teacher, str(out), **given)
    assert content(out) == content(tmp_path / "typed")
    assert (type(made), Path(made)) == (Bundle, out)
    assert repr(made) == f"Bundle({str(out)!r}: documents by {teacher}, 32 dimensions)"
    assert str(made).splitlines()[0] == f"{out}: queries by {student}, documents by {teacher}, 32 dimensions"
    assert "model_int8.onnx" in str(made)
    assert "model_int8.onnx" in made._repr_html_()
    assert made.to_polars()["file"].to_list() == [file["file"] for file in made.onnx_report()["files"]]
    assert made.to_pandas()["mean_cosine"].gt(0.9).all()
    assert json.loads(typed) == {**json.loads(json.dumps(made.to_json())), "bundle": str(tmp_path / "typed")}
    assert "up to date" not in caplog.text
    rankdistill.bundle(student, teacher, out, progress=True, **given)
    assert "called is up to date" in caplog.text


def test_a_bundle_without_onnx_says_so(student: str, teacher: str, tmp_path: Path) -> None:
    made = rankdistill.bundle(student, teacher, tmp_path / "bundle", onnx=False, router=False)
    assert "no ONNX: left out on request" in str(made)
    assert made.to_polars().height == 0


def test_what_does_not_fit_is_refused(student: str, stranger: str, teacher: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceMismatchError):
        rankdistill.bundle(student, stranger, tmp_path / "bundle")
    with pytest.raises(ConfigError, match="query_model of bundle"):
        rankdistill.bundle(7, teacher, tmp_path / "bundle")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="router is meant"):
        rankdistill.bundle(student, teacher, tmp_path / "bundle", routers=False)  # type: ignore[call-arg]
