"""docs/queries.md names every kind of generator and every reason, and its examples are settings that are taken."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import yaml

from rankdistill.querying import registry, sieve

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")


def test_every_kind_and_every_reason_has_a_row() -> None:
    rows = [line.split("|")[1].strip() for line in TEXT.splitlines() if re.match(r"\| `[^-]", line)]
    names = {re.sub(r"[`:].*", "", row.lstrip("`")) for row in rows}
    assert names == {*registry.KINDS, *sieve.REASONS}


def test_every_example_is_taken() -> None:
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    assert {example["kind"] for example in examples} == {"embedded", "spans", "seq2seq", "causal", "openai"}
    for example in examples:
        kind, settings = registry.read(example)
        import_module(registry.KINDS[kind]).Settings.model_validate(settings)
