"""The command line as it goes into manifests, and notes."""

from __future__ import annotations

import sys

import pytest

from rankdistill.cli import console


@pytest.mark.parametrize("words", [["--out", "/some/where", "--k", "3"], ["--out=/some/where", "--k", "3"]])
def test_the_output_folder_is_not_part_of_the_command(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rankdistill", "score", *words])
    assert console.command().replace("=", " ") == "rankdistill score --out . --k 3"


@pytest.mark.parametrize("words", [["--shard", "1/3", "--k", "3"], ["--k", "3", "--shard=1/3"], ["--k", "3"]])
def test_flags_that_say_who_works_are_not_part_of_the_command(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rankdistill", "score", *words])
    assert console.command(("--shard", "--workers")) == "rankdistill score --k 3"


def test_json_is_no_part_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rankdistill", "evaluate", "--json", "--split", "dev"])
    assert console.command() == "rankdistill evaluate --split dev"
