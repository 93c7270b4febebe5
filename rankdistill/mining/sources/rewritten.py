"""Candidates for queries that are searched by other words: a conversation by a rewrite of its last question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rankdistill.manifest import digest
from rankdistill.mining.source import Hits, Source
from rankdistill.progress import Progress


@dataclass
class Share:
    """Tells of `told` units, in step with `work` units that are worked on.

    Args:
        progress: is told.
        told: units in all, as it expects them.
        work: units in all, as they are worked on.
    """

    progress: Progress
    told: int
    work: int
    _done: int = 0
    _said: int = 0

    def __call__(self, done: int) -> None:
        """So many more units are worked on."""
        self._done += done
        self._say(self.told * min(self._done, self.work) // max(self.work, 1))

    def finish(self) -> None:
        """All is done, whatever was told of."""
        self._say(self.told)

    def _say(self, said: int) -> None:
        if said > self._said:
            self.progress(said - self._said)
            self._said = said


@dataclass
class AskedTogether:
    """A source that is asked once for all words of all rewriters: it may have to encode every document.

    Args:
        source: finds the documents.
        words: all texts that will be asked for.
        times: how often it is asked for some of them. Progress is that of so many sources, though one works.
    """

    source: Source
    words: Sequence[str]
    times: int = 1
    _found: dict[int, Hits] = field(default_factory=dict)

    def retrieve(self, contents: Mapping[str, str], words: Sequence[str], depth: int, progress: Progress) -> Hits:
        """What the source has for `words`, in their order."""
        if depth not in self._found:
            every = list(dict.fromkeys(self.words))
            share = Share(progress, self.times * (len(contents) + len(words)), len(contents) + len(every))
            self._found[depth] = self.source.retrieve(contents, every, depth, share)
            share.finish()
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
