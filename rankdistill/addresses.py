"""What of an address of HTTP may be written down, into manifests and messages: neither who asks nor a key."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, quote, urlsplit

_SECRET = re.compile(
    r"(?:(?<!partition[-_])key|(?<!max[-_])token|secret|signature|password|passwd|passfile|credential|authorization)s?"
    r"(?:[-_]?(?:value|\d+))?(?:\[\])?$|(?:^|[-_.])(?:sig|auth|pwd|pw|pass|sas|jwt|bearer)(?:\[\])?$|^code$",
    re.IGNORECASE,
)
"""The end of a parameter's name, whose value is a secret."""

_PARAMETER = re.compile(r"([?&]([^=&#\s]+)=)[^&#\s]*")

PLAIN = 24
"""Characters of a value at most that is written as it is: what is longer may be a key under another name."""


def told(url: str) -> str:
    """Host, port and path, and the parameters that say what is asked for, by name, without secrets.

    A value of more than `PLAIN` characters is told by its hash.
    """
    parts = urlsplit(url)
    place = f"{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    given = sorted(parse_qsl(parts.query, keep_blank_values=True))
    said = [f"{quote(name)}={_value(value)}" for name, value in given if not _SECRET.search(name)]
    return f"{place}?{'&'.join(said)}" if said else place


def without_secrets(text: str) -> str:
    """`text`, where the values of secret parameters of an address are `***`."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(lambda found: f"{found[1]}***" if _SECRET.search(found[2]) else found[0], text)


def _value(value: str) -> str:
    return quote(value) if len(value) <= PLAIN else hashlib.sha256(value.encode()).hexdigest()[:12]
