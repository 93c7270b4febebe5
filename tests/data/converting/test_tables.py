"""Tables as documents: dialects, encodings, columns by name, and rows that are none."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill.data.converting import kinds
from rankdistill.errors import ConfigError, DataError
from tests.data.converting.conftest import Convert, corpus, told

ROWS = [
    ["sku", "name", "description", "price"],
    ["A-1", "Red chair", 'A chair, red; with "four" legs', "12.5"],
    ["007", "Größe | Maß", "Two\nlines\tand a tab, naïve", "3"],
    ["x 9", "", "Only a text; nothing else", ""],
    ["b", "Ein Tisch", "Über dem Fluß, größer", "4"],
]


def written(delimiter: str, terminator: str, quoting: int) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=terminator, quoting=quoting).writerows(ROWS)
    return stream.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("terminator", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_dialect_and_encoding_are_found(
    tmp_path: Path, convert: Convert, delimiter: str, terminator: str, encoding: str, quoting: int
) -> None:
    path = tmp_path / "docs.csv"
    path.write_bytes(written(delimiter, terminator, quoting).encode(encoding))
    dataset = convert(path, id="sku", text="description")
    assert [list(one.values()) for one in corpus(dataset)] == [row[:3] for row in ROWS[1:]]
    assert told(dataset)["encodings"] == {encoding: 1}


def test_quotes_that_mean_nothing_and_those_with_a_backslash(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "a.tsv").write_text('id\ttext\n1\ta 5" pipe\n2\t"so" he said\n')
    assert [one["text"] for one in corpus(convert(tmp_path / "a.tsv"))] == ['a 5" pipe', '"so" he said']
    (tmp_path / "b.csv").write_text('id,text\n1,"a \\"red\\" chair, new"\n2,"another, one"\n')
    assert [one["text"] for one in corpus(convert(tmp_path / "b.csv", "b"))] == ['a "red" chair, new', "another, one"]
    (tmp_path / "c.csv").write_text('sep=;\nid;text\n1;"a;b"\n')
    assert corpus(convert(tmp_path / "c.csv", "c"))[0]["text"] == "a;b"
    (tmp_path / "d.csv").write_text("id, text\n1, red\n2, blue\n")
    assert [one["text"] for one in corpus(convert(tmp_path / "d.csv", "d"))] == ["red", "blue"]


def test_a_table_of_one_column_needs_ids_or_numbers(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "a.csv").write_text("text\na chair, red\nb; c | d\n")
    with pytest.raises(ConfigError, match=r"--id COLUMN; --number-rows"):
        convert(tmp_path / "a.csv")
    dataset = convert(tmp_path / "a.csv", number_rows=True)
    assert corpus(dataset) == [
        {"_id": "1", "title": "", "text": "a chair, red"},
        {"_id": "2", "title": "", "text": "b; c | d"},
    ]


def table(path: Path, form: str, rows: list[dict[str, Any]]) -> Path:
    """These rows in a file of this kind."""
    if form == "jsonl":
        path = path / "a.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "jsonl.gz":
        path = path / "a.jsonl.gz"
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0))
    elif form == "parquet":
        path = path / "a.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "csv":
        path = path / "a.csv"
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    else:
        import datasets

        path = path / "saved"
        found = datasets.Dataset.from_list(rows)
        if form == "shuffled":
            found = found.select(range(len(rows) - 1, -1, -1))
        (datasets.DatasetDict({"train": found}) if form == "splits" else found).save_to_disk(path)
    return path


@pytest.mark.parametrize("form", ["csv", "jsonl", "jsonl.gz", "parquet", "datasets", "splits", "shuffled"])
def test_every_form_gives_the_same_documents(tmp_path: Path, convert: Convert, form: str) -> None:
    rows = [{"article_id": 7 + one, "Title": f"T{one}", "body": f"text {one}", "n": one} for one in range(5)]
    place = table(tmp_path, form, rows)
    dataset = convert(place, keep="n")
    expected = [
        {"_id": str(7 + one), "title": f"T{one}", "text": f"text {one}", "metadata": {"n": one}} for one in range(5)
    ]
    if form == "csv":
        expected = [one | {"metadata": {"n": str(one["metadata"]["n"])}} for one in expected]  # type: ignore[index]
    assert sorted(corpus(dataset), key=lambda one: one["_id"].zfill(3)) == expected
    assert corpus(dataset)[0]["_id"] == ("11" if form == "shuffled" else "7")
    assert told(dataset)["columns"] == {"id": "article_id", "title": "Title", "text": "body"}
    assert "id = 'article_id', title = 'Title', text = 'body'" in told(dataset)["notes"][0]
    assert told(dataset)["from"] == form.split(".")[0].replace("splits", "datasets").replace("shuffled", "datasets")


def test_several_files_of_one_kind_are_one_table(tmp_path: Path, convert: Convert) -> None:
    for number in (2, 1):
        (tmp_path / "in" / "x").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"{number}.csv").write_text(f"id,text\n{number},t{number}\n")
    (tmp_path / "in" / "3.csv").write_text("text;id\nt3;3\n", encoding="utf-16")
    assert convert(tmp_path / "in").doc_ids == ["1", "2", "3"]
    (tmp_path / "in" / "4.csv").write_text("id,other\n4,t4\n")
    with pytest.raises(DataError, match=r"'text' in .*4\.csv"):
        convert(tmp_path / "in", "b")


COLUMNS = [
    ("sku,description,price", {"id": "sku", "title": None, "text": "description"}),
    ("id,sku,title,name,text,content_id", {"id": "id", "title": "title", "text": "text"}),
    ("Document ID,Text", {"id": "Document ID", "title": None, "text": "Text"}),
    ("url,anything", {"id": "url", "title": None, "text": "anything"}),
    ("product_id,name,body", {"id": "product_id", "title": "name", "text": "body"}),
]


@pytest.mark.parametrize(("header", "found"), COLUMNS)
def test_columns_are_known_by_their_names(
    tmp_path: Path, convert: Convert, header: str, found: dict[str, str | None]
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n" + ",".join(["x"] * (header.count(",") + 1)) + "\n")
    assert told(convert(tmp_path / "a.csv"))["columns"] == found


@pytest.mark.parametrize(
    ("header", "settings", "said"),
    [
        ("id,doc_id,text", {}, r"'id', 'doc_id' would all do; the columns are 'id', 'doc_id', 'text'"),
        ("id,text,body", {}, r"the documents' text\ngot: 'text', 'body' would all do"),
        ("id,price,weight", {}, r"the documents' text\ngot: none that is known by its name.*\n.*\n.*--text COLUMN"),
        ("id,text", {"text": "body"}, r"a column 'body' in .*\(--text\)\ngot: none; the columns are 'id', 'text'"),
        ("id,text,text", {"text": "text"}, "got: several"),
        ("id,text", {"id": "id", "number_rows": True}, "--number-rows"),
        ("id,text,x", {"keep": ["y"]}, "got: 'y'; the columns"),
        ("id,content,text", {"text": "content", "keep": ["text"]}, "not called _id, title, text or metadata"),
    ],
)
def test_what_cannot_be_known_lists_the_columns(
    tmp_path: Path, convert: Convert, header: str, settings: dict[str, Any], said: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n" + ",".join(["x"] * (header.count(",") + 1)) + "\n")
    with pytest.raises(ConfigError, match=said):
        convert(tmp_path / "a.csv", **settings)
    assert not (tmp_path / "out" / "corpus.jsonl").exists()


def test_parquet_without_a_column_of_texts(tmp_path: Path, convert: Convert) -> None:
    pq.write_table(pa.table({"id": [1, 2], "x": [0.5, 1.5], "v": [[1.0], [2.0]]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"a column of texts .*\n.*'x' \(double\), 'v' \(list<element: double>\)"):
        convert(tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"\(--text\)\ngot: 'x' \(double\)"):
        convert(tmp_path / "a.parquet", text="x")


BAD = {
    "a.csv": (
        'id,text\n1,one\n2\n3,three,3\n4,"not ended\n',
        ["a.csv:3: 1 column, not the 2", "a.csv:4: 3 columns, not the 2", "a.csv:5: unexpected end of data"],
    ),
    "b.csv": (
        "id,text\n1,one\n ,two\n1,again\n5,\n6, x \n",
        ["b.csv:3: an empty id 'id'", "b.csv:4: duplicate id '1', first in b.csv:2", "b.csv:5: empty 'text'"],
    ),
    "c.jsonl": (
        '{"id": 1, "text": "one"}\n{"id": 2, "text": \n[3]\n{"id": 4}\n{"id": 5, "text": 5}\n'
        '{"id": true, "text": "x"}\n'
        '{"id": 7, "text": "seven"}\n',
        [
            "c.jsonl:2: broken JSON",
            "c.jsonl:3: a JSON list, not an object",
            "c.jsonl:4: missing 'text'",
            "c.jsonl:5: 'text' is 5, not a text",
            "c.jsonl:6: the id 'id' True is neither text nor a whole number",
        ],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_stop_it_or_are_counted_and_shown(
    tmp_path: Path, convert: Convert, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    content, reports = BAD[name]
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError) as stopped:
        convert(path)
    dataset = convert(path, "lenient", lenient=True)
    found = told(dataset)
    assert found["left_out"] == len(reports) == len(found["reports"])
    for said, report in zip(found["reports"], reports, strict=True):
        assert said.startswith(report)
        assert report.partition(": ")[2].partition(", first in")[0] in stopped.value.got
        assert report in caplog.text
    assert not dataset.reports
    assert found["documents"] == len(dataset.doc_ids) == 2 - (name == "a.csv")


def test_a_broken_byte_spoils_its_row_alone(tmp_path: Path, convert: Convert) -> None:
    rows = [f"{number},größer naïve".encode() for number in range(20)]
    rows[7] = b"7,gr\xff\xfe"
    (tmp_path / "a.csv").write_bytes(b"id,text\n" + b"\n".join(rows) + b"\n")
    dataset = convert(tmp_path / "a.csv", lenient=True)
    assert len(dataset.doc_ids) == 19
    assert told(dataset)["reports"] == ["a.csv:9: broken Unicode in 'text': surrogates not allowed"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "an empty file"),
        ("a.csv", b" \r\n\n", "an empty file"),
        ("a.csv", b"sep=;\n", "an empty file"),
        ("a.csv", b"id,text\n", "none that can be used"),
        ("a.jsonl", b"", "no line"),
        ("a.json", b'[{"id": 1, "text": "x"}]', "writes one object a line"),
        ("a.parquet", b"PAR1", "a whole Parquet file"),
        ("a.csv", b"\x00\x01\x02binary", "a binary file"),
        ("a.csv.gz", b"id,text\n1,x\n", "Not a gzipped file"),
        ("a.xlsx", b"PK", "a file of another kind"),
    ],
)
def test_files_that_are_none(tmp_path: Path, convert: Convert, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, ConfigError), match=said):
        convert(tmp_path / name)
    with pytest.raises((DataError, ConfigError)):
        convert(tmp_path / "absent.csv")


def test_of_many_bad_rows_some_are_kept_and_all_are_counted(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,x\n" + "y\n" * 5000)
    with pytest.raises(DataError, match=r"5000 bad rows\n(.*\n)*  and 4990 more"):
        convert(tmp_path / "a.csv")
    found = told(convert(tmp_path / "a.csv", lenient=True))
    assert (found["left_out"], len(found["reports"])) == (5000, 20)


def test_a_quote_that_is_never_closed_names_its_row(tmp_path: Path, convert: Convert) -> None:
    rows = "".join(f"{one},text {one}\n" for one in range(300))
    (tmp_path / "a.csv").write_text(f'id,text\n{rows}x,"never closed\n{rows}')
    with pytest.raises(DataError, match=r"a\.csv:302: .*read up to line 602; is a quote never closed\?"):
        convert(tmp_path / "a.csv")


def test_a_quote_that_is_closed_rows_later_has_swallowed_them(tmp_path: Path, convert: Convert) -> None:
    rows = [f"{one}\ttext {one}" for one in range(300)]
    rows[250], rows[260] = '250\t"Tis a quote', '260\tends with quote"'
    (tmp_path / "a.tsv").write_text("\n".join(["id\ttext", *rows]) + "\n")
    with pytest.raises(DataError, match=r"a\.tsv:252: 11 rows in one, up to line 262: is a quote never closed\?"):
        convert(tmp_path / "a.tsv")
    dataset = convert(tmp_path / "a.tsv", lenient=True)
    assert "11 rows in one" in " ".join(told(dataset)["reports"])
    assert len(corpus(dataset)) == 289


def test_a_text_of_several_lines_with_separators_is_one(tmp_path: Path, convert: Convert) -> None:
    path = tmp_path / "a.csv"
    text = "Dear all, hello\nwe met, and left\nbread, 3\n7 of them, too"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "text"], ["1", "one"], ["2", text], ["3", "two\n4"], ["4", "x"]])
    assert [one["text"] for one in corpus(convert(path))] == ["one", text, "two\n4", "x"]


def test_a_field_of_ten_megabytes(tmp_path: Path, convert: Convert) -> None:
    text = "long text, " * 900_000
    (tmp_path / "a.csv").write_text(f'id,text\n1,"{text}"\n2,short\n')
    dataset = convert(tmp_path / "a.csv")
    assert [len(one.text) for one in dataset.documents()] == [len(text), 5]
    assert "1 of 2 documents have more than 5,000 letters" in " ".join(told(dataset)["notes"])
    assert csv.field_size_limit() < 1 << 20


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w") as stream:
        stream.write("id,text\n")
        stream.writelines(f"{number},{'a long text ' * 400}\n" for number in range(4000))  # 19 MB
    opened = kinds.open_table(path, "csv")
    assert [one.name for one in opened.columns] == ["id", "text"]
    from rankdistill.data.bad_rows import BadRows

    tracemalloc.start()
    for row in itertools.islice(opened.rows(["id", "text"], BadRows()), None):
        del row
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_kept_column_of_csv_may_be_numbers(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "a.csv").write_text("id,text,n,price,a:b\n1,x,7,2.5,p\n2,y,,,q\n3,z,7.5,1,r\n")
    with pytest.raises(DataError, match=r"a\.csv:4: the 'n' '7.5' is no integer"):
        convert(tmp_path / "a.csv", keep=["n:integer"])
    dataset = convert(tmp_path / "a.csv", keep=["n:number", "price:number", "a:b"])
    assert [one["metadata"] for one in corpus(dataset)] == [
        {"n": 7, "price": 2.5, "a:b": "p"},
        {"a:b": "q"},
        {"n": 7.5, "price": 1, "a:b": "r"},
    ]


def test_metadata_are_json(tmp_path: Path, convert: Convert) -> None:
    import datetime

    rows = [{"id": "1", "text": "x", "day": datetime.date(2020, 1, 2), "tags": ["a"], "none": None, "n": float("nan")}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    dataset = convert(tmp_path / "a.parquet", keep="*")
    assert corpus(dataset)[0]["metadata"] == {"day": "2020-01-02", "tags": ["a"]}
    pq.write_table(pa.Table.from_pylist([{"id": "1", "text": "x", "raw": b"\xff"}]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="'raw' is a bytes, which JSON cannot hold"):
        convert(tmp_path / "b.parquet", "b", keep="raw")


@pytest.mark.parametrize("indent", [None, 1], ids=["on one line", "on many"])
@pytest.mark.parametrize("lenient", [False, True])
def test_one_list_is_no_lines_and_the_way_to_them_is_told(
    tmp_path: Path, convert: Convert, indent: int | None, lenient: bool
) -> None:
    rows = [{"id": str(number), "text": f"text {number}"} for number in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=indent))
    with pytest.raises(DataError, match=r"JSON list(.|\n)*jq -c"):
        convert(tmp_path / "a.json", lenient=lenient)


def test_another_name_makes_no_text_of_a_pdf(tmp_path: Path, convert: Convert) -> None:
    for name, remedy in (
        ("a.pdf", "write its text into a file first"),
        ("a.foo", "give it a name that ends as these do"),
    ):
        (tmp_path / name).write_bytes(b"%PDF-1.4")
        with pytest.raises(DataError, match=remedy):
            convert(tmp_path / name)
