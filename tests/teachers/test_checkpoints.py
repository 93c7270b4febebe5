"""Which checkpoint a run goes on from: the newest that is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rankdistill.errors import DamagedError
from rankdistill.teachers.teaching import checkpoints

FILES = ["model.safetensors", "optimizer.pt", "rng_state.pth", "training_args.bin", "1_Pooling/config.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints, as the trainer writes them."""
    for step in (2, 4, 10):
        made = tmp_path / f"checkpoint-{step}"
        (made / "1_Pooling").mkdir(parents=True)
        save_file({"a": torch.arange(50.0), "b": torch.ones(3, 4)}, made / FILES[0])
        for name in FILES[1:4]:
            torch.save({"state": torch.arange(500.0), "step": step}, made / name)
        (made / FILES[4]).write_text(json.dumps({"mode": "mean"}))
        (made / checkpoints.STATE_FILE).write_text(json.dumps({"global_step": step}))
        checkpoints.finish(made)
    return tmp_path


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [cut, emptied, flipped])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    folder: Path, name: str, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "checkpoint-10" / name
    path.write_bytes(damage(path.read_bytes()))
    assert checkpoints.last(folder) == folder / "checkpoint-4"
    checkpoints.remove_incomplete(folder)
    assert {one.name for one in folder.iterdir()} == {"checkpoint-2", "checkpoint-4"}
    assert f"checkpoint-10 is damaged ({path.name}): the training goes on from checkpoint-4" in caplog.text


def test_one_bit_of_the_optimiser_is_seen(folder: Path) -> None:
    path = folder / "checkpoint-10" / "optimizer.pt"
    path.write_bytes(flipped(path.read_bytes()))
    assert checkpoints.last(folder) == folder / "checkpoint-4"


def test_what_is_whole_is_kept_and_the_newest_by_number_is_taken(folder: Path) -> None:
    checkpoints.remove_incomplete(folder)
    assert checkpoints.last(folder) == folder / "checkpoint-10"
    assert len(list(folder.iterdir())) == 3


def test_where_all_are_damaged_the_training_begins_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in folder.glob("*/optimizer.pt"):
        path.write_bytes(cut(path.read_bytes()))
    assert checkpoints.last(folder) is None
    checkpoints.remove_incomplete(folder)
    assert not list(folder.iterdir())
    assert "begins anew" in caplog.text


def test_a_state_that_a_kill_cut_off_is_no_checkpoint(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = folder / "checkpoint-10" / checkpoints.STATE_FILE
    (folder / "checkpoint-10" / checkpoints.LIST_FILE).unlink()
    state.write_bytes(cut(state.read_bytes()))
    checkpoints.remove_incomplete(folder)
    assert checkpoints.last(folder) == folder / "checkpoint-4"
    assert not (folder / "checkpoint-10").exists()
    assert "damaged" not in caplog.text


def test_every_byte_of_the_weights_and_of_the_list_is_compared(folder: Path) -> None:
    for name in (FILES[0], checkpoints.STATE_FILE, checkpoints.LIST_FILE):
        path = folder / "checkpoint-10" / name
        whole = path.read_bytes()
        for place in range(0, len(whole), 41):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert checkpoints.last(folder) == folder / "checkpoint-4", (name, place)
        path.write_bytes(whole)
    assert checkpoints.last(folder) == folder / "checkpoint-10"


@pytest.mark.parametrize("lost", [False, True])
def test_a_checkpoint_whose_best_one_is_damaged_is_not_gone_on_from(
    folder: Path, lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints.finish(folder / "checkpoint-10", needs="checkpoint-4")
    best = folder / "checkpoint-4" / FILES[0]
    content = flipped(best.read_bytes())
    best.unlink()
    if not lost:
        best.write_bytes(content)
    assert checkpoints.last(folder) == folder / "checkpoint-2"
    with pytest.raises(DamagedError, match=r"checkpoint-4.*\n.*model\.safetensors"):
        checkpoints.require_whole(folder / "checkpoint-4")
    checkpoints.remove_incomplete(folder)
    assert {one.name for one in folder.iterdir()} == {"checkpoint-2"}
    assert (
        "checkpoint-4, the best before checkpoint-10, is damaged (model.safetensors): "
        "the training goes on from checkpoint-2"
    ) in caplog.text


def test_what_an_earlier_version_wrote_is_removed_with_a_word(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It had no list; what is behind the checkpoint that the training goes on from is no loss."""
    (folder / "checkpoint-10" / checkpoints.LIST_FILE).unlink()
    (folder / "checkpoint-2" / checkpoints.LIST_FILE).unlink()
    (folder / "checkpoint-12").mkdir()
    checkpoints.remove_incomplete(folder)
    assert {one.name for one in folder.iterdir()} == {"checkpoint-4"}
    (told,) = caplog.messages
    assert told.startswith(f"checkpoint-10 in {folder} cannot be compared")
    assert told.endswith("goes on from checkpoint-4: 6 steps are done again")


def test_where_all_are_of_an_earlier_version_every_step_is_lost(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in folder.glob(f"*/{checkpoints.LIST_FILE}"):
        path.unlink()
    checkpoints.remove_incomplete(folder)
    assert not list(folder.iterdir())
    (told,) = caplog.messages
    assert told.startswith("checkpoint-2, checkpoint-4, checkpoint-10 in")
    assert told.endswith("The training begins anew: 10 steps are done again")


def test_what_a_kill_left_half_written_is_no_news(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "checkpoint-12").mkdir()
    (folder / "checkpoint-12" / FILES[0]).write_bytes(b"half")
    checkpoints.remove_incomplete(folder)
    assert len(list(folder.iterdir())) == 3
    assert not caplog.messages
