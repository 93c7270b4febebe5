"""Tables and the page."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import ConfigError
from rankdistill.evaluation.report import comparison_rows, system_rows, write_html
from rankdistill.evaluation.results import Comparison, Results, System
from rankdistill.evaluation.system_table import verdict
from rankdistill.evaluation.systems import Latency


def system(name: str, ndcg: float, **costs: Any) -> System:
    measures = {"ndcg_at_10": ndcg, "recall_at_100": 0.9, "mrr_at_10": 0.4, "map_at_100": 0.3}
    return System(name=name, measures=measures, intervals={"ndcg_at_10": (ndcg - 0.05, ndcg + 0.05)}, **costs)


def comparison(name: str, difference: float, p_holm: float, measure: str = "ndcg_at_10") -> Comparison:
    return Comparison(
        baseline="BM25", system=name, measure=measure, difference=difference,
        interval=(difference - 0.02, difference + 0.02), p_value=p_holm / 2, p_holm=p_holm,
    )  # fmt: skip


@pytest.fixture
def results() -> Results:
    return Results(
        title="Students & <teachers>",
        data="tiny",
        split="test",
        queries=6,
        systems=[
            system("BM25", 0.31),
            system("student", 0.45, latency_ms=Latency(p50=2.5, p99=4, queries=9), model_bytes=45_000_000),
            system("teacher", 0.5, latency_ms=Latency(p50=250, p99=400, queries=9), teacher_seconds=1234.5),
        ],
        comparisons=[
            comparison("student", 0.14, 0.00002),
            comparison("teacher", 0.19, 0.2),
            comparison("student", -0.1, 0.01, "mrr_at_10"),
        ],
        signature={"command": "rankdistill compare <a> & b"},
    )


Attributes = list[tuple[str, str | None]]


class Page(HTMLParser):
    """Collects tags, and checks that they close in order."""

    VOID = frozenset({"meta", "path", "use", "br", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: Attributes) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_system_rows_show_measures_and_the_costs_that_are_known(results: Results) -> None:
    header, rows = system_rows(results)
    assert header == ["system", "nDCG@10", "R@100", "MRR@10", "MAP@100", "ms/query", "model MB", "teacher s"]
    assert rows[0] == ["BM25", "0.3100", "0.9000", "0.4000", "0.3000", "-", "-", "-"]
    assert rows[1][5:] == ["2.5", "45", "-"]
    assert rows[2][5:] == ["250", "-", "1,234"]
    assert system_rows(results, intervals=True)[1][0][1] == "0.3100 [0.260, 0.360]"


def test_comparison_rows_show_one_measure(results: Results) -> None:
    _, rows = comparison_rows(results, "ndcg_at_10")
    assert rows == [
        ["student", "+0.1400", "+0.120 .. +0.160", "< 0.0001", "< 0.0001", "better"],
        ["teacher", "+0.1900", "+0.170 .. +0.210", "0.1000", "0.2000", "not shown"],
    ]
    assert verdict(results.comparisons[2]) == "worse"


def test_the_page_is_whole_escaped_and_loads_nothing(results: Results, tmp_path: Path) -> None:
    write_html(results, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    page = Page()
    page.feed(source)
    assert page.open == []
    assert page.tags.count("svg") == 2  # quality, and the only cost that two systems have
    assert "Students & <teachers>" in page.text
    assert all(link and link.startswith("#") for link in page.links)
    assert not re.search(r"url\((?!#)|@import|<link", source)
    scripts = re.findall(r"<script[^>]*>.*?</script>", source, re.DOTALL)
    assert len(scripts) == 1
    inside = scripts[0].removeprefix("<script>").removesuffix("</script>")
    assert len(inside) == len(scripts[0]) - len("<script></script>"), "it has no address"
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in html.unescape(source)
    for expected in ("0.4500 [0.400, 0.500]", "rankdistill compare <a> & b", "Differences from BM25", "MRR@10"):
        assert expected in page.text


def test_the_page_can_be_read_without_seeing_it(results: Results, tmp_path: Path) -> None:
    write_html(results, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    assert '<html lang="en">' in source
    assert source.count("<figure") == source.count('<figure role="img" aria-label=')
    assert source.count("<table") == source.count("<caption")
    assert "<th>" not in source


def test_the_same_results_give_the_same_page(results: Results, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_html(results, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_report_without_comparisons_or_costs_is_a_report(results: Results, tmp_path: Path) -> None:
    bare = results.model_copy(update={"comparisons": [], "systems": [system("BM25", 0.0)]})
    write_html(bare, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    assert source.count("<svg") == 1
    assert "Differences" not in source


def test_an_unknown_measure_is_refused(results: Results) -> None:
    with pytest.raises(ConfigError, match="ndcg_at_10"):
        results.shown_in("ndcg")
