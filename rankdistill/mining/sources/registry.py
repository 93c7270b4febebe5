"""Sources by what a user writes: `bm25`, `dense:MODEL`, `NAME=sparse:MODEL`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rankdistill.errors import ConfigError
from rankdistill.mining.source import Source
from rankdistill.mining.sources.bm25 import DEFAULT, Bm25Source
from rankdistill.mining.sources.dense import DenseSource
from rankdistill.mining.sources.multi_vector import MultiVectorSource
from rankdistill.mining.sources.sparse import SparseSource


@dataclass(frozen=True)
class SourceKind:
    """A kind of source.

    Args:
        create: `(argument, max_length, name)` -> the source.
        argument: what stands behind the colon, as `MODEL`; None: nothing does.
        optional: whether it may be left out; `create` gets "" then.
    """

    create: Callable[[str, int | None, str], Source]
    argument: str | None = None
    optional: bool = False


KINDS: Mapping[str, SourceKind] = {
    "bm25": SourceKind(
        lambda argument, max_length, name: Bm25Source(name=name, tokenizer=argument or DEFAULT), "TOKENIZER", True
    ),
    "dense": SourceKind(DenseSource, "MODEL"),
    "sparse": SourceKind(SparseSource, "MODEL"),
    "multi-vector": SourceKind(MultiVectorSource, "MODEL"),
}
"""Add a kind here. Those that search an index are in `rankdistill.indexing`, which lies above this package."""

_WRITTEN = re.compile(r"(?:(?P<name>[\w.-]+)=)?(?P<kind>[\w-]+)(?::(?P<argument>.+))?")


def named(
    text: str, model: str | None = None, max_length: int | None = None, kinds: Mapping[str, SourceKind] = KINDS
) -> Source:
    """The source that `text` says, as `[NAME=]KIND[:ARGUMENT]`; it is called KIND where there is no NAME.

    Args:
        text: for example `dense:MODEL` or `strong=dense:MODEL`.
        model: of a kind that needs a model and has none in `text`.
        max_length: tokens of a text that models read.
        kinds: the kinds there are.

    Raises:
        ConfigError: no such kind, its argument is missing, or it takes none.
    """
    written = _WRITTEN.fullmatch(text)
    kind = kinds.get(written["kind"]) if written else None
    if written is None or kind is None:
        shown = (_shown(name, one) for name, one in kinds.items())
        raise ConfigError(
            expected=f"a source: {', '.join(shown)}, with NAME= before it where two are of one kind",
            got=repr(text),
            consequence="nothing was mined",
            remedy="name one of those",
        )
    argument = written["argument"] or (model if kind.argument == "MODEL" else None)
    if (argument is None) != (kind.argument is None) and not (argument is None and kind.optional):
        needed = f"{written['kind']}:{kind.argument}" if kind.argument else f"{written['kind']} alone"
        raise ConfigError(
            expected=f"the source {needed}",
            got=repr(text),
            consequence="nothing was mined",
            remedy="write it so" + (", or add --model MODEL" if kind.argument == "MODEL" else ""),
        )
    return kind.create(argument or "", max_length, written["name"] or written["kind"])


def _shown(name: str, kind: SourceKind) -> str:
    if kind.argument is None:
        return name
    return f"{name}[:{kind.argument}]" if kind.optional else f"{name}:{kind.argument}"
