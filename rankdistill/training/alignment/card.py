"""The README of an aligned student."""

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

# A student in its teacher's space, made with rankdistill

Aligned from `{student}` to the vectors of `{teacher}` with the `{loss}` objective for {steps} steps. Its vectors lie in
the teacher's space (`space.json`): its queries search documents that the teacher embedded, or its own. What went in,
with hashes, is in `manifest.json`; the loss curve and the dev scores are in `training_log.json`.

```python
from sentence_transformers import {kind}

student = {kind}("PATH_OF_THIS_FOLDER")
teacher = {kind}("{teacher}")
queries = student.encode_query(["what is distillation?"])
documents = teacher.encode_document(["Distillation trains a small model to score as a large one does."])
print(teacher.similarity(queries, documents))
```
"""


def render(student: str, teacher: str, loss: str, steps: int, kind: str = "SentenceTransformer") -> str:
    """The card's text; asks no hub and holds no time.

    Args:
        student: reference of the model that training started from.
        teacher: reference of the model whose space it is.
        loss: name of the objective.
        steps: optimiser steps done.
        kind: class of sentence-transformers that loads it.
    """
    return _CARD.format(student=student, teacher=teacher, loss=loss, steps=steps, kind=kind)
