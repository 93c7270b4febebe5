"""What a conversion is asked for, and what of it cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankdistill.data.beir import UNJUDGED
from rankdistill.data.converting import decoding, kinds
from rankdistill.errors import ConfigError, DataError

_DECISIVE = (
    *("keep", "number_rows", "encoding", "separator", "query_columns", "qrels_columns", "clicks_columns"),
    *("min_clicks", "dev", "test", "passage_tokens", "overlap", "lenient"),
)

_SPLIT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Request:
    """What is converted, and how; see the verb `rankdistill.verbs.data.convert`, whose arguments these are."""

    place: Path
    kind: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    keep: Sequence[str] = ()
    number_rows: bool = False
    encoding: str | None = None
    separator: str | None = None
    queries: Path | None = None
    query_columns: Mapping[str, str | None] = field(default_factory=dict)
    qrels: Sequence[tuple[str | None, Path]] = ()
    qrels_columns: Sequence[str] = ()
    clicks: Path | None = None
    clicks_columns: Sequence[str] = ()
    min_clicks: int = 1
    dev: float = 0.1
    test: float = 0.2
    passage_tokens: int | None = None
    overlap: int = 0
    tokenizer: str | None = None
    lenient: bool = False

    @property
    def beside(self) -> frozenset[Path]:
        """The files of queries, judgements and clicks, resolved: where they lie among documents, they are none."""
        given = (self.queries, self.clicks, *(path for _, path in self.qrels))
        return frozenset(path.resolve() for path in given if path is not None)

    def check(self) -> None:
        """Raise ConfigError or DataError for what cannot be, before anything is read."""
        kinds.require_kind(self.kind)
        decoding.require_known(self.encoding)
        if not (self.dev >= 0 and self.test >= 0 and self.dev + self.test <= 1):
            raise wrong("shares dev and test from 0 to 1, together 1 at most", f"dev {self.dev}, test {self.test}")
        if self.separator is not None and (len(self.separator) != 1 or self.separator in "\r\n\"'"):
            raise wrong("one letter as --delimiter", repr(self.separator))
        if self.min_clicks < 1:
            raise wrong("--min-clicks of at least 1", str(self.min_clicks))
        self._require_effect()
        if (self.passage_tokens is None) != (self.tokenizer is None):
            raise wrong("--passage-tokens together with --tokenizer MODEL, whose tokens they are", "one of them")
        if self.overlap and self.passage_tokens is None:
            raise wrong("--overlap together with --passage-tokens", f"--overlap {self.overlap} alone")
        for names, flag in ((self.qrels_columns, "--qrels-columns"), (self.clicks_columns, "--clicks-columns")):
            if names and not (len(names) == 3 or (flag == "--clicks-columns" and len(names) == 2)):
                last = "COUNT (which may be left out)" if flag == "--clicks-columns" else "LABEL"
                raise wrong(f"{flag} QUERY,DOCUMENT,{last}", ",".join(names))
        splits = [split for split, _ in self.qrels]
        for split in splits:
            if split is not None and (not _SPLIT.fullmatch(split) or split == UNJUDGED or splits.count(split) > 1):
                raise wrong("--qrels FILE, or SPLIT=FILE with a new name each", f"the split {split!r}")
        for path in filter(None, (self.queries, self.clicks, *(path for _, path in self.qrels))):
            if not path.is_file():
                raise DataError(
                    expected="a file of queries, judgements or clicks",
                    got=f"{path}: {'a folder' if path.is_dir() else 'no such file'}",
                    consequence="nothing was written",
                    remedy="check the path",
                )

    def _require_effect(self) -> None:
        """Raise ConfigError for settings of a file that is not there."""
        columns = [f"--{name}" for name, one in self.query_columns.items() if one is not None]
        for given, file, flags in (
            (self.clicks, "--clicks", [*(["--min-clicks"] if self.min_clicks > 1 else []), *self._named("clicks")]),
            (self.queries, "--queries", columns),
            (self.qrels, "--qrels", self._named("qrels")),
        ):
            if flags and not given:
                raise wrong(f"{file} with {', '.join(flags)}", "no such file")

    def _named(self, name: str) -> list[str]:
        return [f"--{name}-columns"] if getattr(self, f"{name}_columns") else []

    def decisive(self) -> dict[str, Any]:
        """The settings that change the result and are not at their default, for the manifest."""
        default, found = Request(self.place), {}
        for name in _DECISIVE:
            value = getattr(self, name)
            value = {key: one for key, one in value.items() if one is not None} if isinstance(value, Mapping) else value
            if value != getattr(default, name):
                found[name] = list(value) if isinstance(value, tuple | list) else value
        return found

    def short(self, text: str) -> str:
        """A text without the folders of the files that it names, which are this machine's."""
        files = (self.queries, self.clicks, *(path for _, path in self.qrels))
        root = self.place if self.place.is_dir() else self.place.parent
        for folder in (root, *(path.parent for path in files if path is not None)):
            text = text.replace(f"{folder}/", "") if str(folder) != "." else text
        return text


def name_of_qrels(split: str | None) -> str:
    """What a manifest calls files of judgements; all those without a split have one name."""
    return f"qrels {split}" if split else "qrels"


def wrong(expected: str, got: str) -> ConfigError:
    """Settings that cannot be."""
    return ConfigError(
        expected=expected,
        got=got,
        consequence="nothing was written",
        remedy="see `rankdistill data convert --help-all`",
    )
