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
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("PATH_OF_THIS_FOLDER")
queries = model.encode_query(["what is distillation?"])
documents = model.encode_document(["Distillation trains a small model to score as a large one does."])
print(model.similarity(queries, documents))
```
"""


def render(student: str, loss: str, steps: int) -> str:
    """The card's text; asks no hub and holds no time.

    Args:
        student: reference of the model that training started from.
        loss: name of the objective.
        steps: optimiser steps done.
    """
    return _CARD.format(student=student, loss=loss, steps=steps)
