"""Every reader on hostile values, held to the tables of docs/readers.md: what the page says is what each one does."""

from __future__ import annotations

import ast
import gzip
import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import rankdistill
from rankdistill import files, manifest, plain_yaml, sessions
from rankdistill.data import from_hub, from_ir_datasets, from_mteb, load, meta, score_tables, sources, trec
from rankdistill.data.writer import ARTEFACT, Collection, write_beir, write_qrels
from rankdistill.errors import RankdistillError
from rankdistill.evaluation import run_files
from rankdistill.formats import anserini, conversations, published_conversations, registry
from rankdistill.formats.identity import TextIds
from rankdistill.formats.importing import Request, import_candidates
from rankdistill.formats.source import Rejects, Source
from rankdistill.sessions import stored_rewrites
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.students import word_list
from rankdistill.verbs import data as collections

PACKAGE = Path(rankdistill.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "readers.md").read_text(encoding="utf-8")

FORMS = ("white space", "tabs", "JSON", "CSV", "values")
ABSENT = "–"


class _Nothing:
    """A value that the form cannot hold."""


NOTHING = _Nothing()


class Literal(NamedTuple):
    """How one value is written in each form; NOTHING where it cannot be."""

    words: Any
    tabs: Any
    json: Any
    values: Any

    @property
    def csv(self) -> Any:
        """As a spreadsheet writes it: in quotes where it holds what separates."""
        if self.tabs is NOTHING or not re.search('[,"\r\n]', self.tabs):
            return self.tabs
        doubled = self.tabs.replace('"', '""')
        return f'"{doubled}"'

    def written(self, form: str) -> Any:
        """In one of `FORMS`."""
        return dict(zip(FORMS, (self.words, self.tabs, self.json, self.csv, self.values), strict=True))[form]


def same(text: str) -> Literal:
    """A text in every form."""
    return Literal(text, text, json.dumps(text), text)


def raw(text: str, value: Any) -> Literal:
    """A value that JSON writes without quotes."""
    return Literal(text, text, text, value)


def no_words(text: str) -> Literal:
    """A text that columns between white space would not hold, because they would be others."""
    return same(text)._replace(words=NOTHING)


LITERALS = {
    "id: `007`": same("007"),
    "id: `1_000`": same("1_000"),
    "id: the number 7": raw("7", 7),
    "id: a number of 23 digits": raw("12345678901234567890123", NOTHING),
    "id: the number 7.0": raw("7.0", 7.0),
    "id: true": raw("true", True),
    "id: null": Literal(NOTHING, NOTHING, "null", None),
    "id: a list": Literal(NOTHING, NOTHING, '["d1"]', ["d1"]),
    "id: empty": same(""),
    "id: blanks only": same("  "),
    "id: blanks at its ends": no_words(" d1 "),
    "id: a space inside": same("d 1"),
    "id: a no-break space inside": same("d\N{NO-BREAK SPACE}1"),
    "id: a tab inside": same("d\t1"),
    "id: a line end inside": same("d\n1"),
    "id: a carriage return inside": same("d\r1"),
    "id: U+0085 or U+2028 inside": same("d\u2028\x851"),
    "id: a zero byte inside": same("d\x001"),
    "id: a byte order mark inside": same("d\ufeff1"),
    "id: half a surrogate pair": Literal("d\ud8001", "d\ud8001", json.dumps("d\ud8001"), NOTHING),
    "id: in quotes": same('"d1"'),
    "score: `1e3`": raw("1e3", 1e3),
    "score: `+5`": same("+5"),
    "score: `.5`": same(".5"),
    "score: blanks around it": no_words(" 5 "),
    "score: `5_5`": same("5_5"),
    "score: `0x10`": same("0x10"),
    "score: `1,5`": same("1,5"),
    "score: full-width digits": same("\uff15"),
    "score: `nan`": Literal("nan", "nan", "NaN", float("nan")),
    "score: `inf`": Literal("-inf", "inf", "Infinity", float("inf")),
    "score: `1e999`": raw("1e999", float("inf")),
    "score: true": raw("true", True),
    "score: empty": same(""),
    "label: `1.0`": raw("1.0", 1.0),
    "label: `+1`": same("+1"),
    "label: blanks around it": no_words(" 1 "),
    "label: `0.9`": raw("0.9", 0.9),
    "label: `1e0`": same("1e0"),
    "label: `5_5`": same("5_5"),
    "label: full-width digits": same("\uff11"),
    "label: `-2`": raw("-2", -2),
    "label: `32767`": raw("32767", 32767),
    "label: `32768`": raw("32768", 32768),
    "label: a billion": raw("1000000000", 10**9),
    "label: 5000 digits": raw("9" * 5000, 10**50),
    "label: `nan`": raw("nan", float("nan")),
    "label: true": raw("true", True),
    "label: null": Literal(NOTHING, NOTHING, "null", None),
    "label: empty": same(""),
}


