"""A source that several rewriters ask: it works once, and its progress is that of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from rankdistill.mining.source import Hits
from rankdistill.mining.sources.rewritten import AskedTogether, RewrittenSource
from rankdistill.progress import Progress

CONTENTS = {f"d{n}": f"document {n}" for n in range(7)}
QUERIES = [f"conversation {n}" for n in range(4)]


class Counting:
    """Says of each text that it is done, and finds the document whose number ends the text."""

    name = "counting"
    inputs: Mapping[str, str] = {}
    parameters: Mapping[str, Any] = {}

    def __init__(self, documents: bool) -> None:
        self.documents, self.calls = documents, 0

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        self.calls += 1
        for _ in range(len(queries) + self.documents * len(contents)):
            progress(1)
        return [[f"d{text[-1]}"] for text in queries], [np.ones(1, np.float32) for _ in queries]


@pytest.mark.parametrize("documents", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_progress_is_that_of_every_rewriter_and_comes_while_the_source_works(documents: bool, same: bool) -> None:
    source = Counting(documents)
    rewrites = {
        name: {text: f"{'' if same else name} rewrite {text[-1]}" for text in QUERIES}
        for name in ("human", "t5", "llm")
    }
    words = [text for one in rewrites.values() for text in one.values()]
    together, told = AskedTogether(source, words, len(rewrites)), list[int]()
    for name, one in rewrites.items():
        ids, _ = RewrittenSource(name, one, together).retrieve(CONTENTS, QUERIES, 5, told.append)
        assert ids == [[f"d{n}"] for n in range(4)]
    assert source.calls == 1
    assert sum(told) == len(rewrites) * (len(CONTENTS) + len(QUERIES))
    assert len(told) > 3
    assert all(done > 0 for done in told)
