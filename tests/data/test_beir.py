"""BEIR folders: what is read, and that each kind of bad row is reported with its file and line."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from rankdistill.data import load
from rankdistill.errors import ConfigError, DataError
from rankdistill.records import Document

HEADER = "query-id\tcorpus-id\tscore\n"


def write(folder: Path, name: str, *rows: object) -> None:
    """Write rows as lines: strings as they are, other values as JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, two queries, one split."""
    root = tmp_path / "small"
    write(
        root,
        "corpus.jsonl",
        {"_id": "d1", "title": "Rivers", "text": "water runs"},
        {"_id": "d2", "text": "no title here"},
        {"_id": "d3", "title": "only a title", "text": ""},
    )
    write(root, "queries.jsonl", {"_id": "q1", "text": "water?"}, {"_id": "q2", "text": "unjudged"})
    write(root, "qrels/test.tsv", HEADER.strip(), "q1\td1\t2", "q1\td2\t0")
    return root


def strict_error(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(folder)
    return str(caught.value)


def test_reads_documents_queries_and_judgements(folder: Path) -> None:
    dataset = load(folder)
    assert list(dataset.documents()) == [
        Document("d1", "Rivers", "water runs"),
        Document("d2", "", "no title here"),
        Document("d3", "only a title", ""),
    ]
    assert dict(dataset.contents) == {"d1": "Rivers water runs", "d2": "no title here", "d3": "only a title"}
    assert dataset.queries("test") == {"q1": "water?"}
    assert dataset.queries() == {"q1": "water?", "q2": "unjudged"}
    assert dataset.qrels("test") == {"q1": {"d1": 2, "d2": 0}}
    assert (dataset.name, dataset.splits, dataset.reports) == ("small", ["test"], [])


def test_changing_returned_judgements_does_not_change_the_dataset(folder: Path) -> None:
    dataset = load(folder)
    dataset.qrels("test")["q1"]["d1"] = 9
    assert dataset.qrels("test")["q1"]["d1"] == 2


def test_gzip_files_read_alike_and_have_the_same_fingerprint(folder: Path) -> None:
    plain = load(folder)
    documents = list(plain.documents())
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    packed = load(folder)
    assert list(packed.documents()) == documents
    assert packed.fingerprint == plain.fingerprint
    assert packed.qrels_hash("test") == plain.qrels_hash("test")


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_fingerprint_follows_the_content(folder: Path, name: str) -> None:
    before = load(folder)
    (folder / name).write_text((folder / name).read_text().replace("water", "wine"))
    after = load(folder)
    assert after.fingerprint != before.fingerprint
    assert after.qrels_hash("test") == before.qrels_hash("test")


def test_qrels_hash_follows_the_judgements_only(folder: Path) -> None:
    before = load(folder)
    write(folder, "qrels/test.tsv", HEADER.strip(), "q1\td1\t1")
    after = load(folder)
    assert after.qrels_hash("test") != before.qrels_hash("test")
    assert after.fingerprint == before.fingerprint


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_no_errors(folder: Path) -> None:
    qrels = folder / "qrels/test.tsv"
    qrels.write_bytes(b"\xef\xbb\xbf" + qrels.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    queries = folder / "queries.jsonl"
    queries.write_bytes(b"\xef\xbb\xbf" + queries.read_bytes() + b"\n")
    assert load(folder).qrels("test") == {"q1": {"d1": 2, "d2": 0}}


def test_a_unicode_line_separator_inside_a_text_ends_no_row(folder: Path) -> None:
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.write(json.dumps({"_id": "d4", "text": "one\u2028two"}, ensure_ascii=False) + "\n")
    assert load(folder).contents["d4"] == "one\u2028two"


@pytest.mark.parametrize(
    ("name", "row", "line", "problem"),
    [
        ("corpus.jsonl", "{broken", 4, "broken JSON"),
        ("corpus.jsonl", "[1]", 4, "a JSON list, not an object"),
        ("corpus.jsonl", {"text": "no id"}, 4, "missing '_id'"),
        ("corpus.jsonl", {"_id": "d9"}, 4, "missing 'text'"),
        ("corpus.jsonl", {"_id": 9.5, "text": "t"}, 4, "the '_id' 9.5 is neither text nor a whole number"),
        ("corpus.jsonl", {"_id": " ", "text": "t"}, 4, "empty '_id'"),
        ("corpus.jsonl", {"_id": "d1", "text": "t"}, 4, "duplicate id 'd1', first in line 1"),
        ("corpus.jsonl", {"_id": "d9", "text": " "}, 4, "empty text (and no title) in document 'd9'"),
        ("corpus.jsonl", {"_id": "d9", "text": "\ud800"}, 4, "broken Unicode"),
        ("queries.jsonl", "{broken", 3, "broken JSON"),
        ("queries.jsonl", {"_id": "q9", "text": ""}, 3, "empty text in query 'q9'"),
        ("queries.jsonl", {"_id": "q1", "text": "t"}, 3, "duplicate id 'q1', first in line 1"),
        ("qrels/test.tsv", "q9\td1\t1", 4, "unknown query 'q9'"),
        ("qrels/test.tsv", "q1\td3\t1.5", 4, "the score '1.5' is no integer"),
        ("qrels/test.tsv", "q1 d3 1", 4, "1 columns, not 3"),
        ("qrels/test.tsv", "q1\td1\t0", 4, "were judged above already"),
    ],
)
def test_a_bad_row_is_an_error_when_strict_and_left_out_when_lenient(
    folder: Path, name: str, row: object, line: int, problem: str
) -> None:
    clean = load(folder)
    with (folder / name).open("a") as stream:
        stream.write((row if isinstance(row, str) else json.dumps(row)) + "\n")
    message = strict_error(folder)
    assert f"{folder / name}:{line}: " in message
    assert problem in message
    dataset = load(folder, "lenient")
    assert len(dataset.reports) == 1
    assert dataset.reports[0].startswith(f"{folder / name}:{line}: ")
    assert problem in dataset.reports[0]
    assert dict(dataset.contents) == dict(clean.contents)
    assert dataset.queries() == clean.queries()
    assert dataset.qrels("test") == clean.qrels("test")


def test_judgements_of_documents_that_the_corpus_lacks_are_kept_and_told(folder: Path) -> None:
    """As trec_eval, beir and mteb count them: such a document is relevant and never found."""
    clean = load(folder)
    assert (clean.dangling("test"), clean.notes("test"), clean.decisive("test")) == (0, [], {})
    with (folder / "qrels/test.tsv").open("a") as stream:
        stream.write("q1\tgone\t2\n")
    for mode in ("strict", "lenient"):
        dataset = load(folder, mode)  # type: ignore[arg-type]
        assert dataset.qrels("test") == {"q1": {"d1": 2, "d2": 0, "gone": 2}}
        assert dataset.reports == []
        assert dataset.dangling("test") == 1
        assert dataset.decisive("test") == {"dangling_judgements": 1}
        assert dataset.notes("test")[0].startswith("1 of 3 judgements of 'test' name documents that the corpus lacks")


def test_broken_utf8_is_reported_with_its_line(folder: Path) -> None:
    with (folder / "corpus.jsonl").open("ab") as stream:
        stream.write(b'{"_id": "d9", "text": "\xff"}\n')
    assert f"{folder / 'corpus.jsonl'}:4: broken JSON: 'utf-8' codec" in strict_error(folder)


def test_one_error_lists_ten_rows_of_all_files_and_the_total(folder: Path) -> None:
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.write("{\n" * 3)
    with (folder / "qrels/test.tsv").open("a") as stream:
        stream.write("q9\td1\t1\n" * 20)
    message = strict_error(folder)
    assert "23 bad rows" in message
    assert "and 13 more" in message
    assert message.count("corpus.jsonl:") == 3
    assert message.count("test.tsv:") == 7


def test_a_headerless_trec_file_is_named_as_such(folder: Path) -> None:
    write(folder, "qrels/test.tsv", "q1 0 d1 1")
    assert "test.tsv:1: the header is ('q1 0 d1 1',)" in strict_error(folder)
    assert "trec-qrels" in strict_error(folder)


def test_empty_qrels_are_an_error_and_leniently_no_split(folder: Path) -> None:
    write(folder, "qrels/dev.tsv", HEADER.strip())
    assert "dev.tsv:1: empty qrels" in strict_error(folder)
    dataset = load(folder, "lenient")
    assert dataset.splits == ["test"]
    assert len(dataset.reports) == 1


def test_an_empty_qrels_file_is_an_error(folder: Path) -> None:
    write(folder, "qrels/dev.tsv")
    assert "dev.tsv:1: empty qrels" in strict_error(folder)


@pytest.mark.parametrize("method", ["queries", "qrels", "qrels_hash"])
def test_an_unknown_split_lists_the_splits_there_are(folder: Path, method: str) -> None:
    with pytest.raises(DataError, match=r"test\ngot: 'train'"):
        getattr(load(folder), method)("train")


def test_without_qrels_there_is_no_split(folder: Path) -> None:
    (folder / "qrels/test.tsv").unlink()
    dataset = load(folder)
    assert dataset.splits == []
    with pytest.raises(DataError, match=r"add qrels/test\.tsv"):
        dataset.queries("test")


def test_missing_folder_corpus_and_queries(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "absent")
    with pytest.raises(DataError, match="a file"):
        load(folder / "corpus.jsonl")
    (folder / "queries.jsonl").unlink()
    with pytest.raises(DataError, match=r"queries\.jsonl or queries\.jsonl\.gz"):
        load(folder)
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(DataError, match=r"corpus\.jsonl or corpus\.jsonl\.gz"):
        load(folder)


@pytest.mark.parametrize(("name", "kind"), [("corpus.jsonl", "document"), ("queries.jsonl", "query")])
def test_a_file_without_a_usable_row_is_an_error_even_when_lenient(folder: Path, name: str, kind: str) -> None:
    write(folder, name, "{broken")
    with pytest.raises(DataError, match=f"a usable {kind}"):
        load(folder, "lenient")


def test_plain_and_gzip_side_by_side_are_refused(folder: Path) -> None:
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    assert "got: both" in strict_error(folder)


def test_gzip_data_cut_short_is_an_error_with_the_line(folder: Path) -> None:
    content = (folder / "corpus.jsonl").read_bytes()
    (folder / "corpus.jsonl").unlink()
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(content)[:-12])
    assert f"{folder / 'corpus.jsonl.gz'}:" in strict_error(folder)
    (folder / "corpus.jsonl.gz").write_bytes(content)
    assert "Not a gzipped file" in strict_error(folder)


def test_an_unknown_mode_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="'strict' or 'lenient'"):
        load(folder, "loose")  # type: ignore[arg-type]


def test_repr_of_a_large_dataset_stays_short(folder: Path) -> None:
    assert "water" not in repr(load(folder))


@pytest.mark.parametrize(
    ("name", "documents", "queries"),
    [
        ("scifact", 5183, {"train": (809, 919), "test": (300, 339)}),
        ("nfcorpus", 3633, {"train": (2590, 110575), "test": (323, 12334)}),
        ("msmarco_mini", 42522, {"train": (11492, 12150), "dev": (500, 527), "dl19": (43, 4337)}),
    ],
)
def test_real_folders_have_their_published_counts(
    real_data: Path, name: str, documents: int, queries: dict[str, tuple[int, int]]
) -> None:
    dataset = load(real_data / name)
    assert len(dataset.doc_ids) == documents
    for split, counts in queries.items():
        judged = dataset.qrels(split)
        assert (len(dataset.queries(split)), sum(map(len, judged.values()))) == counts


def test_real_empty_documents_are_found_with_their_judgement(real_data: Path) -> None:
    assert [report.split("/")[-1] for report in load(real_data / "cranfield", "lenient").reports] == [
        "corpus.jsonl.gz:471: empty text (and no title) in document '471'",
        "corpus.jsonl.gz:995: empty text (and no title) in document '995'",
    ]
    assert load(real_data / "cranfield", "lenient").dangling("test") == 1


def test_an_id_in_quotes_may_be_judged_where_there_is_one(folder: Path) -> None:
    write(folder, "corpus.jsonl", {"_id": '"d1"', "text": "t"}, {"_id": "d2", "text": "t"})
    write(folder, "qrels/test.tsv", HEADER.strip(), 'q1\t"d1"\t1')
    assert load(folder).qrels("test") == {"q1": {'"d1"': 1}}
    write(folder, "qrels/test.tsv", HEADER.strip(), 'q1\t"d2"\t1')
    assert "stands in quotes" in strict_error(folder)


def test_labels_below_0_count_as_0(folder: Path) -> None:
    write(folder, "qrels/test.tsv", HEADER.strip(), "q1\td1\t1", "q1\td2\t-2")
    assert load(folder).qrels("test") == {"q1": {"d1": 1, "d2": 0}}


def test_a_text_of_null_is_empty(folder: Path) -> None:
    write(folder, "corpus.jsonl", {"_id": "d1", "title": "T", "text": None}, {"_id": "d2", "title": None, "text": "t"})
    assert dict(load(folder).contents) == {"d1": "T", "d2": "t"}
    write(folder, "corpus.jsonl", {"_id": "d1", "title": None, "text": None}, {"_id": "d2", "text": "t"})
    assert "empty text (and no title) in document 'd1'" in strict_error(folder)


def test_documents_alone_and_queries_without_judgements_are_data_sets(folder: Path) -> None:
    judged = load(folder)
    assert (judged.default_split, dict(judged.unjudged)) == ("train", {"q2": "unjudged"})
    shutil.rmtree(folder / "qrels")
    of_log = load(folder)
    assert (of_log.splits, of_log.default_split, list(of_log.unjudged)) == ([], "unjudged", ["q1", "q2"])
    assert of_log.fingerprint == judged.fingerprint
    (folder / "queries.jsonl").unlink()
    alone = load(folder)
    assert (alone.splits, dict(alone.query_texts), len(alone.doc_ids)) == ([], {}, 3)
    assert alone.fingerprint != judged.fingerprint
    with pytest.raises(DataError, match=r"no queries\.jsonl"):
        alone.to_mine("unjudged")


def test_unjudged_queries_are_mined_but_no_split_with_judgements(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.to_mine("unjudged") == {"q2": "unjudged"}
    assert dataset.to_mine("test") == dataset.queries("test")
    for ask in (dataset.queries, dataset.qrels, dataset.qrels_hash, dataset.dangling):
        with pytest.raises(DataError, match="1 queries that no split judges"):
            ask("unjudged")
    with pytest.raises(DataError, match="'unjudged' names the 1 queries"):
        dataset.to_mine("train")


def test_no_split_may_be_called_unjudged(folder: Path) -> None:
    write(folder, "qrels/unjudged.tsv", HEADER.strip(), "q2\td1\t1")
    assert "rename the file" in strict_error(folder)


def test_queries_of_a_split_that_cannot_be_read_are_not_taken_for_unjudged(folder: Path) -> None:
    """Read leniently, its queries would else be mined and trained on, test queries or not."""
    write(folder, "qrels/test.tsv", "q1 0 d1 1")
    dataset = load(folder, "lenient")
    assert (dataset.splits, dataset.default_split, dict(dataset.unjudged)) == ([], "train", {})
    with pytest.raises(DataError, match="which test judges is not known"):
        dataset.to_mine("unjudged")
