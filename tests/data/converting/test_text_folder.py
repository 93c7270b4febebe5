"""A folder of text files: ids, titles, encodings, and files that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rankdistill.data.converting import decoding, html_text, markdown_text
from rankdistill.data.values import RowError
from rankdistill.errors import DataError, MissingDependencyError
from tests.data.converting.conftest import Convert, corpus, told

HTML = """<!DOCTYPE html><html><head><title>Rivers &amp;
 lakes</title><style>p { color: red }</style></head><body><nav>Home | About</nav>
<h1>Rivers</h1><p>One <b>deep</b>
   river<br>and a lake.<script>alert(1)</script></p><!-- no text -->
<table><tr><th>name</th><th>km</th></tr><tr><td>Rhine</td><td>1,230</td></tr></table>
<ul><li>a<li>b</ul><pre>  x
    y</pre>end</body></html>"""

TEXT = "Rivers\n\nOne deep river\nand a lake.\n\nname km\nRhine 1,230\n\na\nb\n\n  x\n    y\n\nend"

MARKDOWN = """---
title: "Of rivers"
tags: [a, b]
---

Intro with *stress*, `code` and a [link](http://x.org).

## Head

| a | b |
|---|---|
| 1 | 2 |
"""


def folder(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root / "in"


def test_ids_are_paths_and_titles_are_what_the_files_say(tmp_path: Path, convert: Convert) -> None:
    place = folder(
        tmp_path,
        {
            "b/old_river-bank.txt": "A text.\r\nTwo lines.\r\n",
            "a.md": MARKDOWN,
            "b/c.markdown": "# A heading\n\nText.\n\n---\n\nMore.",
            "page.HTML": HTML,
            "no-title.htm": "<p>Only <i>this</i>.</p>",
            "2024-07.txt": "A number is no title.",
            ".hidden.txt": "no",
            ".git/x.txt": "no",
            "b/image.png": b"\x89PNG\0",
            "b/paper.pdf": b"%PDF",
        },
    )
    dataset = convert(place)
    assert [tuple(one.values()) for one in corpus(dataset)] == [
        ("2024-07.txt", "", "A number is no title."),
        ("a.md", "Of rivers", "Intro with stress, code and a link.\n\nHead\n\na b\n1 2"),
        ("b/c.markdown", "A heading", "Text.\n\nMore."),
        ("b/old_river-bank.txt", "old river bank", "A text.\nTwo lines.\n"),
        ("no-title.htm", "no title", "Only this."),
        ("page.HTML", "Rivers & lakes", TEXT),
    ]
    assert told(dataset)["notes"] == ["left out 2 files that are no text: 1 .pdf, 1 .png"] or told(dataset)[
        "notes"
    ] == ["left out 2 files that are no text: 1 .png, 1 .pdf"]


def test_one_file_is_a_document_too(tmp_path: Path, convert: Convert) -> None:
    place = folder(tmp_path, {"a.md": "# T\n\ntext"})
    assert corpus(convert(place / "a.md")) == [{"_id": "a.md", "title": "T", "text": "text"}]


SPOKEN = {
    "cp1252": "L'été dernier, nous avons été à la plage où il faisait très chaud.",
    "cp1250": "Zażółć gęślą jaźń. Ten tekst jest po polsku, o rzece i mieście.",
    "cp1251": "Это небольшой текст на русском языке о реке и городе.",
    "koi8_r": "Это небольшой текст на русском языке о реке и городе.",
    "cp932": "これは日本語の短い文章です。川と町について書かれています。",
    "gb18030": "这是一段关于河流和城市的中文文本。" * 3,
    "utf-16": "Größe und naïve Zeichen",
    "utf-8-sig": "Größe und naïve Zeichen",
    "utf-8": "Größe und naïve Zeichen",
}


@pytest.mark.parametrize("encoding", SPOKEN)
def test_an_encoding_is_found(encoding: str) -> None:
    assert decoding.text_of(SPOKEN[encoding].encode(encoding)) == (SPOKEN[encoding], encoding)


@pytest.mark.parametrize("text", ["naïve café", "The price is £5 and 20 °C", "El niño comió piñas.", "Åsa äter kött"])
def test_a_short_text_of_the_west_is_in_its_usual_encoding(text: str) -> None:
    assert decoding.text_of(text.encode("cp1252")) == (text, "cp1252")


def test_two_encodings_in_one_folder_are_each_read_as_they_are(tmp_path: Path, convert: Convert) -> None:
    german = "Über dem Fluß: größere Häuser, schöne Straßen."
    page = f'<html><head><meta charset="windows-1251"></head><p>{SPOKEN["cp1251"]}</p></html>'
    place = folder(
        tmp_path,
        {
            "a.txt": german.encode(),
            "b.txt": german.encode("cp1252"),
            "c.txt": german.encode("utf-16"),
            "d.html": page.encode("cp1251"),
            "e.html": page.encode(),  # says another than it has
        },
    )
    dataset = convert(place)
    assert [one["text"] for one in corpus(dataset)] == [german] * 3 + [SPOKEN["cp1251"]] * 2
    assert told(dataset)["encodings"] == {"cp1252": 1, "utf-16": 1, "utf-8": 2, "windows-1251": 1}
    assert "cp1252 (1 files, as b.txt); utf-16 (1 files, as c.txt)" in told(dataset)["notes"][0]
    with pytest.raises(DataError, match=r"b\.txt:1: broken utf-8"):
        convert(place, "b", encoding="utf-8")


BAD = {
    "binary.txt": (b"\x00\x01\x02", "a binary file"),
    "control.md": (b"\x01\x02\x03 text \x04", "a binary file"),
    "empty.txt": (b"", "an empty file"),
    "blank.md": (b" \n\n", "an empty file"),
    "nothing.html": (b"<html><body><script>1</script></body></html>", "a file without text"),
    "cut.txt": ("größer, schöner, höher, weiter über Fluß".encode() * 5 + b"\xc3", "broken utf-8"),
    " blank.txt": (b"text", "begins or ends with white space"),
}


def test_files_that_are_none_stop_it_or_are_counted_and_shown(
    tmp_path: Path, convert: Convert, caplog: pytest.LogCaptureFixture
) -> None:
    place = folder(tmp_path, {name: content for name, (content, _) in BAD.items()} | {"good.txt": "text"})
    with pytest.raises(DataError, match="7 bad rows") as stopped:
        convert(place)
    assert not (tmp_path / "out" / "corpus.jsonl").exists()
    dataset = convert(place, lenient=True)
    assert dataset.doc_ids == ["good.txt"]
    assert "left out 7 bad rows or files" in caplog.text
    for name, (_, why) in BAD.items():
        (report,) = [one for one in told(dataset)["reports"] if one.startswith(f"{name}:1: ")]
        assert why in report
        assert report in stopped.value.got


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path, {"a.txt": "text", "b.txt": "text"})
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "b.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"b\.txt:1: cannot be read: Permission denied"):
        convert(place)
    assert convert(place, lenient=True).doc_ids == ["a.txt"]


def test_what_may_not_be_opened_is_told(tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path, {"a.csv": "id,text\n1,x\n", "b.jsonl": '{"id": 1, "text": "x"}\n'})

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    for function in ("open", "iterdir"):
        monkeypatch.setattr(Path, function, refuse)
        for name in ("a.csv", "b.jsonl") if function == "open" else ("",):
            with pytest.raises(DataError, match="Permission denied"):
                convert(place / name)
        monkeypatch.undo()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path, convert: Convert) -> None:
    place = folder(tmp_path, {"a.txt": "text", "b.txt": "text"})
    (place / "b.txt").chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        convert(place)


def test_folders_without_documents_and_with_several_kinds(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="an empty folder"):
        convert(tmp_path / "in")
    folder(tmp_path, {"a.png": b"x", "b.pdf": b"x", ".c.txt": "x"})
    with pytest.raises(DataError, match=r"no text file, but 1 \.\w+, 1 \.\w+"):
        convert(tmp_path / "in")
    folder(tmp_path, {"a.txt": "x", "b.csv": "id,text\n1,y\n"})
    with pytest.raises(DataError, match=r"files of several kinds: text files, 1 of csv\n(.*\n)*.*--from files"):
        convert(tmp_path / "in")
    assert convert(tmp_path / "in", from_="files").doc_ids == ["a.txt"]
    assert convert(tmp_path / "in", "b", from_="csv").doc_ids == ["1"]


def test_an_output_in_the_folder_is_no_part_of_it(tmp_path: Path, convert: Convert) -> None:
    place = folder(tmp_path, {"a.txt": "x", "b.txt": "y"})
    assert convert(place, "in/out").doc_ids == ["a.txt", "b.txt"]
    convert(place, "in/other", number_rows=False)
    (place / "other" / "README.md").write_text("a card")
    (place / "out" / "note.txt").write_text("of the user")
    assert convert(place, "in/out").doc_ids == ["a.txt", "b.txt"]


def test_a_page_of_ten_megabytes_and_one_that_is_very_deep() -> None:
    page = html_text.read("<body>" + "<p>old river</p>" * 100_000)
    assert page.text.count("old river") == 100_000
    assert html_text.read("<div>" * 1500 + "deep").text == "deep"
    with pytest.raises(RowError, match="cannot be read: Excessive depth"):
        html_text.read("<p>first</p>" + "<div>" * 5000 + "deep")


@pytest.mark.parametrize("html", ["", " ", "<", "<!-- -->", "<html></html>", '<?xml version="1.0"?>'])
def test_html_without_text_is_empty(html: str) -> None:
    assert html_text.read(html).text in ("", "<")


def test_front_matter_is_what_has_keys() -> None:
    assert markdown_text.read("---\n\ntext\n\n---\n\nmore").text == "text\n\nmore"
    assert markdown_text.read("---\ntitle: T\n---\nmore") == ("T", "", "more")
    assert markdown_text.read("---\n# of the site\ntitle: 'T'\n---\nmore") == ("T", "", "more")


def test_front_matter_is_read_as_yaml_and_text_between_lines_is_text() -> None:
    assert markdown_text.read("---\nNote: a break\n\nAll of this is text\n\n---\n\nrest").text.endswith("text\n\nrest")
    for written, title in (
        (">-\n  Real\n  title", "Real title"),
        ("'Don''t'", "Don't"),
        ("A # comment", "A"),
        ("2024-01-01", "2024-01-01"),
        ("1.10", "1.10"),
        ("one: two", "one: two"),
        ("[a, b]", ""),
    ):
        assert markdown_text.read(f"---\ntitle: {written}\ntags: [x]\n---\nmore") == (title, "", "more"), written


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("iso-8859-1", "cp1252", "“Hello” – it’s 5 €"),
        ("latin1", "cp1252", "“Hello” – it’s 5 €"),
        ("iso-8859-9", "cp1254", "İyi günler – ışık"),
        ("windows-31j", "cp932", "日本語の①"),
        ("shift_jis", "cp932", "日本語の①"),
        ("gb2312", "gb18030", "中文網頁的文字"),
        ("ks_c_5601-1987", "cp949", "한국어 똠방각하"),
    ],
)
def test_a_page_is_read_as_browsers_read_what_it_says(label: str, encoding: str, text: str) -> None:
    data = f'<meta charset="{label}"><p>{text}</p>'.encode(encoding)
    found, _ = decoding.text_of(data, None, html_text.declared(data))
    assert html_text.read(found).text == text


def test_a_page_that_can_be_read_is_in_no_16_bit_encoding() -> None:
    assert html_text.declared(b'<meta charset="utf-16"><p>plain text</p>') is None


def test_linked_folders_are_walked_once(tmp_path: Path, convert: Convert) -> None:
    place = folder(tmp_path, {"a.txt": "one", "below/b.txt": "two"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.txt").write_text("three")
    (place / "link").symlink_to(tmp_path / "elsewhere")
    (place / "below" / "round").symlink_to(place)
    (place / "twice").symlink_to(place / "below")
    assert [row["_id"] for row in corpus(convert(place))] == ["a.txt", "below/b.txt", "link/c.txt"]


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("lxml", "lxml.etree", "charset_normalizer", "markdown_it"):
        monkeypatch.setitem(sys.modules, name, None)
    for read in (lambda: html_text.read("<p>x"), lambda: markdown_text.read("x"), lambda: decoding.text_of(b"gr\xf6")):
        with pytest.raises(MissingDependencyError, match=r'pip install "rankdistill\[files\]"'):
            read()
    assert decoding.text_of("größer".encode()) == ("größer", "utf-8")  # needs none


def test_binary_bytes_are_no_text() -> None:
    with pytest.raises(RowError, match="binary"):
        decoding.text_of(bytes(range(256)) * 4)
