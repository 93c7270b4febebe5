"""Thirty requests to `/v1/embeddings` that a careless server answers with plausible vectors that mean something else.

A server passes a case if it refuses it (a status of 400 to 499), or, where only a part of a text was read, if its
answer says so. The server that is asked holds the query tower of a bundle alone, without a document tower.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["refused", "flagged", "failed", "silent"]
"""Refused with a reason; answered, and what is wrong is told; a fault of the server (5xx, no answer); answered."""

MODEL = "<model>"
"""Stands for the name of the served model."""

LONG = "<long>"
"""Stands for a text longer than the model reads."""


@dataclass(frozen=True)
class Case:
    """A request, and what a right server does.

    Args:
        name: of the case.
        harm: what the user has when it is answered as if nothing were wrong.
        body: JSON values, added to `{"input": "a river", "model": MODEL}`, or the bytes of a body.
        status: that rankdistill answers with; 200 where it flags.
        headers: beyond `Content-Type: application/json`.
    """

    name: str
    harm: str
    body: Mapping[str, Any] | bytes
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, model: str, longest: int) -> tuple[dict[str, str], bytes]:
        """Headers and body, for a server whose model is called `model` and reads `longest` tokens at most."""
        headers = {"content-type": "application/json", **self.headers}
        if isinstance(self.body, bytes):
            return headers, self.body.replace(MODEL.encode(), model.encode())
        values = {"input": "a river", "model": MODEL} | dict(self.body)
        long = " ".join(["river"] * (2 * longest))
        written = json.dumps(values).replace(json.dumps(MODEL), json.dumps(model))
        return headers, written.replace(json.dumps(LONG), json.dumps(long)).encode()


CASES = (
    Case("token ids", "words of another vocabulary are embedded", {"input": [101, 2023, 102]}),
    Case("lists of token ids", "words of another vocabulary are embedded", {"input": [[101, 2023], [101, 7592]]}),
    Case("unknown model", "vectors of another model than the one asked for", {"model": "text-embedding-3-large"}, 404),
    Case("document for a query tower", "documents embedded as queries find less", {"input_type": "document"}, 409),
    Case("unknown input_type", "what was meant is ignored", {"input_type": "qurey"}),
    Case("input_type and task that differ", "one of the two is ignored", {"input_type": "query", "task": "passage"}),
    Case("misspelt field", "what was meant is ignored", {"imput_type": "document"}),
    Case("dimensions never trained", "vectors cut where they were not trained rank worse", {"dimensions": 7}),
    Case("dimensions beyond the model's", "vectors of another length than asked for", {"dimensions": 100_000}),
    Case("no dimensions", "vectors of another length than asked for", {"dimensions": 0}),
    Case("negative dimensions", "the last numbers of each vector are lost", {"dimensions": -1}),
    Case("dimensions as a text", "vectors of another length than asked for", {"dimensions": "8"}),
    Case("dimensions true", "a vector of one number", {"dimensions": True}),
    Case("broken dimensions", "vectors of another length than asked for", {"dimensions": 4.5}),
    Case("text too long", "the end of the text was not read", {"input": LONG}, 200),
    Case("one text of three too long", "the end of one text was not read", {"input": ["a", LONG, "b"]}, 200),
    Case("text too long, truncate NONE", "a text is cut against the word", {"input": LONG, "truncate": "NONE"}, 422),
    Case("unknown truncate", "what was meant is ignored", {"input": LONG, "truncate": "MIDDLE"}),
    Case("empty text", "the vector of nothing, near to everything", {"input": ""}),
    Case("blank text", "the vector of nothing, near to everything", {"input": " \t\n"}),
    Case("text of no width", "the vector of nothing, near to everything", {"input": "\u200b\u2060\ufeff"}),
    Case("an empty text among others", "the vector of nothing is stored for one document", {"input": ["a", "", "b"]}),
    Case("no texts", "vectors and texts no longer match in number", {"input": []}),
    Case("null among texts", "the word 'None' is embedded, or places shift", {"input": ["a", None, "b"]}),
    Case("an object as text", "its keys are embedded", {"input": {"text": "a river"}}),
    Case("a number as text", "digits are embedded", {"input": 5}),
    Case("unknown encoding_format", "bytes are read as another type", {"encoding_format": "int8"}),
    Case("half of a surrogate pair", "another character is embedded", b'{"model":"<model>","input":"a \\ud800 river"}'),
    Case("bytes that are no UTF-8", "other characters are embedded", b'{"model":"<model>","input":"caf\xe9"}'),
    Case("a key twice", "one of the two inputs is lost", b'{"model":"<model>","input":"a river","input":"bread"}'),
)


def outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """What became of a case; status 0 where no answer came."""
    if 400 <= status < 500:
        return "refused"
    if status != 200:
        return "failed"
    names = {name.lower(): value for name, value in headers.items()}
    if names.get("x-truncated"):
        return "flagged"
    try:
        answer = json.loads(body)
    except ValueError:
        return "failed"
    told = isinstance(answer, dict) and any(answer.get(name) for name in ("truncated", "warnings", "warning"))
    return "flagged" if told else "silent"


def passes(found: Outcome) -> bool:
    """Whether nothing was wrong silently."""
    return found in ("refused", "flagged")
