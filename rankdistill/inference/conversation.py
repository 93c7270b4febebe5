"""How a model that reads conversations has them as one text: `conversation.json` beside the model.

Newest first, as DiSCo trains it (arXiv 2410.14609): `q_n [SEP] a_{n-1} [SEP] q_{n-1} ... [SEP] q_0`, so that a text
that is cut loses the oldest turns. Other formats go by name, see `FORMATS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rankdistill import files, plain_json
from rankdistill.errors import ConfigError, DataError

FILE_NAME = "conversation.json"
"""A model without it does not read conversations."""


@dataclass(frozen=True)
class Conversation:
    """How turns become a text.

    Args:
        separator: between turns, with the spaces around it.
        order: `newest_first` or `oldest_first`.
        answers: whether what was answered is read too, or the user's words alone.
        last: so many of the user's turns at most, the one to be answered among them, with the answers between; None:
            all.
        cut: where a text is longer than the model reads: `turns` leaves out the oldest turns, whole, until it is not;
            `tokens` leaves it to the model, which reads the beginning.

    Raises:
        ConfigError: another order or cut, no separator, or no turn at all.
    """

    separator: str = " [SEP] "
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    answers: bool = True
    last: int | None = None
    cut: Literal["tokens", "turns"] = "tokens"

    def __post_init__(self) -> None:
        typed = isinstance(self.separator, str) and isinstance(self.answers, bool)
        known = self.order in ("newest_first", "oldest_first") and self.cut in ("tokens", "turns")
        some = self.last is None or (type(self.last) is int and self.last >= 1)
        if not typed or not self.separator or not known or not some:
            raise ConfigError(
                expected="a separator, an order (newest_first or oldest_first), whether answers are read, how many of "
                "the user's last turns (1 or more, or null for all), and where it is cut (turns or tokens)",
                got=f"{self.separator!r}, {self.order!r}, {self.answers!r}, {self.last!r}, {self.cut!r}",
                consequence="turns would be joined in another way than the model was trained on",
                remedy=f"write them into {FILE_NAME} as they were in training",
            )

    def join(self, turns: Sequence[str], length: Callable[[str], int] | None = None, most: int | None = None) -> str:
        """The text of a conversation, as the model was trained to read it.

        The question that is to be answered is always whole in it, as far as this class goes: what of it alone is longer
        than the model reads, the model cuts.

        Args:
            turns: oldest first, user and assistant in turn, from the user's first question to the last; an assistant
                that had no answer has an empty text, which is left out.
            length: tokens of a text as the model counts them, special ones too. Used where `cut` is `turns`.
            most: tokens that the model reads; None: it has no limit.

        Raises:
            ConfigError: an even number of turns, or a question without a word; or the format cuts by turns and there is
                a limit but no `length`.
        """
        if len(turns) % 2 == 0 or not all(turn.strip() for turn in turns[::2]):
            got, remedy = "a question without a word", "give an answer that there was none of as an empty text"
            if len(turns) % 2 == 0:
                got = f"{len(turns)} turns"
            elif len(turns) > 1 and not turns[0].strip():
                got = "a conversation that begins with an answer, or with a question without a word"
                remedy = "leave out what the assistant said before the first question"
            raise ConfigError(
                expected="an odd number of turns: questions, with the answer between each two, the last to be answered",
                got=got,
                consequence="an answer would be read as a question",
                remedy=remedy,
            )
        near = turns if self.last is None else turns[-(2 * self.last - 1) :]
        read = [turn for place, turn in enumerate(near) if turn.strip() and (self.answers or place % 2 == 0)]
        return self._text(read[-self._fitting(read, length, most) :])

    def whole(self, turns: Sequence[str]) -> str:
        """The text of a conversation, however long it is: `join` gives another one where it leaves out turns."""
        return replace(self, cut="tokens").join(turns)

    def _text(self, read: Sequence[str]) -> str:
        return self.separator.join(reversed(read) if self.order == "newest_first" else read)

    def _fitting(self, read: Sequence[str], length: Callable[[str], int] | None, most: int | None) -> int:
        """How many of the last turns, as they are read, are not too long together; 1 at least."""
        if self.cut == "tokens" or most is None:
            return len(read)
        if length is None:
            raise ConfigError(
                expected="how long a text is for the model, as this format leaves out whole turns that are too much",
                got=f"a limit of {most} tokens alone",
                consequence="nothing was joined",
                remedy="give `length`, the model's count of the tokens of a text",
            )
        if length(self._text(read)) <= most:
            return len(read)
        fits, too_many = 1, len(read)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if length(self._text(read[-middle:])) <= most:
                fits = middle
            else:
                too_many = middle
        return fits


FORMATS = {
    "newest_first": Conversation(cut="turns"),
    "newest_first_questions": Conversation(answers=False, cut="turns"),
    "oldest_first": Conversation(order="oldest_first", cut="turns"),
    "oldest_first_questions": Conversation(order="oldest_first", answers=False, cut="turns"),
    "last_turn": Conversation(last=1, cut="turns"),
    "disco": Conversation(),
}
"""Name -> format; `disco` is newest first, cut where the model cuts, as the method's authors have it."""


