"""The gate's page: everything on it, nothing from elsewhere, nothing unescaped, the same bytes each time."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rankdistill.evaluation import gate_report
from rankdistill.gate.registry import CHECKS
from rankdistill.gate.verdict import Histogram, Report, Status, TeacherReport, Verdict

EVIL = "<script>alert('$x_{$')</script>"


@pytest.fixture
def report() -> Report:
    histogram = Histogram(f"scores ({EVIL})", [0.0, 0.5, 1.0], [3, 4])
    verdicts = [Verdict(name, Status.PASS, f"{name} is in order") for name in CHECKS]
    verdicts[1] = Verdict(
        "duplicates", Status.FAIL, EVIL, EVIL, EVIL, {EVIL: EVIL, "nothing": None, "share": 0.5}, [histogram], [EVIL]
    )
    return Report(
        EVIL, "cosine", [TeacherReport("first", EVIL, EVIL, verdicts), TeacherReport("b", "b", "dot", verdicts)]
    )


def test_the_page_shows_every_verdict_and_loads_nothing(report: Report, tmp_path: Path) -> None:
    gate_report.write_html(report, tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert all(f"{name} is in order" in page for name in CHECKS if name != "duplicates")
    assert page.count("<svg") == 2
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)", page)
    assert "url(http" not in page
    HTMLParser().feed(page)


def test_the_same_report_gives_the_same_bytes(report: Report, tmp_path: Path) -> None:
    for name in ("one.html", "other.html"):
        gate_report.write_html(report, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()


def test_a_histogram_has_a_bar_for_every_bin() -> None:
    drawn = ElementTree.fromstring(gate_report.histogram_plot(Histogram("scores", [0, 1, 2, 3], [5, 0, 2])))
    assert drawn.tag.endswith("svg")


def test_json_holds_the_numbers(report: Report, tmp_path: Path) -> None:
    gate_report.write_json(report, tmp_path / "check.json")
    written = json.loads((tmp_path / "check.json").read_text())
    assert written["teachers"][0]["verdicts"][1]["numbers"]["share"] == 0.5
    assert written["teachers"][0]["status"] == written["status"] == "fail"


def test_rows_for_the_terminal(report: Report) -> None:
    overview = report.overview()
    assert overview.header == ["teacher", "scores in", "verdict", "fails", "warns", "unknown"]
    assert overview.rows[1] == ["b", "dot", "fail", "duplicates", "-", "-"]
    rows = report.teachers[1].table().rows
    assert len(rows) == len(CHECKS)
    assert rows[0] == ["finite", "pass", "finite is in order", ""]
