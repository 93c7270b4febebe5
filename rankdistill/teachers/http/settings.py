"""Settings of the HTTP teachers: where the server is, how hard it may be pressed, what an answer costs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from rankdistill import addresses
from rankdistill.errors import ConfigError
from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.http.apis import APIS
from rankdistill.teachers.settings import Settings as BaseSettings

if TYPE_CHECKING:
    ApiName = str
else:
    ApiName = Literal[*APIS]


class Prices(BaseSettings):
    """What answers cost, in any one currency.

    Args:
        per_request: of one answered request.
        per_1k_tokens: of a thousand tokens, as the server counts them.
        per_1k_searches: of a thousand searches: one query with up to 100 documents.
    """

    per_request: float = Field(default=0.0, ge=0)
    per_1k_tokens: float = Field(default=0.0, ge=0)
    per_1k_searches: float = Field(default=0.0, ge=0)


class Connection(BaseSettings):
    """How to reach one endpoint.

    Args:
        url: the whole address that is posted to, as in `https://api.cohere.com/v2/rerank`.
        api_key_variable: NAME of the environment variable with the key; the key itself is never written anywhere.
        concurrency: requests under way at once.
        requests_per_minute: requests begun a minute at most; None for no limit.
        timeout: seconds to wait for a connection, for an answer to begin, and then for the whole of it.
        retries: further attempts after one that may pass (429, 408, 5xx, time-out, broken connection).
        first_wait: seconds before the first retry; each further wait is twice as long.
        longest_wait: seconds between two attempts at most; a server that asks for more stops the run.
        prices: what answers cost.
    """

    url: str
    api_key_variable: str | None = None
    concurrency: int = Field(default=4, ge=1, le=256)
    requests_per_minute: float | None = Field(default=None, gt=0)
    timeout: float = Field(default=60.0, gt=0)
    retries: int = Field(default=6, ge=0)
    first_wait: float = Field(default=1.0, ge=0)
    longest_wait: float = Field(default=120.0, ge=0)
    prices: Prices = Prices()

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no whole address with http:// or https:// and a host")
        if parts.username or parts.password:
            raise ValueError("holds a user or password; give a key through api_key_variable")
        return url

    @property
    def endpoint(self) -> str:
        """The part of the address that may be written down, which says what is asked: see `rankdistill.addresses`."""
        return addresses.told(self.url)

    def api_key(self) -> str | None:
        """The key; None where the settings name no variable.

        Raises:
            ConfigError: the variable is not set, or empty, or holds what is no key.
        """
        if self.api_key_variable is None:
            return None
        key = os.environ.get(self.api_key_variable, "").strip()
        if not key:
            raise ConfigError(
                expected=f"an API key in the environment variable {self.api_key_variable}",
                got="it is not set, or empty",
                consequence="nothing was sent",
                remedy=f"export {self.api_key_variable}=... and run the same command again",
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(
                expected=f"one line of letters, digits and signs as the key in {self.api_key_variable}",
                got="white space, a line end or another character that no header can hold",
                consequence="nothing was sent; the key is not shown",
                remedy=f"export {self.api_key_variable} again, with the key alone",
            )
        return key


class Prompt(BaseSettings):
    """How a language model is asked about one document (api `openai-logprobs`).

    Args:
        template: the user's message; `{query}` and `{document}` are filled in.
        system: the system message; empty for none.
        yes: the answer that means relevant; compared without case and white space.
        no: the answer that means not relevant.
        top_logprobs: how many likely first tokens the server is asked for.
        unanswered: what to do where neither answer is among them: stop, or give the pair the score 0.
    """

    template: str = (
        "Does the document answer the query? Reply with one word, yes or no.\n\n"
        "Query: {query}\n\nDocument: {document}\n\nAnswer:"
    )
    system: str = ""
    yes: str = "yes"
    no: str = "no"
    top_logprobs: int = Field(default=20, ge=1)
    unanswered: Literal["error", "zero"] = "error"

    @field_validator("template")
    @classmethod
    def _has_places(cls, template: str) -> str:
        missing = [place for place in ("{query}", "{document}") if place not in template]
        if missing:
            raise ValueError(f"the template lacks {' and '.join(missing)}")
        return template


class Settings(Connection):
    """Settings of an `http` teacher: a connection, and what is asked through it.

    Args:
        api: the shape of requests and answers.
        model: the model's name as the server knows it; TEI serves one model and needs none.
        score_kind: the unit of the scores; None takes the API's own (`logit` for TEI and logprobs, else `probability`).
        max_batch: documents a request at most; `openai-logprobs` always asks for one.
        extra: further fields of each request, as in `{max_tokens_per_doc: 512}`; a null removes a field of ours.
        revision: what the server must report: TEI's `model_sha`, or `model` in the answers of Jina and OpenAI.
        prompt: for `openai-logprobs`.
    """

    api: ApiName
    model: str | None = None
    score_kind: ScoreKind | None = None
    max_batch: int = Field(default=32, ge=1)
    extra: Mapping[str, Any] = Field(default_factory=dict)
    revision: str | None = None
    prompt: Prompt = Prompt()

    @model_validator(mode="after")
    def _named_model(self) -> Settings:
        if self.model is None and self.api != "tei":
            raise ValueError(f"api {self.api} needs `model`, the model's name as the server knows it")
        return self
