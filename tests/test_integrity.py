"""Damage is never used silently: flips over each kind of artefact, lost files, reruns, what killed writers leave."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import rankdistill as rd
from benchmarks import flips
from rankdistill import files, integrity, locations, manifest
from rankdistill.errors import DamagedError, DataError, StoreError
from rankdistill.progress import reporter_of
from rankdistill.recipe.steps import Step, Workspace, execute
from rankdistill.stores import times
from tests.recorded import record_again

PACKAGE = Path(rd.__file__).parent

FLIPS = 24

UNREAD = {
    "scores": {integrity.NOTED, times.FILE_NAME},
    "embeddings": {integrity.NOTED, times.FILE_NAME},
    # Copies that are mapped into memory are made again where they are damaged; other files are not read then.
    "embeddings with copies": {integrity.NOTED, times.FILE_NAME, "*.parquet", "mapped/*", "vectors/*", "names.json"},
    "comparison": {integrity.NOTED},
}
"""Files whose flips may do no harm: notes only vouch for others, and what a teacher cost is no part of a store."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flips")


@pytest.mark.parametrize("name", [*flips.kinds()])
def test_no_flip_is_used_silently(name: str, work: Path, six_layers: str, tiny_splade: str) -> None:
    kind = flips.kinds(six_layers, tiny_splade)[name]
    folder = kind.make(work)
    if name == "evaluation" and not (work / "evaluation-copy").is_dir():
        shutil.copytree(folder, work / "evaluation-copy")
    wanted = repr(kind.use(folder))
    found: Counter[str] = Counter()
    for one in flips.draw(folder, FLIPS, 29):
        came = flips.outcome(folder, kind.use, wanted, one)
        found[came] += 1
        assert came in ("refused", "harmless"), one
        if came == "harmless":
            assert any(Path(one[0]).match(unread) for unread in UNREAD.get(name, ())), one
    assert found["refused"] >= (2 if name == "embeddings with copies" else FLIPS / 3)
    assert repr(kind.use(folder)) == wanted


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return flips.kinds()["scores"].make(tmp_path)


def _score(store: Path, limit: int | None = None) -> rd.ScoreStore:  # type: ignore[name-defined]
    work = store.parent
    return rd.score(work / "collection", flips.CountingTeacher(), work / "candidates", store, unit_size=64)


def test_seconds_of_a_teacher_that_are_damaged_are_unknown_and_never_others(store: Path) -> None:
    path = store / times.FILE_NAME
    shards = locations.listing(store / "scores" / "letters-0", "part-*")
    wanted = times.seconds_of(store, "letters-0", shards)
    assert wanted is not None
    for byte in range(path.stat().st_size):
        for bit in range(8):
            flips.flip(path, byte, bit)
            assert times.seconds_of(store, "letters-0", shards) in (None, wanted), (byte, bit)
            flips.flip(path, byte, bit)
    assert times.seconds_of(store, "letters-0", shards) == wanted


