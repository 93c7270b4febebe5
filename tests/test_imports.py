"""The modules' imports, read from their text: no module leads back to itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rankdistill

PACKAGE = Path(rankdistill.__file__).parent


def name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules that a module's text imports anywhere: in functions and for types only too.

    Not counted: names that a registry holds as text and imports when one is asked for, since each of its modules may
    use the registry; and that a module's packages are imported before it.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from [name for name in (inner, node.module) if name in known][:1]


def graph(package: Path) -> Mapping[str, set[str]]:
    paths = {name_of(path, package.parent): path for path in package.rglob("*.py")}
    known = set(paths)
    return {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")), known)) - {name} for name, path in paths.items()
    }


def test_no_module_imports_itself_by_a_detour() -> None:
    found = graph(PACKAGE)
    assert len(found) > 300
    assert "rankdistill.training.precision" in found["rankdistill.training.student_trainer"]
    TopologicalSorter(found).prepare()


@pytest.mark.parametrize(
    "way",
    ["from made.b import value", "from made import b", "def late():\n    import made.b", "if X:\n    import made.b"],
)
def test_a_circle_is_found(tmp_path: Path, way: str) -> None:
    package = tmp_path / "made"
    package.mkdir()
    for name, text in {"__init__": "", "a": way, "b": "from made.c import value", "c": "from made import a"}.items():
        (package / f"{name}.py").write_text(text)
    with pytest.raises(CycleError):
        TopologicalSorter(graph(package)).prepare()


def test_nothing_in_the_package_is_imported_by_a_relative_name() -> None:
    relative = [
        path
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative
