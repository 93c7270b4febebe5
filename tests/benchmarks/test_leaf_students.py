"""Which folders the benchmarks of aligned students take for students."""

from pathlib import Path

import pytest

from benchmarks.leaf_students import students_of


def _student(folder: Path) -> str:
    folder.mkdir(parents=True)
    (folder / "space.json").write_text("{}")
    return str(folder)


def test_students_of_a_run_have_the_names_of_the_recipe(tmp_path: Path) -> None:
    two = _student(tmp_path / "steps" / "student-two-layers-0123456789")
    table = _student(tmp_path / "steps" / "student-static-abcdef0123")
    _student(tmp_path / "steps" / "bundle-static-abcdef0123")
    assert students_of(tmp_path) == {"two-layers": two, "static": table}


def test_a_student_a_folder(tmp_path: Path) -> None:
    mine = _student(tmp_path / "mine")
    assert students_of(tmp_path) == {"mine": mine}


def test_two_runs_of_one_student_are_not_mixed_up(tmp_path: Path) -> None:
    for run in ("0123456789", "abcdef0123"):
        _student(tmp_path / "steps" / f"student-static-{run}")
    with pytest.raises(SystemExit, match="several students 'static'"):
        students_of(tmp_path)


def test_a_folder_without_students_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no student"):
        students_of(tmp_path)