def test_a_rerun_does_not_launder(store: Path) -> None:
    shard = locations.listing(store / "scores" / "letters-0", "part-*")[0]
    before = manifest.read(store)
    for path in (shard, store / "documents.parquet", store / "teachers" / "letters-0.json"):
        flips.flip(path, path.stat().st_size // 2, 3)
        with pytest.raises(DamagedError, match=path.name) as caught:
            _score(store)
        assert str(store) in caught.value.got or str(store) in caught.value.expected
        assert manifest.read(store) == before
        flips.flip(path, path.stat().st_size // 2, 3)
    assert _score(store).run.done == 0


def test_a_kill_between_the_note_and_the_file_leaves_what_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of what is about to come must not be all that is known of what is there still."""
    path = tmp_path / "names.json"

    def write(content: str) -> None:
        with integrity.noting(path, tmp_path) as temporary:
            temporary.write_text(content)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    usual = os.replace

    def replace(source: Path, target: Path) -> None:
        killed() if Path(target) == path else usual(source, target)

    write("one")
    for later in ("two", "three"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            with pytest.raises(KeyboardInterrupt):
                write(later)
        assert integrity.read_text(path) == "one"
    write("four")
    assert integrity.read_text(path) == "four"
    assert len(integrity.noted(tmp_path)["names.json"]) <= 2
    path.write_text("five")
    with pytest.raises(DamagedError, match=r"names\.json"):
        integrity.read_text(path)


def test_notes_of_before_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    note = {"file": {"sha256": files.hash_file(tmp_path / "file")}}
    (tmp_path / integrity.NOTED).write_text(json.dumps(note))
    assert integrity.read_text(tmp_path / "file") == "content"
    (tmp_path / "file").write_text("another")
    with pytest.raises(DamagedError):
        integrity.read_text(tmp_path / "file")


@pytest.mark.parametrize("name", ["queries.parquet", "teachers/letters-0.json", "candidates"])
def test_what_is_lost_of_a_store_is_missed(store: Path, name: str) -> None:
    path = store / name
    lost = locations.listing(path)[0] if path.is_dir() else path
    lost.unlink()
    with pytest.raises(DataError, match=lost.name):
        flips.kinds()["scores"].use(store)


def test_a_lost_shard_is_scored_again_by_the_same_call(store: Path) -> None:
    wanted = rd.open(store).to_polars()
    shards = locations.listing(store / "scores" / "letters-0", "part-*")
    assert len(shards) > 1
    shards[0].unlink()
    with pytest.raises(StoreError, match=shards[0].name):
        rd.open(store).to_polars()
    assert _score(store).to_polars().equals(wanted)


def test_scores_that_a_rerun_does_not_bring_back_stay_missing(store: Path, tmp_path: Path) -> None:
    """Another table of candidates is scored: what was lost of the first is still asked for."""
    shards = locations.listing(store / "scores" / "letters-0", "part-*")
    shards[-1].unlink()
    rd.mine(tmp_path / "collection", tmp_path / "few", sources=["bm25"], depth=2, split="test", limit_queries=2)
    rd.score(tmp_path / "collection", flips.CountingTeacher(), tmp_path / "few", store, unit_size=64)
    with pytest.raises(StoreError, match=shards[-1].name):
        rd.open(store).to_polars()


def test_texts_that_a_store_got_since_its_manifest_are_known(store: Path, tmp_path: Path) -> None:
    """A run that was killed after it added texts leaves a store that can be read, and damage of them is found."""
    path = store / "queries.parquet"
    from rankdistill.stores.texts import add_texts

    add_texts(path, "query_id", {"new"}, {"new": "a new one"})
    assert rd.open(store).query_texts()["new"] == "a new one"
    flips.flip(path, 40, 1)
    with pytest.raises(DamagedError, match=path.name):
        rd.open(store).query_texts()
    flips.flip(path, 40, 1)
    _score(store)
    assert manifest.read(store).outputs["queries.parquet"] == files.hash_file(path)  # type: ignore[union-attr]
    assert "queries.parquet" not in integrity.noted(store)


def test_without_held_out_nothing_is_embedded(tmp_path: Path, six_layers: str) -> None:
    """Lost, it would let test queries in."""
    store = flips.kinds(six_layers)["embeddings"].make(tmp_path)
    (store / "held_out.parquet").unlink()
    texts = tmp_path / "more.txt"
    texts.write_text("something else\n")
    with pytest.raises(DamagedError, match=r"held_out\.parquet"):
        rd.embed(None, six_layers, store, texts=f"query={texts}")


def test_a_split_that_is_lost_is_missed(tmp_path: Path) -> None:
    collection = flips.kinds()["collection"].make(tmp_path)
    (collection / "qrels" / "test.tsv").unlink()
    with pytest.raises(DamagedError, match=r"qrels/test\.tsv"):
        rd.open(collection)
    (collection / "manifest.json").unlink()  # then it is a user's own
    assert rd.open(collection).splits == []


def test_what_is_damaged_is_made_again_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = flips.kinds()["candidates"]
    folder = made.make(tmp_path)
    before = (folder / "candidates.parquet").read_bytes()
    flips.flip(folder / "candidates.parquet", 100, 0)
    made.make(tmp_path)
    assert (folder / "candidates.parquet").read_bytes() == before
    assert "is damaged: " in caplog.text
    (folder / "candidates.parquet").unlink()
    made.make(tmp_path)
    assert (folder / "candidates.parquet").read_bytes() == before
    assert "is missing: " in caplog.text


def test_a_step_is_done_only_when_its_files_are_whole(tmp_path: Path) -> None:
    done: list[str] = []

    def work(content: str) -> object:
        def run(folder: Path, reporter: object) -> None:
            done.append(folder.name.partition("-")[0])
            files.make_folder(folder)
            files.write_text(folder / "weights", contents[content])
            outputs = {"weights": files.hash_file(folder / "weights")}
            manifest.Manifest("student", outputs=outputs).write(folder)

        return run

    contents = {"first": "a", "second": "b"}
    place = Workspace(tmp_path)
    first = place.step("first", {}, [], work("first"))  # type: ignore[arg-type]
    second: Step = place.step("second", {}, [first], work("second"))  # type: ignore[arg-type]
    execute([first, second], reporter_of(False))
    execute([first, second], reporter_of(False))
    assert done == ["first", "second"]
    (first.folder / "weights").unlink()
    assert not first.done
    assert second.done
    execute([first, second], reporter_of(False))
    assert done == ["first", "second", "first"]  # the same bytes as before: what needs them stays
    (first.folder / "weights").write_text("damaged")
    contents["first"] = "other"
    execute([first, second], reporter_of(False))
    assert done[3:] == ["first", "second"]  # other bytes: so is what needs them


def test_large_files_are_known_by_a_sample_and_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "LARGE", 1 << 20)
    path = tmp_path / "vectors.npy"
    path.write_bytes(np.random.default_rng(0).bytes(20 << 20))
    manifest.Manifest("index", outputs={path.name: files.hash_file(path)}).write(tmp_path)
    made = manifest.read(tmp_path)
    assert made is not None
    assert set(made.samples) == {path.name}
    integrity.require(path)
    for byte in (0, 1 << 19, (20 << 20) - 1):
        flips.flip(path, byte, 5)
        with pytest.raises(DamagedError):
            integrity.require(path)
        flips.flip(path, byte, 5)
    hidden = next(byte for byte in range(1 << 21, 3 << 21) if not _is_sampled(path, byte))
    flips.flip(path, hidden, 5)
    integrity.require(path)  # that is what a sample cannot see
    with pytest.raises(DamagedError):
        integrity.require(path, whole=True)
    assert not rd.verify(tmp_path).is_whole


def _is_sampled(path: Path, byte: int) -> bool:
    before = files.sample_file(path)
    flips.flip(path, byte, 0)
    after = files.sample_file(path)
    flips.flip(path, byte, 0)
    return before != after


def test_artefacts_of_earlier_versions_are_read(store: Path) -> None:
    """Their manifests have no checksum and no samples, their Parquet pages none either."""
    path = store / "manifest.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert rd.open(store).to_polars().height == 120
    assert rd.verify(store).is_whole


def test_a_changed_manifest_is_refused(store: Path) -> None:
    path = store / "manifest.json"
    content = json.loads(path.read_text())
    content["parameters"]["unit_size"] = 7
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="checksum"):
        rd.open(store)


def test_manifests_of_other_programs_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a web page", "version": 2}')
    (tmp_path / "corpus.jsonl").write_text("{}")
    assert integrity.recorded(tmp_path / "corpus.jsonl") is None
    integrity.require(tmp_path / "corpus.jsonl")


def _left_by(host: str, process: int, place: Path) -> Path:
    path = place.parent / f"{locations.TEMPORARY_PREFIX}{host}-{process}-{place.name}"
    path.write_bytes(b"half of")
    return path


def test_what_a_writer_of_another_host_left_is_no_artefact(store: Path, tmp_path: Path) -> None:
    """Neither teachers, nor tables, nor splits; it goes once it has not changed for a day."""
    wanted = flips.kinds()["scores"].use(store)
    strays = [
        _left_by("0a1b2c3d", 77, store / "teachers" / "x-1.json"),
        _left_by("0a1b2c3d", 77, store / "candidates" / "1.parquet"),
        _left_by("0a1b2c3d", 77, store / "scores" / "letters-0" / "part-000000-1.parquet"),
        _left_by("0a1b2c3d", 77, tmp_path / "collection" / "qrels" / "test.tsv"),
    ]
    assert flips.kinds()["scores"].use(store) == wanted
    assert rd.open(tmp_path / "collection").splits == ["test"]
    (found,) = rd.verify(store)
    assert found.is_whole
    assert len(found.names("living")) == 3
    files.remove_temporaries(store, keep_living=True)
    assert all(stray.is_file() for stray in strays)
    old = time.time() - files.DEAD_AFTER - 60
    for stray in strays:
        os.utime(stray, (old, old))
    (found,) = rd.verify(store)
    assert len(found.names("dead")) == 3
    assert rd.verify(tmp_path / "collection", repair=True).is_whole
    _score(store)
    assert not any(stray.is_file() for stray in strays)


def test_what_a_dead_process_left_is_dead_at_once(tmp_path: Path) -> None:
    from rankdistill.files import temporary_of

    own = temporary_of(tmp_path / "a.json")
    host = own.name.removeprefix(locations.TEMPORARY_PREFIX).split("-")[0]
    assert files.is_dead(_left_by(host, 2**22 + 7, tmp_path / "a.json"))
    assert not files.is_dead(_left_by(host, os.getppid(), tmp_path / "a.json"))
    assert not files.is_dead(_left_by("0a1b2c3d", 7, tmp_path / "a.json"))


LITERAL_ENOUGH = {
    "locations.py": "it is the listing",
    "files.py": "looks for temporaries",
    "stores/answers.py": "whether a folder is empty",
    "stores/missing.py": "whether a folder is empty",
    "engines/qdrant_edge.py": "whether a folder is empty",
    "recipe/distilling/outputs.py": "looks for temporaries",
    "indexing/lucene/collection.py": "looks for temporaries",
    "indexing/lucene/jvm.py": "the jars of a package",
    "models.py": "the weights of a package",
    "plain_yaml.py": "recipes of the package",
    "inference/export_cache.py": "removes what is no export",
    "provenance/found.py": "names of files alone",
    "publishing/eval_results.py": "files of huggingface_hub",
    "serving/metrics.py": "names begin with worker-",
    "recipe/tuning/watching.py": "names begin with checkpoint-",
    "teachers/teaching/interruption.py": "names begin with checkpoint-",
    "teachers/teaching/checkpoints.py": "names begin with checkpoint-",
}
"""Modules that list files by themselves, and why they cannot meet a temporary."""


def test_every_listing_knows_temporaries() -> None:
    """A glob takes what a killed writer left for a file; `locations.listing` does not."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        if re.search(r"\.(r?glob|iterdir|listdir|scandir)\(", path.read_text()):
            found.add(path.relative_to(PACKAGE).as_posix())
    assert found <= set(LITERAL_ENOUGH)


def test_a_file_written_so_on_purpose_is_recorded_again(store: Path) -> None:
    """What tests do that replace a file is what `Manifest.write` would have said."""
    path = store / "teachers" / "letters-0.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(DamagedError):
        rd.open(store).fingerprint(None)
    record_again(store)
    assert rd.open(store).fingerprint(None)["kind"] == "letters"


def _made(folder: Path, kind: str, command: str, *parts: str) -> Path:
    """An artefact with a file and parts that have manifests already."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "it.json").write_text("1")
    names = ["it.json", *(f"{part}/{name}" for part in parts for name in ("it.json", "manifest.json"))]
    outputs = {name: files.hash_file(folder / name) for name in names}
    manifest.Manifest(kind, command=command, outputs=outputs).write(folder)
    return folder


def _remedy(folder: Path) -> str:
    (folder / "it.json").write_text("2")
    with pytest.raises(DamagedError) as caught:
        integrity.require(folder / "it.json")
    told = rd.verify(folder).to_json()["artefacts"][0]["remedy"]
    command = re.search(r"\((rankdistill .*)\)", caught.value.remedy)
    assert command is not None
    assert told.endswith(f"`{command[1]}`")
    assert f"remove the folder {integrity.whole_of(folder)} and make it again" in told
    return caught.value.remedy.partition(";")[0]


@pytest.mark.parametrize(
    ("place", "command", "again"),
    [
        ("E", "rankdistill evaluate --data D --out .", "rankdistill evaluate --data D --out E"),
        ("E", "rankdistill evaluate --out=. --data D", "rankdistill evaluate --out=E --data D"),
        ("a b/E", "rankdistill evaluate --name 'x y' --out .", "rankdistill evaluate --name 'x y' --out 'a b/E'"),
        ("S/one", "rankdistill compare one=bm25 --out .", "rankdistill compare one=bm25 --out S"),
        ("R/run/steps/x-1", "rankdistill distill DOCS --out .", "rankdistill distill DOCS --out R"),
        ("R/steps/x-1", "rankdistill run r.yaml", "rankdistill run r.yaml"),
    ],
)
def test_the_remedy_of_damage_names_the_folder_that_was_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, command: str, again: str
) -> None:
    """Manifests have `.` for it, which is another folder where the command is typed."""
    monkeypatch.chdir(tmp_path)
    assert (
        _remedy(_made(Path(place), "evaluation", command))
        == f"remove the folder {place} and evaluate it again ({again})"
    )


def test_the_remedy_of_a_damaged_part_makes_all_that_it_is_a_part_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build = "rankdistill index --data D --out ."
    _made(Path("INDEX/shard-0"), "index shard", build)
    _made(Path("INDEX"), "index", build, "shard-0")
    again = "copy it anew, or remove the folder INDEX and make it again (rankdistill index --data D --out INDEX)"
    assert _remedy(Path("INDEX/shard-0")) == again
    for task in ("B", "A"):
        one = f"rankdistill evaluate --tasks {task} --out ."
        _made(Path("T") / task / "test", "evaluation", one)
        _made(Path("T") / task, "task evaluation", one, "test")
    _made(Path("T"), "task evaluations", one, "A", "A/test", "B", "B/test")
    told = integrity.Recorded(Path("T/A/test"), "it.json", manifest.read(Path("T/A/test"))).error("damaged").remedy
    both = "rankdistill evaluate --tasks A --out T; rankdistill evaluate --tasks B --out T"
    assert told.startswith(f"remove the folder T and evaluate it again ({both});")
