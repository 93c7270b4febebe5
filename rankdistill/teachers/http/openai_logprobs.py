"""A language model behind an OpenAI-compatible API, asked "yes or no?": the score is ln p(yes) - ln p(no).

The form follows the address: `.../chat/completions` gets messages, `.../completions` one prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.answers import Answer, count_in, is_number, name_in, unreadable
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.settings import Prompt, Settings
from rankdistill.teachers.http.usage import Usage

_PLACES = re.compile(r"\{(query|document)\}")


class OpenAiLogprobsApi:
    """Asks for one token and its likely alternatives, one document a request.

    Args:
        settings: of the teacher; `revision` must be the `model` of the answers.
    """

    score_kind: ScoreKind = "logit"
    max_batch: int | None = 1

    def __init__(self, settings: Settings) -> None:
        self._model, self._prompt = settings.model, settings.prompt
        self.characters_around = len(settings.prompt.template) + len(settings.prompt.system)
        self._chat = urlsplit(settings.url).path.rstrip("/").endswith("/chat/completions")

    def fixed(self) -> Mapping[str, Any]:
        """Model, one token, no sampling, and how many alternatives."""
        listed = self._prompt.top_logprobs
        asked = {"logprobs": True, "top_logprobs": listed} if self._chat else {"logprobs": listed}
        return {"model": self._model, "max_tokens": 1, "temperature": 0, **asked}

    def body(self, query: str, documents: Sequence[str]) -> Mapping[str, Any]:
        """The prompt about the one document."""
        text = fill(self._prompt.template, query, documents[0])
        if not self._chat:
            return {"prompt": f"{self._prompt.system}\n\n{text}" if self._prompt.system else text}
        system = [{"role": "system", "content": self._prompt.system}] if self._prompt.system else []
        return {"messages": [*system, {"role": "user", "content": text}]}

    def read(self, answer: Any, documents: int) -> Answer:
        """The score of the one document; a missing yes or no gets the least probability listed, and is counted."""
        try:
            listed = list(_listed(answer["choices"][0]["logprobs"], self._chat))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise unreadable("log-probabilities of the first token", f"none ({error!r})", answer) from error
        score, gaps = difference(listed, self._prompt)
        if score is None:
            found = ", ".join(repr(token) for token, _ in listed[:8])
            raise unreadable(f"{self._prompt.yes!r} or {self._prompt.no!r} as a likely token", f"only {found}", answer)
        usage = Usage(tokens=count_in(answer, "usage", "total_tokens"), floored=gaps == 1, unanswered=gaps == 2)
        return Answer([score], usage, name_in(answer))

    def server(self, client: Client) -> Mapping[str, Any]:
        """Nothing before the first answer."""
        return {}


def fill(template: str, query: str, document: str) -> str:
    """The template with query and document in their places; braces inside the texts stay as they are."""
    texts = {"query": query, "document": document}
    return _PLACES.sub(lambda place: texts[place.group(1)], template)


def difference(listed: Sequence[tuple[str, float]], prompt: Prompt) -> tuple[float | None, int]:
    """The score ln p(yes) - ln p(no) from the likely first tokens, and how many of the two are not among them.

    Tokens that differ only in case and white space count as one answer: their probabilities are added. One missing
    answer gets the least log-probability listed, which its own cannot exceed. Where both are missing the score is
    0 or None, as `prompt.unanswered` says.

    Args:
        listed: token and natural log-probability.
        prompt: the two answers.
    """
    yes, no = (_log_sum(value for token, value in listed if _same(token, word)) for word in (prompt.yes, prompt.no))
    if yes is None and no is None:
        return (0.0 if prompt.unanswered == "zero" else None), 2
    floor = min(value for _, value in listed)
    gaps = (yes is None) + (no is None)
    return (floor if yes is None else yes) - (floor if no is None else no), gaps


def _same(token: str, word: str) -> bool:
    return token.strip().casefold() == word.strip().casefold()


def _log_sum(values: Iterable[float]) -> float | None:
    found = list(values)
    if not found:
        return None
    top = max(found)
    return top + math.log(sum(math.exp(value - top) for value in found)) if math.isfinite(top) else top


def _listed(logprobs: Any, chat: bool) -> Iterable[tuple[str, float]]:
    """Token and log-probability of the first position, in either form."""
    rows = (
        [(row["token"], row["logprob"]) for row in logprobs["content"][0]["top_logprobs"]]
        if chat
        else list(logprobs["top_logprobs"][0].items())
    )
    for token, value in rows:
        if not isinstance(token, str) or not is_number(value):
            raise ValueError(f"{token!r}: {value!r}")
        yield token, float(value)
