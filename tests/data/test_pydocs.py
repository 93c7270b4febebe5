"""The collection of docstrings: what becomes query and document, and that nothing of the query leaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.data import docstrings, load, pydocs
from rankdistill.errors import ConfigError, DataError, StaleOutputError

BODY = (
    "Water flows down the {0} and every {0} is measured again by the keeper of the {0}, who writes the level of the "
    "{0} in a book, so that the people below the {0} know when to leave their houses.\n"
)

MODULE = f'''
"""Docstring of the module."""
import module_that_does_not_exist
raise SystemExit("importing this would end the process")

def level(x):
    """Measure the level of a river.

    {BODY.format("river")}
    Measure the level of a river. Twice.

    Parameters
    ----------
    x : :class:`~deep.River`
    """

def shared_one():
    """Do the same thing as others.

    {BODY.format("bread")}
    """

class Keeper:
    """Keeper of books about rivers.

    {BODY.format("violin")}
    """
    def shared_two(self):
        """Do the same thing as others!

        {BODY.format("engine")}
        """
    def _private(self):
        """Never to be seen by anyone.

        {BODY.format("secret")}
        """

if True:
    def conditional():
        """Open the harbour in any weather. It may take long.

        {BODY.format("harbour")}
        """

def copied():
    """Say the same about rivers again.

    {BODY.format("river")}
    Measure the level of a river. Twice.

    Parameters x : River
    """

def brief():
    """Too short.

    {BODY.format("planet")}
    """

def empty():
    """A summary without anything below."""

def signature():
    """signature(x, y) -> a result that is no prose

    {BODY.format("stone")}
    """
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed distribution `rivers` with one good module, a broken one, and a test."""
    site = tmp_path / "site"
    for name, content in {
        "rivers/_core.py": MODULE,
        "rivers/broken.py": 'def broken(:\n    """no Python"""',
        "rivers/tests/test_core.py": MODULE,
        "rivers-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: rivers\nVersion: 1.5\n",
        "rivers-1.5.dist-info/RECORD": "rivers/_core.py,,\nrivers/broken.py,,\nrivers/tests/test_core.py,,\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    monkeypatch.syspath_prepend(str(site))
    return "rivers"


def test_reads_public_docstrings_without_importing(package: str) -> None:
    names = [found.name.removeprefix("rivers._core.") for found in docstrings.of_package(package)]
    assert names[:5] == ["level", "shared_one", "Keeper", "Keeper.shared_two", "conditional"]
    assert names[5:] == ["copied", "brief", "empty", "signature"]
    assert "rivers" not in sys.modules


def test_summary_is_the_query_and_the_rest_the_document(package: str, tmp_path: Path) -> None:
    assert pydocs.build(tmp_path / "out", [package])
    dataset = load(tmp_path / "out")
    documents = {row.doc_id.removeprefix("rivers._core."): row for row in dataset.documents()}
    assert set(documents) == {"level", "shared_one", "Keeper", "Keeper.shared_two", "conditional", "brief"}
    assert documents["Keeper.shared_two"].title == "rivers.Keeper.shared_two"
    answers = {
        dataset.queries(split)[query_id]: doc_id
        for split in dataset.splits
        for query_id, labels in dataset.qrels(split).items()
        for doc_id, label in labels.items()
        if label == 1
    }
    assert answers == {
        "Measure the level of a river": "rivers._core.level",
        "Keeper of books about rivers": "rivers._core.Keeper",
        "Open the harbour in any weather": "rivers._core.conditional",
    }


def test_the_summary_does_not_stand_in_its_document(package: str) -> None:
    documents = {row.doc_id: row.text for row in pydocs.collect([package]).documents}
    level = documents["rivers._core.level"]
    assert "Measure the level" not in level
    assert level.endswith("Twice. Parameters x : deep.River")
    assert documents["rivers._core.conditional"].startswith("It may take long. Water flows")


def test_long_documents_are_cut_between_words(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydocs, "LONGEST_DOCUMENT", 160)
    for row in pydocs.collect([package]).documents:
        assert len(row.text) <= 160
        assert row.text.split()[-1] in BODY.split()


def test_a_smaller_limit_gives_a_subset(package: str) -> None:
    everything = pydocs.collect([package])
    some = pydocs.collect([package], limit=3)
    assert len(list(some.documents)) == 3
    assert set(some.documents) < set(everything.documents)
    assert set(some.queries) <= set(everything.queries)


def test_splits_follow_the_hash_in_about_8_1_1() -> None:
    splits = [pydocs._split(pydocs._hash(str(number))[:16]) for number in range(4000)]
    assert splits.count("train") == pytest.approx(3200, abs=100)
    assert splits.count("dev") == pytest.approx(400, abs=80)
    assert splits.count("test") == pytest.approx(400, abs=80)


def test_manifest_names_the_version_and_a_second_run_does_nothing(package: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert pydocs.build(out, [package])
    assert manifest.expect(out, "dataset", "data pydocs").inputs == {"rivers": "1.5"}
    assert not pydocs.build(out, [package])
    with pytest.raises(StaleOutputError, match="limit"):
        pydocs.build(out, [package], limit=2)


def test_order_and_repetition_of_packages_do_not_matter(package: str, tmp_path: Path) -> None:
    pydocs.build(tmp_path / "out", [package, "networkx"], limit=20)
    assert not pydocs.build(tmp_path / "out", ["networkx", package, package], limit=20)


def test_unknown_package_and_useless_package_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pip install no-such-package"):
        pydocs.build(tmp_path / "a", ["no-such-package"])
    with pytest.raises(DataError, match="documented functions"):
        pydocs.build(tmp_path / "b", ["types-PyYAML"])
    with pytest.raises(ConfigError, match="at least 1"):
        pydocs.build(tmp_path / "c", ["networkx"], limit=0)


def test_real_package_gives_the_same_bytes_in_processes_of_other_hash_seeds(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from rankdistill.data import pydocs; "
    script += "pydocs.build(Path(sys.argv[1]), ['networkx'])"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, str(tmp_path / seed)], env=environment, check=True)
    one, two = (manifest.read(tmp_path / seed) for seed in ("1", "2"))
    assert one is not None
    assert two is not None
    assert one.outputs == two.outputs
    dataset = load(tmp_path / "1")
    assert len(dataset.doc_ids) > 500
    assert dataset.splits == ["dev", "test", "train"]
    shown = {
        query: dataset.contents[doc_id]
        for split in dataset.splits
        for query_id, labels in dataset.qrels(split).items()
        for query, doc_id in [(dataset.queries(split)[query_id], next(iter(labels)))]
    }
    assert not [query for query, text in shown.items() if query.lower() in text.lower()]
