"""How a model that reads conversations has them as one text: `conversation.json` beside the model.

Newest first, as DiSCo trains it (arXiv 2410.14609): `q_n [SEP] a_{n-1} [SEP] q_{n-1} ... [SEP] q_0`, so that a text
that is cut loses the oldest turns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rankdistill import files
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

    Raises:
        ConfigError: another order, or no separator.
    """

    separator: str = " [SEP] "
    order: Literal["newest_first", "oldest_first"] = "newest_first"
    answers: bool = True

    def __post_init__(self) -> None:
        typed = isinstance(self.separator, str) and isinstance(self.answers, bool)
        if not typed or not self.separator or self.order not in ("newest_first", "oldest_first"):
            raise ConfigError(
                expected="a separator, an order (newest_first or oldest_first), and whether answers are read",
                got=f"{self.separator!r}, {self.order!r}, {self.answers!r}",
                consequence="turns would be joined in another way than the model was trained on",
                remedy=f"write them into {FILE_NAME} as they were in training",
            )

    def join(self, turns: Sequence[str]) -> str:
        """The text of a conversation, as the model was trained to read it.

        Args:
            turns: oldest first, user and assistant in turn, from the user's first question to the last; an assistant
                that had no answer has an empty text, which is left out.

        Raises:
            ConfigError: an even number of turns, or a question without a word.
        """
        if len(turns) % 2 == 0 or not all(turn.strip() for turn in turns[::2]):
            raise ConfigError(
                expected="an odd number of turns: questions, with the answer between each two, the last to be answered",
                got=f"{len(turns)} turns" if len(turns) % 2 == 0 else "a question without a word",
                consequence="an answer would be read as a question",
                remedy="give an answer that there was none of as an empty text",
            )
        read = [turn for place, turn in enumerate(turns) if turn.strip() and (self.answers or place % 2 == 0)]
        return self.separator.join(reversed(read) if self.order == "newest_first" else read)


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
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        return Conversation(**content)
    except (ValueError, TypeError, ConfigError) as error:
        raise DataError(
            expected=f"the keys separator, order and answers in {path}",
            got=" ".join(str(error).split()),
            consequence="conversations would be read in another way than in training, so nothing was run",
            remedy="write the file as `rankdistill.inference.conversation.write` does, or remove it",
        ) from error
