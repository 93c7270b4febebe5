"""The command line as it goes into manifests, and notes."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console

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


@pytest.mark.parametrize("flag", [["--url"], []])
def test_a_password_in_an_address_is_not_recorded(monkeypatch: pytest.MonkeyPatch, flag: list[str]) -> None:
    address = "postgresql://me:SECRET@host:5432/db?a=b@c&password=SECRET&b=c"
    given = [*flag, address] if flag else [f"--url={address}"]
    monkeypatch.setattr(sys, "argv", ["/bin/rankdistill", "push", *given, "http://host/a@b", "s3://bucket/x@y", "a@b"])
    found = console.command()
    assert "SECRET" not in found
    assert found.endswith("http://host/a@b s3://bucket/x@y a@b")
    assert "postgresql://host:5432/db?a=b@c&password=***&b=c" in found


@pytest.mark.parametrize("stream", [console.out, console.err])
def test_words_between_colons_are_no_pictures(stream: Console) -> None:
    """Ids, paths and names hold such words, and are copied from what is shown."""
    with stream.capture() as shown:
        stream.print("doc:key:1 of rewrites:train:human", markup=False)
    assert shown.get().strip() == "doc:key:1 of rewrites:train:human"
