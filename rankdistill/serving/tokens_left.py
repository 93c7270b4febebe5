"""Texts as tokens, and the refusal of those of which the tokenizer leaves none."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from rankdistill.serving.contracts import ServedModel, Side, Token
from rankdistill.serving.fields import shown
from rankdistill.serving.refusals import EmptyError

_LETTER = re.compile(r"[^\W_]")
"""Letters and digits of any script, of which a tokenizer leaves some token."""

_BESIDE = 4000
"""Characters beyond which texts are tokenised beside the event loop."""


async def tokens(model: ServedModel, texts: Sequence[str], side: Side, *, special: bool) -> list[list[Token]]:
    """`model.tokenise`, which does not keep others waiting where the texts are long."""
    if sum(map(len, texts)) <= _BESIDE:
        return model.tokenise(texts, side, special)
    return await asyncio.to_thread(model.tokenise, texts, side, special)


async def require_tokens(model: ServedModel, texts: Sequence[str], side: Side) -> None:
    """Raise EmptyError where a text leaves no token: its vector is that of nothing, and plausible."""
    for place, text in enumerate(texts):
        if not _LETTER.search(text) and not (await tokens(model, [text], side, special=False))[0]:
            raise EmptyError(
                expected="texts of which a token is left",
                got=f"{shown(text)} at place {place}, of which the tokenizer leaves none",
                consequence="nothing was answered: the vector of nothing means nothing",
                remedy="leave out texts that say nothing in the model's script before you send",
            )