# What the page says


def table(*heads: str) -> list[list[str]]:
    """The rows of the page's table whose head has these columns."""
    lines = PAGE.splitlines()
    start = lines.index(f"| {' | '.join(heads)} |") + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


EXPECTED = {row[0]: dict(zip(FORMS, row[1:], strict=True)) for row in table("value", *FORMS)}

VALUE_ROWS = [name for name in EXPECTED if not name.startswith("file: ")]
FILE_ROWS = [name for name in EXPECTED if name.startswith("file: ")]


# The readers


@dataclass(frozen=True)
class Reader:
    """How one reader is given a value in each slot that it has, and what it then finds there.

    Args:
        form: one of `FORMS`.
        name: of its file.
        row: a good row with `{id}`, `{score}` and `{label}` for the values.
        found: slot -> value, from the file's path.
        head: before the rows.
        slots: what can be varied.
    """

    form: str
    name: str
    row: str
    read: Callable[[Path], dict[str, Any]]
    head: str = ""
    slots: tuple[str, ...] = ("id", "score")
    twice: bool = True

    def content(self, **values: str) -> str:
        """The file with these values in their slots."""
        default = {"id": "d1", "score": "5.0", "label": "1"}
        if self.form == "JSON":
            default = {"id": '"d1"', "score": "5.0", "label": "1"}
        row = self.row
        for slot, value in (default | values).items():
            row = row.replace("{" + slot + "}", value)
        return self.head + row


def of_format(name: str, path: Path) -> dict[str, Any]:
    """The last document that an import format finds."""
    source = Source(path, TextIds(None), Rejects("strict", "rows"), allow_pickle=True)
    form = registry.named(name)
    rows = [row for part in form.parts(source) for row in form.read(Source(part, source.ids, source.rejects, True))]
    source.rejects.finish()
    if len({row[1:3] for row in rows}) < max(1, len(rows)):  # none, or a pair again: for the import to judge
        import_candidates(Request(name, [path], "T", allow_pickle=True), path.parent / "candidates")
    value = rows[-1].value
    return {"id": rows[-1].doc_id, "score": value, "label": rows[-1].label}


def format_reader(form: str, name: str, file: str, row: str, **more: Any) -> Reader:
    return Reader(form, file, row, lambda path: of_format(name, path), **more)


def of_run(path: Path) -> dict[str, Any]:
    run, _ = trec.read_run(path)
    ((doc_id, score),) = run["q1"].items()
    return {"id": doc_id, "score": score}


def folder_with(path: Path, qrels: Callable[[Path], object], doc_id: str) -> dict[str, Any]:
    """What a BEIR folder with these qrels says of its one judgement."""
    folder = path.parent / f"{path.name}-folder"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": doc_id, "text": "t"}) + "\n")
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "t"}\n')
    qrels(folder / "qrels" / "test.tsv")
    ((found, label),) = load(folder).qrels("test")["q1"].items()
    return {"id": found, "label": label, "folder": folder}


def of_converted_qrels(path: Path) -> dict[str, Any]:
    judged, _ = trec.read_qrels(path)
    ((doc_id, _),) = judged["q1"].items()
    return folder_with(path, lambda out: write_qrels(out, judged), doc_id)


