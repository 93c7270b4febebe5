"""What is watched, and when models are loaded anew."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from rankdistill.errors import DataError
from rankdistill.manifest import FILE_NAME
from rankdistill.serving import loading
from rankdistill.serving.reload import Reloads, Watch
from rankdistill.serving.settings import ServeSettings, Sources


def switch(link: Path, target: Path) -> None:
    """Let `link` lead to `target`, in one step."""
    beside = link.with_name("beside")
    beside.symlink_to(target)
    os.replace(beside, link)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE_NAME).write_text(name)
    found = tmp_path / "current"
    found.symlink_to(tmp_path / "one")
    return found


def test_a_link_that_leads_elsewhere_is_a_change_and_is_told_once(link: Path) -> None:
    watch = Watch([str(link), "pypi:nothing", "some/hub-id"])
    assert not watch.changed()
    switch(link, link.with_name("two"))
    assert watch.changed()
    assert not watch.changed()


def test_another_folder_in_the_place_of_one_is_a_change(link: Path) -> None:
    watch = Watch([str(link.with_name("one"))])
    link.with_name("one").rename(link.with_name("old"))
    link.with_name("two").rename(link.with_name("one"))
    assert watch.changed()


def test_the_manifest_that_ends_the_making_of_a_folder_is_a_change(link: Path) -> None:
    manifest = link / FILE_NAME
    manifest.unlink()
    watch = Watch([str(link)])
    manifest.write_text("finished")
    assert watch.changed()


def test_reloads_load_what_the_links_lead_to_by_then(link: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def load(sources: Sources) -> None:
        seen.append(sources.models["a"])
        done.set()
        if len(seen) == 1:
            raise DataError(expected="a finished bundle", got="half of one")

    async def run() -> None:
        reloads = Reloads(Sources({"a": str(link)}), load)
        task = asyncio.create_task(reloads.run())
        for turn in range(2):
            if turn:
                switch(link, link.with_name("two"))
            done.clear()
            reloads.ask()
            await asyncio.wait_for(done.wait(), 20)
        task.cancel()

    asyncio.run(run())
    assert seen == [str(link.with_name("one")), str(link.with_name("two"))]
    assert any("half of one" in record.getMessage() for record in caplog.records), "a failure is told, and no end"


class Served:
    kind = "dense"

    def __init__(self, reference: str) -> None:
        self.reference = reference

    async def close(self) -> None: ...


def test_a_model_whose_files_are_the_same_is_not_loaded_again(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load_model(reference: str, **besides: Any) -> Served:
        loaded.append(Path(reference).name)
        if reference.endswith("missing"):
            raise DataError(expected="a", got="b")
        return Served(reference)

    monkeypatch.setattr("rankdistill.serving.models.load_model", load_model)
    one, two = link.with_name("one"), link.with_name("two")
    loader = loading.Loader(ServeSettings())
    first = loader.load(Sources({"a": str(one), "b": str(two)}))
    assert loaded == ["one", "two"]
    (two / "weights").write_text("other ones")
    second = loader.load(Sources({"a": str(one), "b": str(two)}))
    assert loaded == ["one", "two", "two"]
    assert first.models["a"] is second.models["a"]
    assert first.models["b"] is not second.models["b"]
    assert (first.version, second.version) == (1, 2)
    (one / "weights").write_text("other ones")
    with pytest.raises(DataError):
        loader.load(Sources({"a": str(one), "b": str(two), "c": "missing"}))
    assert [model.reference for model in loader.abandoned] == [str(one)], "what was loaded in vain is to be closed"  # type: ignore[attr-defined]
