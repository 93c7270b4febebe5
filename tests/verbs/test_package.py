"""A reader tells verbs from what they share: the package lists both, and each file keeps to what it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from rankdistill import verbs

FILES = {path.stem: ast.parse(path.read_text("utf-8")) for path in Path(verbs.__file__).parent.glob("[!_]*.py")}

SEVERAL = {"data": {"pydocs", "fetch", "convert", "check", "trec_qrels"}}
"""The file that holds a group of verbs."""


def _verbs_of(module: ast.Module) -> set[str]:
    """The functions that are decorated as a verb."""
    return {
        one.name
        for one in module.body
        if isinstance(one, ast.FunctionDef) and any(_is_verb(mark) for mark in one.decorator_list)
    }


def _is_verb(mark: ast.expr) -> bool:
    """`@verb`, or `@verb_with_stores(...)`."""
    name = mark.func if isinstance(mark, ast.Call) else mark
    return isinstance(name, ast.Name) and name.id in ("verb", "verb_with_stores")


def _listed(start: str, end: str) -> list[str]:
    """The file names between two lines of the package's docstring, without what stands in brackets."""
    assert verbs.__doc__ is not None
    part = re.sub(r"\(.*?\)", "", verbs.__doc__.partition(start)[2].partition(end)[0])
    heads = [line.partition(":")[0] for line in part.splitlines() if line.startswith("    ")]
    return [name.strip(" ;.") for head in heads for name in head.split(",")]


def test_the_package_lists_its_verbs_and_what_they_share() -> None:
    holding = sorted(name for name, module in FILES.items() if _verbs_of(module))
    assert sorted(_listed("The verbs, along the flow:", "What they share")) == holding
    assert sorted(_listed("What they share is no verb:", "~")) == sorted(FILES.keys() - set(holding))


def test_a_file_holds_the_verb_that_it_is_called_after() -> None:
    for name, module in FILES.items():
        if found := _verbs_of(module):
            assert found == SEVERAL.get(name, {name})


def test_what_verbs_share_calls_none_of_them() -> None:
    holding = {f"rankdistill.verbs.{name}" for name, module in FILES.items() if _verbs_of(module)}
    for name, module in FILES.items():
        if not _verbs_of(module):
            imported = {one.module for one in ast.walk(module) if isinstance(one, ast.ImportFrom)}
            assert not imported & holding, name
