"""Every benchmark that is listed exists, and gets its data, its folder and what the main job made."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import run


@pytest.mark.parametrize("name", run.BENCHMARKS)
def test_a_listed_benchmark_exists(name: str) -> None:
    script, *words = run.BENCHMARKS[name]
    assert find_spec(f"benchmarks.{script}") is not None
    assert words == [] or words[0] in {
        "--data",
        "--recipe",
        "--work",
    }  # a recipe may bring its own data; one needs none


def test_data_and_folder_are_filled_in(tmp_path: Path) -> None:
    assert run.command(run.BENCHMARKS["sparse students"], "DATA", tmp_path) == [
        *("sparse_students", "--data", "DATA/msmarco_mini", "--work", f"{tmp_path}/sparse_students")
    ]


def test_what_the_main_job_made_is_found(real_data: Path, tmp_path: Path) -> None:
    made = {word: run.command(["negatives", word], str(real_data), tmp_path)[1] for word in ("{teacher}", "{scores}")}
    steps = run.main_job.of_recipe([f"data.source={real_data}/msmarco_mini"])
    assert steps.teacher is not None
    assert made == {"{teacher}": str(steps.teacher.folder), "{scores}": str(steps.scores.folder)}
