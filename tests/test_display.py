"""Results as text that is not cut, as HTML, as frames."""

from __future__ import annotations

from typing import Any

import polars as pl

from rankdistill.display import WIDTH, Shown, Table

LONG = "a system with a name " * 12


class Two(Shown):
    def tables(self) -> list[Table]:
        return [Table("<b>", ["name", "value"], [[LONG.strip(), "1.0"], ["<i>&", "2.0"]])]

    def lines(self) -> list[str]:
        return ["and [bold]a line[/]"]

    def to_polars(self) -> pl.DataFrame:
        return pl.DataFrame({"name": ["x"], "value": [1.0]})

    def to_json(self) -> dict[str, Any]:
        return {"value": 1.0}


def test_text_is_folded_between_words_and_cuts_none() -> None:
    text = str(Two())
    assert len(LONG) > WIDTH
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count("system with a name") == LONG.count("system with a name")
    assert "…" not in text
    assert text.splitlines()[-1] == "and [bold]a line[/]"


def test_text_is_wider_than_usual_before_it_splits_a_word() -> None:
    word = "x" * (WIDTH + 40)
    table = Table("", ["name", "value"], [[word, "1.0"]])
    assert word in table.text()
    assert "1.0" in table.text()


def test_html_escapes_everything() -> None:
    html = Two()._repr_html_()
    assert "&lt;i&gt;&amp;" in html
    assert "<caption>&lt;b&gt;</caption>" in html
    assert "<i>" not in html


def test_pandas_has_the_same_rows() -> None:
    assert Two().to_pandas().to_dict("records") == [{"name": "x", "value": 1.0}]


def test_tables_in_markdown_and_latex_escape_what_means_something_there() -> None:
    table = Table("50% & more", ["a_b", "x|y"], [["<c>", "-0.5"], ["d\\e", "+1.25 .. +2.5"], ["±", "a-1"]])
    assert table.markdown().splitlines() == [
        "**50% & more**",
        "",
        "| a\\_b | x\\|y |",
        "| :--- | ---: |",
        "| \\<c\\> | -0.5 |",
        "| d\\\\e | +1.25 .. +2.5 |",
        "| ± | a-1 |",
    ]
    lines = table.latex().splitlines()
    assert lines[0] == r"\begin{table}"
    assert r"\caption{50\% \& more}" in lines
    assert r"\begin{tabular}{lr}" in lines
    assert r"a\_b & x|y \\" in lines
    assert r"\textless{}c\textgreater{} & $-0.5$ \\" in lines
    assert r"d\textbackslash{}e & $+1.25$ .. $+2.5$ \\" in lines
    assert r"$\pm$ & a-1 \\" in lines
    begun = Table("", ["[a]", "[b]"], [["[c]", "*"], ["*d", "1"], [" [e", "2"], ["f", "[3]"]]).latex().splitlines()
    assert [line for line in begun if line.endswith(r"\\")] == [
        r"{}[a] & [b] \\",
        r"{}[c] & * \\",
        r"{}*d & 1 \\",
        r"{} [e & 2 \\",
        r"f & [3] \\",
    ], "an argument of the rule or the row before"
    assert Table("", ["a"], [["b"]]).markdown() == "| a |\n| :--- |\n| b |\n"
