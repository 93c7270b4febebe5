"""The README of a student: how to use it and how it was made."""

from __future__ import annotations

_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- feature-extraction
- rankdistill
---

# A retriever distilled with rankdistill

Trained from `{student}` with the `{loss}` objective for {steps} steps. What went in, with hashes, is in
`manifest.json`; the loss curve and the dev scores are in `training_log.json`.

```python
{usage}
```
"""


def render(student: str, loss: str, steps: int, usage: str) -> str:
    """The card's text; asks no hub and holds no time.

    Args:
        student: reference of the model that training started from.
        loss: name of the objective.
        steps: optimiser steps done.
        usage: how a program uses it, Python.
    """
    return _CARD.format(student=student, loss=loss, steps=steps, usage=usage)
