"""Candidates for queries that are searched by other words: a conversation by a rewrite of its last question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rankdistill.manifest import digest
from rankdistill.mining.source import Hits, Source
from rankdistill.progress import Progress


@dataclass
class AskedTogether:
    """A source that is asked once for all words of all rewriters: it may have to encode every document.

    Args:
        source: finds the documents.
        words: all texts that will be asked for.
    """

    source: Source
    words: Sequence[str]
    _found: dict[int, Hits] = field(default_factory=dict)

    def retrieve(self, contents: Mapping[str, str], words: Sequence[str], depth: int, progress: Progress) -> Hits:
        """What the source has for `words`, in their order."""
        if depth not in self._found:
            every = list(dict.fromkeys(self.words))
            self._found[depth] = self.source.retrieve(contents, every, depth, progress)
        place = {text: row for row, text in enumerate(dict.fromkeys(self.words))}
        ids, scores = self._found[depth]
        rows = [place[text] for text in words]
        return [ids[row] for row in rows], [scores[row] for row in rows]


@dataclass(frozen=True)
class RewrittenSource:
    """A source that is asked for the rewrite of each query.

    Args:
        name: of the rewriter; what the `source` column says.
        rewrites: text of a query -> what is searched for instead.
        asked: finds the documents.
    """

    name: str
    rewrites: Mapping[str, str]
    asked: AskedTogether

    @property
    def inputs(self) -> Mapping[str, str]:
        """Those of the source, and the hash of the rewrites."""
        return {**self.asked.source.inputs, "rewrites": digest(sorted(self.rewrites.items()))}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the source."""
        return self.asked.source.parameters

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """See `Source.retrieve`; each query has a rewrite."""
        return self.asked.retrieve(contents, [self.rewrites[text] for text in queries], depth, progress)
