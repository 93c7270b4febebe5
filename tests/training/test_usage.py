"""The program on the card of each type of student imports what there is."""

from __future__ import annotations

import ast
from importlib import import_module

import pytest

from rankdistill.names import STUDENTS
from rankdistill.training import types


@pytest.mark.parametrize("name", STUDENTS)
def test_the_program_on_a_card_imports_what_there_is(name: str) -> None:
    imports = [node for node in ast.walk(ast.parse(types.get(name).usage)) if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        assert node.module
        module = import_module(node.module)
        for one in node.names:
            assert hasattr(module, one.name), f"{node.module} has no {one.name}"
