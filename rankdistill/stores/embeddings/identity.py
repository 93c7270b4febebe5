"""What texts and vectors are known by: their content, whatever file they came from."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

from rankdistill.stores.keys import KEY_BYTES, text_hash
from rankdistill.teachers.base import Role

_WORD = re.compile(r"[^\W_]+")


def text_id(kind: Role, text: str) -> str:
    """32 hex digits from the kind and the text."""
    return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).hexdigest()


def vector_key(identifier: str, teacher_id: str) -> bytes:
    """The key of a vector, 16 bytes, from its text's id and the teacher's fingerprint."""
    return blake2b(bytes.fromhex(identifier) + teacher_id.encode(), digest_size=KEY_BYTES).digest()


def alike_hash(text: str) -> bytes:
    """The same 16 bytes for texts that say the same: compatibility forms, case, punctuation and spaces do not count.

    A text without any letter or digit keeps its symbols.
    """
    folded = text.casefold()
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text_hash(" ".join(_WORD.findall(folded) or folded.split()))
