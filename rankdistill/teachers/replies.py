"""What a language model answered: whether it came to its end, and what of it is no answer but thinking aloud."""

from __future__ import annotations

import re

_TAGS = "think|thinking|thought|thoughts|reasoning"
_PAIRED = re.compile(rf"<({_TAGS})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPENING, _CLOSING = (re.compile(rf"<{slash}(?:{_TAGS})>", re.IGNORECASE) for slash in ("", "/"))


class Reply(str):
    """A reply's text; `is_cut` where the model was stopped at its most tokens, so that the end is missing."""

    is_cut = False

    @classmethod
    def of(cls, text: str, is_cut: bool) -> Reply:
        """The reply of such a text."""
        found = cls(text)
        found.is_cut = is_cut
        return found


def is_cut(reply: str) -> bool:
    """Whether a reply is known to lack its end."""
    return isinstance(reply, Reply) and reply.is_cut


def without_thoughts(reply: str) -> str:
    """A reply without what a reasoning model thinks aloud between tags, as <think> and </think>.

    Where the prompt itself ends in the opening tag, as chat templates of such models have it, the reply has the closing
    one alone: all before it is thought. Where the closing one is missing, thinking did not come to its end.
    """
    rest = _PAIRED.sub("", reply)
    ends = [found.end() for found in _CLOSING.finditer(rest)]
    return _OPENING.split(rest[ends[-1] if ends else 0 :], maxsplit=1)[0]
