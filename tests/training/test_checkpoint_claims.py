"""Whose checkpoints lie in a folder: what a damaged file of theirs says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.errors import StaleOutputError
from rankdistill.training import checkpoints


@pytest.mark.parametrize("content", ["[]", "{}", '{"identitx": "a"}', '{"identity": 3}', "{", ""])
def test_checkpoints_whose_owner_is_damaged_are_nobodys(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.claim(tmp_path, "a")
    checkpoints.claim(tmp_path, "a")
    (tmp_path / "run.json").write_text(content)
    checkpoints.settle(tmp_path, "a", keep=False)
    assert tmp_path.is_dir(), "they may be another run's"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "last", lambda folder: folder / "checkpoint-1")
        with pytest.raises(StaleOutputError, match=r"run\.json, which is damaged"):
            checkpoints.claim(tmp_path, "a")
    checkpoints.claim(tmp_path, "b")
    checkpoints.settle(tmp_path, "b", keep=False)
    assert not tmp_path.exists()
