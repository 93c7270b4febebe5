"""The README of a bundle: what is in it and the lines that use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankdistill.inference import TextEncoder
    from rankdistill.inference.onnx_files import OnnxFile

_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- feature-extraction
- rankdistill
---

# Two towers of one space

Documents are embedded once by {document}, queries by the model in `query/`. The vectors of both have {dimension}
dimensions, {length}, and are compared by {similarity}.

| path | what it is |
|---|---|
| `query/` | the query tower, a plain sentence-transformers model |
| `document/` | the document tower, or which model it is (`pointer.json`) |
{rows}| `space.json` | the space that both share; indexes and searches check it |
| `manifest.json` | what it was made from, and the hash of every file |

Index and search, with the space checked:

```sh
rankdistill index --data DATA --model BUNDLE --out INDEX
rankdistill search --index INDEX --model BUNDLE --query "what is distillation?"
```

Queries alone:

```python
from sentence_transformers import SentenceTransformer

queries = SentenceTransformer("BUNDLE/query").encode_query(["what is distillation?"])
```
{router}{onnx}"""

_ROUTER_ROW = "| `router/` | both towers as one sentence-transformers model |\n"
_ONNX_ROW = "| `query/onnx/` | the query tower as ONNX files; `onnx.json` has their fidelity |\n"

_ROUTER = """
Both towers in one model. `encode` without a task fails: it could not know which tower is meant.

```python
model = SentenceTransformer("BUNDLE/router")
queries = model.encode_query(["what is distillation?"])
documents = model.encode_document(["Distillation trains a small model to score as a large one does."])
print(model.similarity(queries, documents))
```
"""

_ONNX = """
Queries without torch; int8 is `model_int8.onnx`, one query at a time:

```python
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("BUNDLE/query/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation({max_length})
session = onnxruntime.InferenceSession("BUNDLE/query/onnx/model.onnx")
encoded = tokenizer.encode({prompt!r} + "what is distillation?")
features = {{"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}}
names = [given.name for given in session.get_inputs()]
(vectors,) = session.run(None, {{name: np.array([features[name]], np.int64) for name in names}})
```

| file | bytes | mean cosine with float32 of torch | least, of {texts} texts |
|---|---|---|---|
{files}
"""


def render(
    query: TextEncoder, document: TextEncoder, exported: Sequence[OnnxFile], router: bool, included: bool = False
) -> str:
    """The card's text; it holds no time and no path of the bundle itself.

    Args:
        query: the query tower.
        document: the document tower.
        exported: the ONNX files.
        router: whether the bundle has one.
        included: whether the document tower itself lies in the bundle: where it came from is of no use then.
    """
    return _CARD.format(
        document="the model in `document/`" if included else f"`{document.reference.name}`",
        dimension=document.space.dimension,
        length="unit length" if document.space.normalised else "any length",
        similarity=document.space.similarity,
        rows=(_ROUTER_ROW if router else "") + (_ONNX_ROW if exported else ""),
        router=_ROUTER if router else "",
        onnx=_onnx(query, exported) if exported else "",
    )


def _onnx(query: TextEncoder, exported: Sequence[OnnxFile]) -> str:
    lines = [f"| {file.file} | {file.size} | {file.mean_cosine} | {file.least_cosine} |" for file in exported]
    return _ONNX.format(
        max_length=query.max_length, prompt=query.query_prompt, texts=exported[0].texts, files="\n".join(lines)
    )
