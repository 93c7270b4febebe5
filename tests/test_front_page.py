"""README.md is a front page: small, and what it says stands with its proof on another page; every page is found."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from tests.guides import DOCUMENTS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPARED = ("sentence-transformers", "Tevatron", "model2vec", "PyLate", "awembed")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """The text without code, in which brackets are no links."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "", re.sub(r"^    .*$", "", text, flags=re.MULTILINE))


def test_it_is_small() -> None:
    assert len(README.encode()) < 9_000


def test_it_says_what_it_is_for_and_whom_and_shows_the_flow_and_a_command_on_its_first_screen() -> None:
    first = "\n".join(README.splitlines()[:25])
    assert "```mermaid" in first
    assert "engineers" in first
    assert "    make quickstart" in first
    assert "Ship student after training: nDCG@10" in page("figures.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in LINK.findall(prose(path.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith("#"):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_the_index_lists_every_page_once() -> None:
    listed = [target for target in LINK.findall(page("README.md")) if "/" not in target]
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")


def test_pictures_are_small_and_shown() -> None:
    shown = {
        target for path in DOCUMENTS for target in LINK.findall(path.read_text(encoding="utf-8")) if "images/" in target
    }
    pictures = list((ROOT / "docs" / "images").glob("*"))
    assert {Path(target).name for target in shown} == {path.name for path in pictures}
    assert pictures
    for path in pictures:
        assert path.stat().st_size < 150_000, path.name


def test_each_cell_of_the_comparison_has_its_proof() -> None:
    """The cells of the front page are those of docs/comparison.md, where each says where it was looked up."""
    rows = [line.strip("|").split("|") for line in README.splitlines() if re.match(r"\|.*\| (no|part|yes) \|$", line)]
    cells = [tuple(cell.strip() for cell in row[1:]) for row in rows]
    assert len(cells) > 5
    sections = page("comparison.md").split("## What they have")[0].split("\n**")[1:]
    proved = []
    for section in sections:
        found = dict(re.findall(r"^\| ([\w-]+) \| (no|part|yes) \| .{10,} \|$", section, re.MULTILINE))
        of_none = "In none of the others" in section
        assert bool(found) != of_none, section[:60]
        proved.append(tuple("no" if of_none else found[name] for name in COMPARED))
    assert cells == proved
    assert f"| | {' | '.join(COMPARED)} |" in README


def test_headline_figures_are_few_and_stand_on_the_page_of_figures() -> None:
    (block,) = re.findall(r"<!-- headline figures.*?-->\n(.*?)<!-- end of headline", README, re.DOTALL)
    lines = block.strip().splitlines()
    assert 0 < len(lines) <= 5
    assert all(line.startswith("- ") for line in lines)
    assert "docs/figures.md" in README


def test_every_section_of_figures_names_a_command() -> None:
    for section in page("figures.md").split("\n## ")[1:]:
        name = section.splitlines()[0]
        assert re.search(r"`(python -m benchmarks|make|rankdistill) ?", section), name


def test_files_of_results_that_are_named_are_there() -> None:
    named = re.findall(r"benchmarks/results/([\w.]+)", page("figures.md"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "benchmarks" / "results" / name).is_file()] == []


def test_the_readme_is_the_package_s_description() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["metadata"]["long_description"] == "file: README.md"