def _named_in(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace").splitlines()[1].split("\t")[1]


def of_folder_qrels(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return folder_with(path, lambda out: out.with_name("test.tsv.gz").write_bytes(data), "d1")
    lines = data.decode("utf-8-sig", "replace").split("\n")
    columns = lines[1].split("\t") if len(lines) > 1 else []
    return folder_with(path, lambda out: out.write_bytes(data), columns[1].strip('"') if len(columns) == 3 else "d1")


def of_folder_format(path: Path) -> dict[str, Any]:
    found = of_folder_qrels(path)
    return of_format("beir", found["folder"])


def of_table(path: Path) -> dict[str, Any]:
    row = score_tables.read(path).row(-1)
    return {"id": row[1], "score": row[2]}


def of_texts(kind: str) -> Callable[[Path], dict[str, Any]]:
    """The id in a corpus or in queries."""

    def read(path: Path) -> dict[str, Any]:
        folder = path.parent / f"{path.name}-folder"
        folder.mkdir()
        suffix = ".gz" if path.suffix == ".gz" else ""
        for name in ("corpus", "queries"):
            plain = b'{"_id": "x", "text": "t"}\n'
            held = path.read_bytes() if name == kind else gzip.compress(plain) if suffix else plain
            (folder / f"{name}.jsonl{suffix}").write_bytes(held)
        dataset = load(folder)
        return {"id": (dataset.doc_ids if kind == "corpus" else list(dataset.queries()))[-1]}

    return read


def of_conversion(role: str) -> Callable[[Path], dict[str, Any]]:
    """What `data convert` makes of a file: the last document, the last query, or a judgement."""

    def read(path: Path) -> dict[str, Any]:
        known, queries = path.with_name("known.csv"), path.with_name("known-queries.csv")
        known.write_text('id,text\nknown,t\n"""d1""",t\n')
        queries.write_text("id,text\nq0,s\nq1,t\n")
        out = path.with_name(f"{path.name}-folder")
        if role == "documents":
            return {"id": collections.convert(path, out).doc_ids[-1]}
        if role == "queries":
            return {"id": list(collections.convert(known, out, queries=path).queries())[-1]}
        ((doc_id, label),) = (
            collections.convert(known, out, queries=queries, qrels=[f"test={path}"]).qrels("test")["q1"].items()
        )
        return {"id": doc_id, "label": label}

    return read


def of_rewrites(path: Path) -> dict[str, Any]:
    rewrites, _ = stored_rewrites.read(path)
    return {"id": list(rewrites)[-1]}


def of_sessions(path: Path) -> dict[str, Any]:
    session = sessions.read(path).sessions[-1]
    (turn,) = session.turns
    assert turn.turn_id == session.session_id
    return {"id": session.session_id}


def of_turns(path: Path) -> dict[str, Any]:
    turns, _ = conversations.read(path)
    return {"id": turns[-1].turn_id}


def of_layout(layout: str) -> Callable[[Path], dict[str, Any]]:
    """The id of a turn without its number."""

    def read(path: Path) -> dict[str, Any]:
        turns, _ = published_conversations.read(path, layout)
        return {"id": turns[-1].turn_id.removesuffix("_1")}

    return read


def of_vectors(path: Path) -> dict[str, Any]:
    folder = path.parent / f"{path.name}-vectors"
    anserini.write(folder, [])
    name = anserini.FILE_NAME
    if path.suffix == ".gz":
        pytest.skip("its own files are never compressed")
    (folder / anserini.VECTORS / name).write_bytes(path.read_bytes())
    made = manifest.expect(folder, anserini.ARTEFACT, "export")
    replace(made, outputs=dict.fromkeys(made.outputs, files.hash_file(path))).write(folder)
    return {"id": list(anserini.read(folder))[-1].doc_id}


QRELS_HEAD = "query-id\tcorpus-id\tscore\n"
ST_ROW = '{"query": "q", "positive": "a", "negative": "b", "label": [1.0, {score}]}\n'

READERS = {
    "trec.read_run": Reader("white space", "a.run", "q1 Q0 {id} 1 {score} tag\n", of_run),
    "trec.read_qrels": Reader("white space", "a.txt", "q1 0 {id} {label}\n", of_converted_qrels, slots=("id", "label")),
    "trec-run": format_reader("white space", "trec-run", "a.run", "q1 Q0 {id} 1 {score} tag\n"),
    "rank-distillm": format_reader("white space", "rank-distillm", "a.run", "q1 Q0 {id} 1 {score} tag\n"),
    "run-tsv": format_reader("white space", "run-tsv", "a.tsv", "q1 {id} 1 {score}\n"),
    "trec-qrels": format_reader("white space", "trec-qrels", "a.tsv", "q1 0 {id} {label}\n", slots=("id", "label")),
    "score table of 6": Reader(
        "white space", "a.txt", "q1 Q0 {id} 1 {score} tag\n", of_table, head="q0 Q0 x 1 9.0 tag\n"
    ),
    "score table of 4": Reader("white space", "a.txt", "q1 {id} 1 {score}\n", of_table, head="q0 x 1 9.0\n"),
    "score table of 3": Reader("white space", "a.txt", "q1 {id} {score}\n", of_table, head="q0 x 9.0\n"),
    "qrels of a folder": Reader(
        "tabs", "a.tsv", "q1\t{id}\t{label}\n", of_folder_qrels, head=QRELS_HEAD, slots=("id", "label")
    ),
    "beir": Reader("tabs", "a.tsv", "q1\t{id}\t{label}\n", of_folder_format, head=QRELS_HEAD, slots=("id", "label")),
    "hofstatter": format_reader("tabs", "hofstatter", "a.tsv", "9.0\t{score}\tq1\tp1\t{id}\n"),
    "gpl": format_reader("tabs", "gpl", "a.tsv", "q1\tp1\t{id}\t{score}\n"),
    "corpus": Reader("JSON", "a.jsonl", '{"_id": {id}, "text": "t"}\n', of_texts("corpus"), slots=("id",)),
    "queries": Reader("JSON", "a.jsonl", '{"_id": {id}, "text": "t"}\n', of_texts("queries"), slots=("id",)),
    "msmarco-hard-negatives": format_reader(
        "JSON",
        "msmarco-hard-negatives",
        "a.jsonl",
        '{"qid": 1, "pos": [], "neg": {"s": [{"pid": {id}, "ce-score": {score}}]}}\n',
    ),
    "colbert": format_reader("JSON", "colbert", "a.jsonl", '["q1", [{id}, {score}]]\n'),
    "colbert, flat": format_reader("JSON", "colbert", "a.jsonl", '["q1", "p", 9.0, {id}, {score}]\n'),
    "disco": format_reader("JSON", "disco", "a.jsonl", '{"q1": {{id}: {score}}}\n'),
    "disco of many lines": format_reader("JSON", "disco", "a.json", '{\n"q1": {{id}: {score}}\n}\n', twice=False),
    "lighton": format_reader(
        "JSON", "lighton", "a.jsonl", '{"query_id": "q1", "document_ids": [{id}], "scores": [{score}]}\n'
    ),
    "sentence-transformers/msmarco": format_reader(
        "JSON",
        "sentence-transformers/msmarco",
        "a.jsonl",
        '{"query_id": "q1", "passage_id": {id}, "score": {score}}\n',
    ),
    "tevatron": format_reader(
        "JSON",
        "tevatron",
        "a.jsonl",
        '{"query_id": "q1", "query": "q", "positive_passages": [], "negative_passages":'
        ' [{"docid": {id}, "title": null, "text": "t", "score": {score}}]}\n',
    ),
    "sentence-transformers": format_reader("JSON", "sentence-transformers", "a.jsonl", ST_ROW, slots=("score",)),
    "flagembedding": format_reader(
        "JSON",
        "flagembedding",
        "a.jsonl",
        '{"query": "q", "pos": [], "neg": ["b"], "pos_scores": [], "neg_scores": [{score}]}\n',
        slots=("score",),
    ),
    "opensearch": format_reader(
        "JSON", "opensearch", "a.jsonl", '{"query": "q", "docs": ["a"], "scores": [{score}]}\n', slots=("score",)
    ),
    "converted documents": Reader(
        "JSON", "a.jsonl", '{"id": {id}, "text": "t"}\n', of_conversion("documents"), slots=("id",)
    ),
    "converted queries": Reader(
        "JSON", "a.jsonl", '{"_id": {id}, "text": "t"}\n', of_conversion("queries"), slots=("id",)
    ),
    "converted qrels": Reader(
        "white space",
        "a.txt",
        "q1 0 {id} {label}\n",
        of_conversion("qrels"),
        head="q0 0 known 1\n",
        slots=("id", "label"),
    ),
    "converted CSV": Reader("CSV", "a.csv", "{id},t\n", of_conversion("documents"), head="id,text\n", slots=("id",)),
    "converted CSV of queries": Reader(
        "CSV", "a.csv", "{id},t\n", of_conversion("queries"), head="qid,text\n", slots=("id",), twice=False
    ),
    "converted CSV of qrels": Reader(
        "CSV",
        "a.csv",
        "q1,{id},{label}\n",
        of_conversion("qrels"),
        head="query-id,corpus-id,score\nq0,known,1\n",
        slots=("id", "label"),
    ),
    "stored rewrites": Reader(
        "JSON", "a.jsonl", '{"_id": {id}, "text": "t"}\n', of_rewrites, slots=("id",), twice=False
    ),
    "stored rewrites with tabs": Reader("tabs", "a.tsv", "{id}\tt\n", of_rewrites, slots=("id",), twice=False),
    "sessions": Reader(
        "JSON",
        "a.jsonl",
        '{"session_id": {id}, "turns": [{"role": "user", "text": "t", "turn_id": {id}}]}\n',
        of_sessions,
        slots=("id",),
    ),
    "conversations": Reader("JSON", "a.jsonl", '{"_id": {id}, "text": "t"}\n', of_turns, slots=("id",)),
    "anserini": Reader("JSON", "a.jsonl", '{"id": {id}, "vector": {"t": 3}}\n', of_vectors, slots=("id",), twice=False),
} | {
    layout: Reader("JSON", "a.jsonl", row, of_layout(layout), slots=("id",))
    for layout, row in {
        "qrecc": '{"Conversation_no": {id}, "Turn_no": 1, "Question": "t", "Context": []}\n',
        "canard": '{"QuAC_dialog_id": {id}, "Question_no": 1, "Question": "t", "History": ["a", "b"]}\n',
        "topiocqa": '{"Conversation_no": {id}, "Turn_no": 1, "Question": "t", "Answer": "a"}\n',
        "cast": '{"number": {id}, "turn": [{"number": 1, "raw_utterance": "t"}]}\n',
        "ikat": '{"number": {id}, "turns": [{"turn_id": 1, "utterance": "t"}]}\n',
        "mtrag": '{"task_id": {id}, "input": [{"speaker": "user", "text": "t"}]}\n',
    }.items()
}


class Typed(NamedTuple):
    """A reader of values with types: its slots, and what it finds for given values of them."""

    slots: tuple[str, ...]
    read: Callable[..., dict[str, Any]]


def parquet(name: str, record: Callable[[Any, Any], dict[str, Any]]) -> Typed:
    """An import format from Parquet."""

    def read(folder: Path, id: Any = "d1", score: Any = 5.0) -> dict[str, Any]:
        pq.write_table(pa.Table.from_pylist([record(id, score)]), folder / "a.parquet")
        return of_format(name, folder / "a.parquet")

    return Typed(("id", "score"), read)


def table_of_parquet(folder: Path, id: Any = "d1", score: Any = 5.0) -> dict[str, Any]:
    row = {"query_id": "q1", "doc_id": id, "score": score}
    pq.write_table(pa.Table.from_pylist([row]), folder / "a.parquet")
    return of_table(folder / "a.parquet")


def run_of_parquet(folder: Path, id: Any = "d1", score: Any = 5.0) -> dict[str, Any]:
    row = {"query_id": "q1", "doc_id": id, "rank": 1, "score": score}
    pq.write_table(pa.Table.from_pylist([row]), folder / "run.parquet")
    ((found, value),) = run_files.read(folder / "run.parquet")["q1"].items()
    return {"id": found, "score": value}


def pickled(folder: Path, id: Any = "d1", score: Any = 5.0) -> dict[str, Any]:
    if isinstance(id, list):
        pytest.skip("a list is no key of a mapping")
    (folder / "a.pkl").write_bytes(pickle.dumps({"q1": {id: score}}))
    return of_format("ce-scores", folder / "a.pkl")


def written(folder: Path, collection: Collection) -> dict[str, Any]:
    """What the folder that `data fetch` writes says of its one judgement."""
    write_beir(folder / "fetched", lambda: collection, manifest.Manifest(ARTEFACT))
    ((doc_id, label),) = load(folder / "fetched").qrels("test")["q1"].items()
    return {"id": doc_id, "label": label}


def hub(folder: Path, id: Any = "d1", label: Any = 1) -> dict[str, Any]:
    corpus, queries = [{"_id": id, "title": None, "text": "t"}], [{"_id": "q1", "text": "t"}]
    qrels = [{"query-id": "q1", "corpus-id": id, "score": label}]
    return written(folder, from_hub.convert(from_hub.Tables({"c": corpus}, {"q": queries}, {"test": qrels})))


def mteb(folder: Path, id: Any = "d1", label: Any = 1) -> dict[str, Any]:
    split = {
        "corpus": [{"id": id, "text": "t"}],
        "queries": [{"id": "q1", "text": "t"}],
        "relevant_docs": {"q1": {str(id) if isinstance(id, list) else id: label}},
    }
    return written(folder, from_mteb.convert({"default": {"test": split}}))


def catalogue(folder: Path, id: Any = "d1", label: Any = 1) -> dict[str, Any]:
    class Row(NamedTuple):
        doc_id: Any
        title: str | None
        text: str

    dataset = SimpleNamespace(
        docs_iter=lambda: [Row(id, None, "t")],
        queries_iter=lambda: [SimpleNamespace(query_id="q1", default_text=lambda: "t")],
        qrels_iter=lambda: [SimpleNamespace(query_id="q1", doc_id=id, relevance=label)],
    )
    return written(folder, from_ir_datasets.convert({"test": dataset}))


def converted_parquet(folder: Path, id: Any = "d1") -> dict[str, Any]:
    pq.write_table(pa.Table.from_pylist([{"id": id, "text": "t"}]), folder / "a.parquet")
    return of_conversion("documents")(folder / "a.parquet")


TYPED = {
    "converted": Typed(("id",), converted_parquet),
    "rank-distillm": parquet("rank-distillm", lambda id, score: {"query_id": "q1", "doc_id": id, "score": score}),
    "sentence-transformers/msmarco": parquet(
        "sentence-transformers/msmarco", lambda id, score: {"query_id": "q1", "passage_id": id, "score": score}
    ),
    "lighton": parquet("lighton", lambda id, score: {"query_id": "q1", "document_ids": [id], "scores": [score]}),
    "tevatron": parquet(
        "tevatron",
        lambda id, score: {
            "query_id": "q1",
            "query": "q",
            "positive_passages": [],
            "negative_passages": [{"docid": id, "title": None, "text": "t", "score": score}],
        },
    ),
    "score table": Typed(("id", "score"), table_of_parquet),
    "run": Typed(("id", "score"), run_of_parquet),
    "ce-scores": Typed(("id", "score"), pickled),
    "hf": Typed(("id", "label"), hub),
    "mteb": Typed(("id", "label"), mteb),
    "ir_datasets": Typed(("id", "label"), catalogue),
}


# Values


def value_cases() -> Iterator[Any]:
    for row in VALUE_ROWS:
        slot = row.partition(":")[0]
        for name, reader in READERS.items():
            if slot in reader.slots and EXPECTED[row][reader.form] != ABSENT:
                yield pytest.param(row, name, id=f"{row} {name}")


@pytest.mark.parametrize(("row", "name"), list(value_cases()))
def test_a_value_in_a_file_is_what_the_page_says(row: str, name: str, tmp_path: Path) -> None:
    reader, slot = READERS[name], row.partition(":")[0]
    literal = LITERALS[row].written(reader.form)
    if name.startswith("disco") and slot == "id" and not literal.startswith('"'):
        pytest.skip("every key of an object is a text")
    path = tmp_path / reader.name
    path.write_bytes(reader.content(**{slot: literal}).encode("utf-8", "surrogatepass"))
    check(EXPECTED[row][reader.form], slot, lambda: reader.read(path))


def typed_cases() -> Iterator[Any]:
    for row in VALUE_ROWS:
        for name, reader in TYPED.items():
            if row.partition(":")[0] in reader.slots and EXPECTED[row]["values"] != ABSENT:
                yield pytest.param(row, name, id=f"{row} {name}")


NUMBERS_ONLY = ("`+5`", "`.5`", "blanks around it")


@pytest.mark.parametrize(("row", "name"), list(typed_cases()))
def test_a_value_with_a_type_is_what_the_page_says(row: str, name: str, tmp_path: Path) -> None:
    slot, _, what = row.partition(": ")
    expected = EXPECTED[row]["values"]
    if name in ("score table", "run") and slot == "score" and what in NUMBERS_ONLY:
        expected = "error"  # a column of texts, which the page says too
    check(expected, slot, lambda: TYPED[name].read(tmp_path, **{slot: LITERALS[row].values}))


def check(expected: str, slot: str, read: Callable[[], dict[str, Any]]) -> None:
    """Holds what `read` finds in `slot` to a cell of the page."""
    if expected == "error":
        with pytest.raises(RankdistillError) as raised:
            read()
        assert raised.value.got
        assert raised.value.remedy
    else:
        found = read()[slot]
        assert (str(found).replace("\N{NO-BREAK SPACE}", " "), type(found).__name__) == (
            expected.strip("`").replace("\N{NO-BREAK SPACE}", " "),
            {"id": "str", "score": "float", "label": "int"}[slot],
        )
        if "\N{NO-BREAK SPACE}" in expected:
            assert "\N{NO-BREAK SPACE}" in found


# Files


def spoiled(reader: Reader, what: str) -> tuple[str, bytes] | None:
    """Name and bytes of the reader's good file with one thing changed; None where it has no such thing."""
    good, row = reader.content().encode(), reader.content().removeprefix(reader.head)
    compressed = gzip.compress(good)
    changed: dict[str, tuple[str, bytes]] = {
        "begins with a byte order mark": (reader.name, b"\xef\xbb\xbf" + good),
        "Windows line ends": (reader.name, good.replace(b"\n", b"\r\n")),
        "blank lines, and none at the end": (reader.name, good.replace(b"\n", b"\n\n").rstrip(b"\n")),
        "UTF-16": (reader.name, good.decode().encode("utf-16")),
        "broken UTF-8": (reader.name, good.replace(b"q", b"\xff").replace(b"t", b"\xff")),
        "zero bytes": (reader.name, good.decode().encode("utf-16-le")),
        "empty (Anserini's vectors may be none)": (reader.name, b""),
        "gzip without `.gz`": (reader.name, compressed),
        "`.gz` without gzip": (reader.name + ".gz", good),
        "gzip cut short": (reader.name + ".gz", compressed[:-6]),
    }
    if reader.read is of_vectors and "empty" in what:
        return None
    if what in changed:
        return changed[what]
    if what == "a column too many":
        return reader.name, good.rstrip(b"\n") + {"tabs": b"\tx\n", "CSV": b",x\n"}.get(reader.form, b" x\n")
    if what == "a pair or an id twice":
        if not reader.twice or "positive" in row or '"query"' in row:
            return None  # texts and triples may come again
        again = reader.content(score="6.0", label="0").removeprefix(reader.head)
        return reader.name, (reader.head + row + again.replace('"t"', '"u"')).encode()
    assert what == "a key twice in an object"
    if not row.startswith("{"):
        return None
    key = row[1 : row.index(":")].strip() or '"q1"'
    return reader.name, good.replace(b"{", f"{{{key}: 1, ".encode(), 1)


def file_cases() -> Iterator[Any]:
    for row in FILE_ROWS:
        what = row.removeprefix("file: ")
        for name, reader in READERS.items():
            if EXPECTED[row][reader.form] != ABSENT and spoiled(reader, what) is not None:
                yield pytest.param(row, name, id=f"{row} {name}")


@pytest.mark.parametrize(("row", "name"), list(file_cases()))
def test_a_spoiled_file_is_what_the_page_says(row: str, name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    changed = spoiled(reader, row.removeprefix("file: "))
    assert changed is not None
    path = tmp_path / changed[0]
    path.write_bytes(changed[1])
    if EXPECTED[row][reader.form] == "error":
        with pytest.raises(RankdistillError):
            reader.read(path)
    else:
        good = tmp_path / "good" / reader.name
        good.parent.mkdir()
        good.write_text(reader.content())
        assert comparable(reader.read(path)) == comparable(reader.read(good))


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "folder"}


# Settings


WRITTEN = {row[0]: row[1] for row in table("written", "read")}


@pytest.mark.parametrize("written", WRITTEN)
def test_settings_are_what_the_page_says(written: str, tmp_path: Path) -> None:
    path, said = tmp_path / "a.yaml", WRITTEN[written]
    contents = {
        "a key twice": [b"a: 1\na: 2\n"],
        "a byte order mark at the beginning": [b"\xef\xbb\xbfa: 1\n"],
        "UTF-16, broken UTF-8": ["a: 1\n".encode("utf-16"), b"a: \xff\n"],
    }.get(written, [f"a: {value}\n".encode() for value in re.findall("`(.*?)`", written)])
    for content in contents:
        path.write_bytes(content)
        if said == "error":
            with pytest.raises(yaml.YAMLError):
                plain_yaml.read(path)
            continue
        found = plain_yaml.read(path)["a"]
        text = content.decode("utf-8-sig").removeprefix("a: ").strip()
        if said == "the text":
            assert found == text
        elif said == "a boolean":
            assert found is (text == "true")
        else:
            assert repr(found) == (said.strip("`") if said != "read" else "1")


@pytest.mark.parametrize("content", [b"kind: table\nkind: auto\n", "kind: table\n".encode("utf-16"), b"steps: 5_5\n"])
@pytest.mark.parametrize("reader", ["recipe", "training", "index", "teacher"])
def test_every_reader_of_settings_says_so_in_an_error_of_ours(reader: str, content: bytes, tmp_path: Path) -> None:
    from rankdistill.indexing import recipes
    from rankdistill.recipe import loading
    from rankdistill.teachers import registry as teachers
    from rankdistill.training import settings
    from rankdistill.training.config import TrainConfig

    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    readers: dict[str, Callable[[], object]] = {
        "recipe": lambda: loading.load(path),
        "training": lambda: settings.read(TrainConfig, path),
        "index": lambda: recipes.read(path),
        "teacher": lambda: teachers.specify(str(path)),
    }
    with pytest.raises(RankdistillError, match=r"twice|UTF-8|decimal digits"):
        readers[reader]()


# What a folder says of itself


SAID = {row[0]: row[1] for row in table("`meta.json`", "read")}


@pytest.mark.parametrize("written", SAID)
def test_what_a_folder_says_of_itself_is_what_the_page_says(written: str, tmp_path: Path) -> None:
    true = '{"ignore_identical_ids": true}'
    contents = {
        "a byte order mark at the beginning": [true.encode("utf-8-sig")],
        "UTF-16, broken UTF-8, lists in one another without end": [true.encode("utf-16"), b'{"\xff": 1}', b"[" * 10**5],
    }.get(written, [text.encode() for text in re.findall("`(.*?)`", written)])
    for content in [*contents, *([b""] if "an empty file" in written else [])]:
        (tmp_path / meta.FILE_NAME).write_bytes(content)
        if SAID[written] == "error":
            with pytest.raises(RankdistillError, match=r"meta\.json"):
                meta.read(tmp_path)
        else:
            said = {"nothing is said": None, "true": True, "false": False, "read": True}[SAID[written]]
            assert meta.read(tmp_path).ignore_identical_ids is said


# Texts to embed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"red river\n"),
        ("a.csv.gz", gzip.compress(b"red river\n", mtime=0)),
        ("a.tsv", b"red river\n"),
        ("a.txt", b"id,text\n1,red river\n"),
        ("a.txt", b"\xef\xbb\xbf_id\ttext\n1\tred river\n"),
        ("a", b'"id";"text"\n1;red river\n'),
        ("a.txt", b'{"text": "red river"}\n'),
        ("a.txt", "red river\n".encode("utf-16")),
        ("a.txt", gzip.compress(b"red river\n", mtime=0)),
        ("a.txt", b"red \xff river\n"),
        ("a.jsonl", b'{"text": "a", "text": "b"}\n'),
        ("a.jsonl", b'{"text": 7}\n'),
        ("a.jsonl", b"{}\n"),
    ],
)
def test_what_is_not_one_text_a_line_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RankdistillError, match=name.removesuffix(".gz")):
        list(TextFile(tmp_path / name, "query").rows())


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.txt", "\ufeffred, river\u2028and, text\ntext, id\n", ["red, river\u2028and, text", "text, id"]),
        ("a.txt", "a\x85b\x0bc\r\n", ["a\x85b\x0bc"]),
        ("a.txt", "{red} river\n", ["{red} river"]),
        ("a.jsonl", '\ufeff{"text": "a\\u2028b", "n": NaN}\n{"text": null}\n', ["a\u2028b", ""]),
    ],
)
def test_texts_are_split_at_line_ends_only(name: str, content: str, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert [text.strip("\r\n") for _, text in TextFile(tmp_path / name, "query").rows()] == texts


# Words of a static student


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\ufeffriver\r\n\n  stone \n".encode(), ["river", "stone"]),
        ("na\u00efve\nNaN\n1e5\n007".encode(), ["na\u00efve", "NaN", "1e5", "007"]),
        (b"", []),
        (b"red river\n", None),
        ("red\u2028river\n".encode(), None),
        (b"word\tcount\nriver\t7\n", None),
        ("river\n".encode("utf-16"), None),
        (gzip.compress(b"river\n", mtime=0), None),
        (b"riv\xffer\n", None),
    ],
)
def test_a_word_list_holds_one_word_a_line(content: bytes, words: list[str] | None, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    if words is not None:
        assert word_list.read(tmp_path / "words.txt") == words
        return
    with pytest.raises(RankdistillError, match=r"words\.txt"):
        word_list.read(tmp_path / "words.txt")


# The battery has every reader


def test_the_page_and_the_battery_have_the_same_values() -> None:
    assert list(LITERALS) == VALUE_ROWS


def test_every_reader_is_in_the_battery() -> None:
    known = READERS.keys() | TYPED.keys()
    assert registry.FORMATS.keys() <= known
    assert published_conversations.LAYOUTS.keys() <= known
    assert sources.SOURCES.keys() <= known


def test_every_format_and_source_is_on_the_page() -> None:
    for name in registry.FORMATS:
        assert f"`{name}`" in PAGE
    for name in sources.SOURCES:
        assert f"`{name}:`" in PAGE


READ_HERE = {
    "data/beir.py",
    "data/beir_rows.py",
    "data/converting/beir_folder.py",  # lines that `data/beir.py` took
    "data/converting/json_table.py",
    "data/converting/judgements.py",
    "data/metadata.py",  # lines that `data/beir.py` took; what else they hold: tests/indexing/filters
    "data/score_tables.py",
    "data/trec.py",
    "formats/anserini.py",
    "formats/colbert.py",
    "formats/conversation_files.py",  # looks what a file is, before `formats/published_conversations.py` reads it
    "formats/conversations.py",
    "formats/converting_sessions.py",  # likewise, before `formats/conversations.py` does
    "formats/disco.py",
    "formats/published_conversations.py",
    "formats/record_files.py",
    "sessions/reading.py",
    "sessions/stored_rewrites.py",
    "stores/embeddings/text_files.py",
    "students/word_list.py",
}
"""Modules that read lines of users' files, each of which the battery covers."""


def calls(function: str) -> set[str]:
    """The modules that call `function`, such as `lines.numbered`."""
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    return {
        path.relative_to(PACKAGE).as_posix()
        for path, text in texts.items()
        if function in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    }


def test_a_new_reader_of_lines_must_be_added_here() -> None:
    assert calls("lines.numbered") | calls("lines.chosen") == READ_HERE


def test_yaml_and_columns_have_one_reader_each() -> None:
    assert not calls("yaml.safe_load")
    assert calls("yaml.load") == {"plain_yaml.py"}
    assert calls("csv.reader") == {"data/converting/csv_table.py", "data/converting/dialect.py"}
    assert not calls("csv.DictReader") | calls("pl.read_csv") | calls("pl.scan_csv") | calls("pl.read_ndjson")
