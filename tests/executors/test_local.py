"""The local executor, and executors by name."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from rankdistill import executors
from rankdistill.errors import ConfigError, MissingDependencyError, TeacherError


def counting(seen: list[int]) -> Callable[[], executors.Worker]:
    def work(unit: int, progress: executors.Progress) -> int:
        if unit == 13:
            raise TeacherError(expected="a number that brings luck", got="13")
        seen.append(unit)
        progress(10)
        return unit

    return lambda: work


def test_units_run_in_order_and_items_are_summed() -> None:
    seen: list[int] = []
    passed: list[int] = []
    assert executors.create().run([3, 1, 2], counting(seen), passed.append) == 6
    assert seen == [3, 1, 2]
    assert passed == [10, 10, 10]
    assert executors.create("local", 1).run([4], counting(seen)) == 4


def test_no_units_make_no_worker() -> None:
    def never() -> executors.Worker:
        raise AssertionError

    assert executors.create().run([], never) == 0


def test_an_error_stops_the_run() -> None:
    seen: list[int] = []
    with pytest.raises(TeacherError, match="13"):
        executors.create().run([1, 13, 2], counting(seen))
    assert seen == [1]


def test_bad_settings_say_what_to_do() -> None:
    with pytest.raises(ConfigError, match="local, ray"):
        executors.create("spark")
    with pytest.raises(ConfigError, match="--executor ray"):
        executors.create("local", 4)
    for name in executors.EXECUTORS:
        with pytest.raises(ConfigError, match="at least 1"):
            executors.create(name, 0)


def test_ray_that_is_not_installed_is_an_error_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"rankdistill\[ray\]"):
        executors.create("ray", 2)
