"""Places: local paths stay plain, object stores behave like folders, and what is wrong with one is said."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from rankdistill import files, locations, manifest
from rankdistill.errors import ConfigError, MissingDependencyError, OutputError
from rankdistill.locations import location


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Path:
    """An empty prefix of fsspec's object store in memory."""
    return location(f"memory://{request.node.name}")


@pytest.mark.parametrize("text", ["store", "a/b", "/absolute", "file:///absolute", "."])
def test_a_local_place_is_a_plain_path(text: str) -> None:
    assert type(location(text)) is type(Path())
    assert location(text) == Path(text.removeprefix("file://"))
    assert location(Path(text)) == Path(text)


def test_both_slashes_of_a_url_are_kept(bucket: Path) -> None:
    assert str(bucket / "scores" / "part") == f"{bucket}/scores/part"
    assert str(bucket).startswith("memory://")
    assert location(f"{bucket}/") == bucket
    assert location(bucket) is bucket


@pytest.mark.parametrize("text", ["sftp://host/store", "http://host/store", "s3://", "memory:///"])
def test_what_is_no_object_store_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="s3, s3a, gs"):
        location(text)


def test_a_missing_client_is_named_with_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError, match=r"rankdistill\[remote\]"):
        location("s3://bucket/store")


def test_local_stores_need_no_extra_library(tmp_path: Path) -> None:
    """As in an installation without the extra `remote`."""
    code = """
import sys
for absent in ("upath", "fsspec", "s3fs"):
    sys.modules[absent] = None
import numpy as np, pyarrow as pa
from rankdistill import files, manifest, tables
from rankdistill.errors import MissingDependencyError
from rankdistill.locations import location
from rankdistill.stores.status import describe
folder = location(sys.argv[1])
with files.exclusive(folder):
    files.write_text(folder / "text", "text")
    tables.write_parquet(folder / "t.parquet", pa.table({"number": [1, 2]}))
    manifest.Manifest("things").write(folder)
assert tables.scan_parquet([folder / "t.parquet"]).collect().height == 2
assert manifest.expect(folder, "things", "make").artefact == "things"
assert len(list(describe(folder))) == 1
try:
    location("memory://store")
except MissingDependencyError as error:
    print(error.remedy)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == 'pip install "rankdistill[remote]"\n'


def test_listings_name_what_is_there(bucket: Path, tmp_path: Path) -> None:
    for root in (bucket, tmp_path):
        assert locations.listing(root / "absent", "*") == []
        for name in ("b.json", "a.json", "a.txt", "below/c.json"):
            files.write_text(root / name, name)
        assert locations.listing(root, "*.json") == [root / "a.json", root / "b.json"]
        assert locations.listing(root, "below") == [root / "below"]
        assert [path.relative_to(root).as_posix() for path in locations.all_files(root)] == [
            "a.json",
            "a.txt",
            "b.json",
            "below/c.json",
        ]
        assert locations.is_file(root / "a.txt")
        assert not locations.is_file(root / "below")
        assert not locations.is_file(root / "absent" / "a.txt")


def test_a_failed_write_uploads_nothing(bucket: Path) -> None:
    files.write_text(bucket / "file", "old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(bucket / "file") as temporary:
        temporary.write_text(f"ne{1 / 0}")
    assert not temporary.exists()
    assert (bucket / "file").read_text() == "old"
    assert locations.all_files(bucket) == [bucket / "file"]


def test_a_full_disk_under_the_temporary_is_an_error_of_ours(bucket: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), files.atomic_path(bucket / "file"):
        Path("/dev/full").write_text("too much")


def test_hashes_and_manifests_are_those_of_local_files(bucket: Path, tmp_path: Path) -> None:
    for root in (bucket, tmp_path):
        files.write_text(root / "a" / "file", "content")
        manifest.Manifest("things", inputs={"a": files.hash_file(root / "a" / "file")}).write(root)
    assert manifest.read(bucket) == manifest.read(tmp_path)
    assert (bucket / manifest.FILE_NAME).read_bytes() == (tmp_path / manifest.FILE_NAME).read_bytes()
    assert manifest.read(bucket / "absent") is None
    assert files.hash_files(bucket, [bucket / "a" / "file"]) == files.hash_files(tmp_path, [tmp_path / "a" / "file"])


def test_a_place_can_be_sent_to_another_process(bucket: Path) -> None:
    files.write_text(bucket / "file", "text")
    assert pickle.loads(pickle.dumps(bucket / "file")).read_text() == "text"


def test_a_removed_folder_is_gone_and_its_neighbours_stay(bucket: Path, tmp_path: Path) -> None:
    for root in (bucket, tmp_path):
        for name in ("plan/a/one", "plan/b/two", "plan-c"):
            files.write_text(root / name, name)
        files.remove_folder(root / "plan")
        files.remove_folder(root / "absent")
        assert locations.all_files(root) == [root / "plan-c"]


def test_a_damaged_file_of_onnx_is_no_failing_object_store() -> None:
    protobuf = pytest.importorskip("google.protobuf.message")
    with pytest.raises(protobuf.DecodeError), locations.remote_errors("model.onnx"):
        raise protobuf.DecodeError("broken")