def named(name: str, **settings: Any) -> Conversation:
    """The format of that name; `newest_first:3` reads the last three of the user's turns.

    Args:
        name: a key of `FORMATS`, perhaps with a colon and `last`.
        settings: fields of `Conversation` that replace the format's own; None: they do not.

    Raises:
        ConfigError: no such format or setting, or values that cannot be.
    """
    known, colon, last = name.partition(":")
    some = last.isascii() and last.isdecimal() and len(last) < 9 and int(last) >= 1 and known != "last_turn"
    if known not in FORMATS or (colon and not some):
        raise ConfigError(
            expected=f"a format of conversations: {', '.join(FORMATS)}; with :K, 1 or more, for the last K of the "
            "user's turns (last_turn is one already)",
            got=repr(name),
            consequence="nothing was run",
            remedy="name one of those, as newest_first or newest_first:3",
        )
    given = {key: value for key, value in settings.items() if value is not None}
    if unknown := sorted(given.keys() - Conversation.__dataclass_fields__.keys()):
        raise ConfigError(
            expected=f"settings of a format: {', '.join(Conversation.__dataclass_fields__)}",
            got=", ".join(unknown),
            consequence="nothing was run",
            remedy="leave it out",
        )
    return replace(FORMATS[known], **({"last": int(last)} if colon else {}) | given)


def name_of(conversation: Conversation) -> str:
    """The name by which `named` gives the format, whatever its separator; what it does, where it has none."""
    plain = {name: replace(conversation, separator=known.separator) for name, known in FORMATS.items()}
    if exact := [name for name, one in plain.items() if one == FORMATS[name]]:
        return exact[0]
    if of_last := [name for name, one in plain.items() if replace(one, last=None) == FORMATS[name]]:
        return f"{of_last[0]}:{conversation.last}"
    found = asdict(conversation)
    return ", ".join(f"{field} {found[field]}" for field in ("order", "answers", "last", "cut"))


def separator_of(tokenizer: Any) -> str:
    """What stands between turns for a tokeniser of transformers: its separating token between spaces, else a line end.

    A token of the vocabulary, unlike a mark of letters, is one that the model knows as a border.
    """
    token = tokenizer.sep_token
    return f" {token} " if token else "\n"


def write(folder: str | Path, conversation: Conversation) -> None:
    """Write `conversation.json` into the folder of a model: from now on it reads conversations."""
    files.write_text(Path(folder) / FILE_NAME, json.dumps(asdict(conversation), indent=1) + "\n")


def read(folder: str | Path) -> Conversation | None:
    """How the model in `folder` reads conversations; None where it does not.

    Raises:
        DataError: the file is damaged, or says something unknown.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        content: Any = plain_json.loads(path.read_text(encoding="utf-8-sig"))
        return Conversation(**content)
    except (ValueError, TypeError, ConfigError) as error:
        raise DataError(
            expected=f"the keys separator, order, answers, last and cut in {path}",
            got=" ".join(str(error).split()),
            consequence="conversations would be read in another way than in training, so nothing was run",
            remedy="write the file as `rankdistill.inference.conversation.write` does, or remove it",
        ) from error
