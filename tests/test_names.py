"""The tables of names: each name can be loaded, is told where a person looks for it, and says what its code says."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from rankdistill import names
from rankdistill.cli.main import build_app
from rankdistill.training import types
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import TrainConfig

TABLES = {
    "loss": names.LOSSES,
    "alignment": names.ALIGNMENTS,
    "regulariser": names.REGULARISERS,
    "student": names.STUDENTS,
}


def test_reading_names_and_settings_loads_no_torch() -> None:
    code = (
        "import sys, rankdistill.names, rankdistill.training.config, rankdistill.training.alignment.config, "
        "rankdistill.training.types; assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_alone_import_nothing_else_of_the_package() -> None:
    code = "import sys, rankdistill.names; print(sorted(m for m in sys.modules if m.startswith('rankdistill')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['rankdistill', 'rankdistill.names']"


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, known in TABLES.items() for name in known])
def test_a_name_stands_for_what_its_table_says(table: str, name: str) -> None:
    entry = TABLES[table][name]
    if table == "student":
        kind = types.get(name)
        assert (bool(kind.penalties), not kind.in_batch) == (entry.sparse, entry.pairs)
        return
    function = names.load(entry.function if table == "loss" else entry)
    first = list(inspect.signature(function).parameters)[:2]
    if table == "loss":
        assert first == ["student_scores", "positives" if entry.labels else "teacher_scores"]
        assert set(entry.options) <= set(inspect.signature(function).parameters)
        assert set(entry.parts) <= names.LOSSES.keys()
        assert set(entry.parts.values()) <= TrainConfig.model_fields.keys()
        if entry.in_batch is not None:
            assert list(inspect.signature(names.load(entry.in_batch)).parameters)[:2] == first
    elif table == "alignment":
        assert first == ["student", "teacher"]


@pytest.mark.parametrize(
    ("verb", "tables"), [("train", ("loss", "alignment", "regulariser", "student")), ("check", ("loss",))]
)
def test_the_help_of_a_verb_lists_every_name(verb: str, tables: tuple[str, ...]) -> None:
    wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    shown = CliRunner().invoke(build_app([verb]), [verb, "--help-all"], env=wide).output
    words = set(re.findall(r"[\w-]+", shown))
    assert not {name for table in tables for name in TABLES[table]} - words


@pytest.mark.parametrize(
    ("schema", "table", "more"),
    [
        (TrainConfig.model_json_schema()["properties"]["loss"]["enum"], "loss", []),
        (TrainConfig.model_json_schema()["properties"]["type"]["anyOf"][0]["enum"], "student", []),
        (
            TrainConfig.model_json_schema()["properties"]["query_regulariser"]["anyOf"][0]["enum"],
            "regulariser",
            ["none"],
        ),
        (AlignConfig.model_json_schema()["properties"]["loss"]["enum"], "alignment", []),
    ],
)
def test_the_json_schema_lists_every_name(schema: list[str], table: str, more: list[str]) -> None:
    assert schema == more + list(TABLES[table])
    assert json.dumps(schema)


def test_an_alias_is_a_name_of_its_own_that_stands_for_one() -> None:
    for alias, name in names.ALIASES.items():
        assert alias not in names.LOSSES
        assert TrainConfig(loss=alias).loss == name


def test_a_list_of_names_is_a_sentence() -> None:
    assert names.listed(["a", "b", "c"], "a") == "a (default), b or c"
