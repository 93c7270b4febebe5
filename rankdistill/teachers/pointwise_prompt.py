"""Prompts that ask a language model about one document: text before the document, the document, text after it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rankdistill.errors import ConfigError

_PLACE = re.compile(r"\{(instruction|query|document)\}")

WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"
"""The instruction that Qwen3-Reranker takes where none is given."""


@dataclass(frozen=True)
class Builtin:
    """A template with a name.

    Args:
        text: the template.
        specials: what a tokeniser must know as single tokens for the template to make sense.
    """

    text: str
    specials: tuple[str, ...] = ()


TEMPLATES = {
    # The form that the Qwen3-Reranker models were trained with (their model cards), thinking switched off.
    "qwen3-reranker": Builtin(
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
        "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ("<|im_start|>", "<|im_end|>"),
    ),
    "plain": Builtin(
        "{instruction}.\n\nQuery: {query}\n\nDocument: {document}\n\n"
        "Does the document answer the query? Answer yes or no.\n\nAnswer:\n"
    ),
}
"""Name -> template."""


@dataclass(frozen=True)
class PointwisePrompt:
    """A template around one document.

    Args:
        template: text with `{document}` once, `{query}` at least once, and `{instruction}` at will.
        instruction: what stands for `{instruction}`.

    Raises:
        ConfigError: a place is missing, or the document stands there twice.
    """

    template: str
    instruction: str

    def __post_init__(self) -> None:
        places = _PLACE.findall(self.template)
        if places.count("document") != 1 or "query" not in places:
            names = ", ".join(TEMPLATES)
            raise ConfigError(
                expected=f"a template with {{query}} and one {{document}}, or a name among {names}",
                got=repr(self.template[:200]),
                consequence="nothing was scored",
                remedy="correct the setting `template`",
            )

    def before(self, query: str) -> str:
        """The text before the document."""
        return self._fill(self.template.partition("{document}")[0], query)

    def after(self, query: str) -> str:
        """The text after the document."""
        return self._fill(self.template.partition("{document}")[2], query)

    def _fill(self, text: str, query: str) -> str:
        values = {"instruction": self.instruction, "query": query}
        return _PLACE.sub(lambda place: values[place[1]], text)
