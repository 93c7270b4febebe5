"""Type checkers and editors take a setting for optional where its default is given by name."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

from rankdistill.students import settings as of_students
from rankdistill.training import config, settings
from rankdistill.training.alignment import config as of_alignment


@pytest.mark.parametrize("module", [config, settings, of_alignment, of_students])
def test_defaults_are_given_by_name(module: ModuleType) -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    fields = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Field"]
    assert len(fields) > 10
    assert not [ast.unparse(call) for call in fields if call.args]
