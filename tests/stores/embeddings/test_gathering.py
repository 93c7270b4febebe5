"""Gathering: what gets in, what stays out, and that it is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rankdistill import data
from rankdistill.errors import DataError
from rankdistill.stores.embeddings.gathering import Gathered, describe_tally, gather
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile


def texts(gathered: Gathered, source: str | None = None) -> list[tuple[str, str]]:
    """Kind and text of each row, in order."""
    rows = pq.read_table(gathered.path).to_pylist()
    return [(row["kind"], row["text"]) for row in rows if source in (None, row["source"])]


def test_each_part_of_a_collection_has_its_kind(tiny_sources: Sources, gathered: Gathered) -> None:
    dataset = tiny_sources.datasets[0]
    documents = list(dataset.documents())
    assert texts(gathered, "tiny:documents") == [("document", row.contents) for row in documents]
    assert texts(gathered, "tiny:titles") == [("query", row.title) for row in documents]
    assert texts(gathered, "tiny:queries") == [("query", text) for text in dataset.queries("train").values()]
    assert {kind for kind, _ in texts(gathered, "tiny:sentences")} == {"query"}
    assert len(gathered) == len(texts(gathered))


def test_no_query_that_another_split_judges_gets_in(tiny_sources: Sources, gathered: Gathered) -> None:
    dataset = tiny_sources.datasets[0]
    for split in ("dev", "test"):
        assert not {*dataset.queries(split).values()} & {text for _, text in texts(gathered)}


def test_not_even_if_its_own_split_judges_it_too(tiny_beir: Path, tmp_path: Path) -> None:
    with (tiny_beir / "qrels" / "test.tsv").open("a") as stream:
        stream.write("q00\td00\t1\n")
    dataset = data.load(tiny_beir)
    found = gather(Sources([dataset]), tmp_path / "a.parquet")
    assert ("query", dataset.queries("train")["q00"]) not in texts(found)
    assert len(texts(found, "tiny:queries")) == 11


def test_a_test_query_from_another_source_is_dropped_and_counted(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    one, other = list(dataset.queries("test").values())[:2]
    (tmp_path / "a.txt").write_text(f"{one.upper()}?\n  {other}  \na new text\n")
    for kind in ("query", "document"):
        sources = Sources([dataset], [TextFile(tmp_path / "a.txt", kind)])
        found = gather(sources, tmp_path / "a.parquet")
        assert texts(found, "a.txt") == [(kind, "a new text")]
        assert found.tallies["a.txt"]["held_out"] == 2


def test_the_test_queries_of_one_collection_stay_out_of_the_others(tiny_beir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "qrels").mkdir(parents=True)
    title = json.loads((tiny_beir / "corpus.jsonl").read_text().splitlines()[0])["title"]
    (other / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "something else altogether"}\n')
    (other / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": title}) + "\n")
    (other / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    found = gather(Sources([data.load(tiny_beir), data.load(other)]), tmp_path / "a.parquet")
    assert title not in [text for _, text in texts(found)]
    assert found.tallies["tiny:titles"] == {
        "kept": 39, "empty": 0, "held_out": 1, "repeated": 0, "over_limit": 0,
    }  # fmt: skip
    assert "other:queries" not in found.tallies


def test_the_queries_of_a_collection_that_is_only_evaluated_on_stay_out(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    asked = [next(iter(dataset.queries(split).values())) for split in ("train", "test")]
    (tmp_path / "a.txt").write_text("\n".join([*asked, "a new text"]) + "\n")
    sources = Sources(files=[TextFile(tmp_path / "a.txt", "query")], judged=[dataset])
    found = gather(sources, tmp_path / "a.parquet")
    assert texts(found) == [("query", "a new text")]
    assert dataset.fingerprint in found.inputs.values()


def test_empty_and_repeated_texts_are_dropped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\n   \ntwo\none\n one \n")
    (tmp_path / "b.txt").write_text("two\n")
    files = [TextFile(tmp_path / "a.txt", "query"), TextFile(tmp_path / "b.txt", "document")]
    found = gather(Sources(files=[*files, TextFile(tmp_path / "b.txt", "query")]), tmp_path / "x.parquet")
    assert texts(found) == [("query", "one"), ("query", "two"), ("document", "two")]
    first, *_, last = found.tallies.values()
    assert describe_tally(first) == "2 (2 empty, 2 repeated)"
    assert describe_tally(last) == "0 (1 repeated)"


def test_two_collections_of_one_name_are_told_apart(tiny_beir: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "tiny"
    other.mkdir(parents=True)
    (other / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "something else altogether"}\n')
    (other / "queries.jsonl").write_text('{"_id": "q", "text": "a query"}\n')
    datasets = [data.load(tiny_beir), data.load(other)]
    found = gather(Sources(datasets, titles=False, sentences=False), tmp_path / "a.parquet")
    first, second = (dataset.fingerprint[:8] for dataset in datasets)
    names = [f"tiny-{first}:queries", f"tiny-{first}:documents", f"tiny-{second}:queries", f"tiny-{second}:documents"]
    assert list(found.tallies) == names
    assert found.tallies[names[2]]["kept"] == 1, "the queries of a collection without judgements are no test queries"


def test_a_limit_draws_the_same_texts_and_a_larger_one_more(lines: Callable[..., Sources], tmp_path: Path) -> None:
    sources = lines(500)
    draws = [gather(sources, tmp_path / f"{limit}.parquet", limit) for limit in (10, 100, 100)]
    few, many, again = ([text for _, text in texts(draw)] for draw in draws)
    assert (len(few), len(many)) == (10, 100)
    assert {*few} < {*many}
    assert many == again
    assert draws[1].tallies["lines.txt"]["over_limit"] == 400
    numbers = [int(text.split()[-1]) for text in many]
    assert numbers == sorted(numbers)
    assert 150 < sum(numbers) / 100 < 350


def test_whole_documents_may_have_a_limit_of_their_own(
    tiny_sources: Sources, gathered: Gathered, tmp_path: Path
) -> None:
    few = gather(tiny_sources, tmp_path / "few.parquet", document_limit=3)
    none = gather(tiny_sources, tmp_path / "none.parquet", 5, document_limit=0)
    assert texts(few, "tiny:sentences") == texts(gathered, "tiny:sentences")
    assert {*texts(few, "tiny:documents")} < {*texts(gathered, "tiny:documents")}
    kept = [
        (tally["kept"], tally["over_limit"])
        for tally in (few.tallies["tiny:documents"], none.tallies["tiny:documents"])
    ]
    whole = gathered.tallies["tiny:documents"]["kept"]
    assert kept == [(3, whole - 3), (0, whole)]
    assert none.tallies["tiny:titles"]["kept"] == 5


def test_the_same_sources_give_the_same_file_and_identity(tiny_sources: Sources, tmp_path: Path) -> None:
    one, other = (gather(tiny_sources, tmp_path / f"{name}.parquet") for name in ("a", "b"))
    assert one.path.read_bytes() == other.path.read_bytes()
    assert one.identity == other.identity
    assert gather(Sources(tiny_sources.datasets, titles=False), tmp_path / "c.parquet").identity != one.identity


@pytest.mark.parametrize("count", [1, 7, 100, 5000])
def test_a_sample_is_spread_evenly(lines: Callable[..., Sources], tmp_path: Path, count: int) -> None:
    found = gather(lines(1000), tmp_path / "a.parquet").sample(count)
    numbers = [int(text.split()[-1]) for text in found["text"].to_pylist()]
    assert len(numbers) == min(count, 1000)
    steps = {after - before for before, after in pairwise(numbers)}
    assert numbers[0] == 0
    assert not steps or max(steps) - min(steps) <= 1


def test_nothing_to_embed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"'empty': 2"):
        gather(Sources(files=[TextFile(tmp_path / "a.txt", "query")]), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="collections or files"):
        Sources()


def test_a_split_that_no_collection_has_is_an_error_unless_it_is_the_default(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    with pytest.raises(DataError, match="dev, test, train"):
        Sources([dataset], query_split="training")
    (tiny_beir / "qrels" / "train.tsv").unlink()
    found = gather(Sources([data.load(tiny_beir)]), tmp_path / "a.parquet")
    assert "tiny:queries" not in found.tallies
