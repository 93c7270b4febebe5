"""Who is told of work: nobody, a function, bars, lines."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from rankdistill.errors import ConfigError
from rankdistill.progress import EVERY, Bars, Lines, Named, reporter_of


def work(reporter: object, total: int | None = 4) -> None:
    with reporter_of(reporter).stage("mine", "texts", total) as stage:  # type: ignore[arg-type]
        for _ in range(4):
            stage(1)


def test_a_function_is_called_with_the_units_just_finished() -> None:
    seen: list[int] = []
    work(seen.append)
    assert seen == [1, 1, 1, 1]


def test_nobody_is_told_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    work(False)
    assert capfd.readouterr() == ("", "")


def test_where_there_is_no_terminal_nothing_is_told_of_what_is_done_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    work(True)
    assert capfd.readouterr() == ("", "")
    assert EVERY <= 15


def test_lines_come_while_a_stage_lasts_even_if_nothing_advances() -> None:
    stream = io.StringIO()
    with Lines(every=0.05, stream=stream).stage("training", "steps", 10) as stage:
        time.sleep(0.2)
        stage(3)
        time.sleep(0.2)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 4
    assert lines[0].startswith("training: 0 of 10 steps, ")
    assert lines[-1].startswith("training: 3 of 10 steps, ")
    assert " left, " in lines[-1]
    assert lines[-1].endswith(" so far")


def test_the_last_line_is_not_told_twice() -> None:
    stream = io.StringIO()
    with Lines(every=0.2, stream=stream).stage("training", "steps", 10):
        time.sleep(0.25)
    assert stream.getvalue().splitlines() == ["training: 0 of 10 steps, 0 s so far"]


def test_a_total_that_is_known_later_or_never() -> None:
    stream = io.StringIO()
    with Lines(every=0.05, stream=stream).stage("training", "steps") as stage:
        time.sleep(0.08)
        stage.expect(5)
        stage(5)
        time.sleep(0.08)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("training: started")
    assert lines[-1].startswith("training: 5 of 5 steps")
    assert not any("0 of 0" in line or "0/0" in line for line in lines)


def test_a_stage_may_have_another_name() -> None:
    stream = io.StringIO()
    with Named(Lines(every=0.02, stream=stream), "student-a").stage("training", "steps"):
        time.sleep(0.05)
    assert stream.getvalue().startswith("student-a: ")


@pytest.mark.parametrize("total", [4, None])
def test_a_bar_counts_and_an_idle_stage_leaves_none(total: int | None) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    work(Bars(console), total)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "4/4 texts" in shown or (total is None and "4 texts" in shown)
    idle = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Bars(idle).stage("mine", "texts", total):
        pass
    last = idle.file.getvalue()  # type: ignore[attr-defined]
    assert "0/0" not in last
    assert last.rpartition("mine")[2].count("texts") <= 1


def test_anything_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="progress=3"):
        reporter_of(3)  # type: ignore[arg-type]
