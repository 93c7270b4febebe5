"""What of an address is written down."""

from __future__ import annotations

import pytest

from rankdistill.addresses import told, without_secrets


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/v1/rerank", "host/v1/rerank"),
        ("http://127.0.0.1:80/", "127.0.0.1:80/"),
        ("https://host/v1?b=2&a=1", "host/v1?a=1&b=2"),
        ("https://host/v1?deployment=A B&flag=", "host/v1?deployment=A%20B&flag="),
        (
            "https://host/v1?max_tokens=512&api-version=2024-02-15-preview",
            "host/v1?api-version=2024-02-15-preview&max_tokens=512",
        ),
        (
            "https://host/v1?key=s&subscription-key=s&access_token=s&sig=s&X-Amz-Signature=s&code=s&pwd=s&a=1",
            "host/v1?a=1",
        ),
        ("https://host/v1?api_key=s#part", "host/v1"),
        ("https://host/v1?jwt=s&pw=s&bearer=s&keys=s&apikey[]=s&subscription-key1=s&client_secret_value=s", "host/v1"),
        ("https://host/v1?partition_key=EU&max_token=5", "host/v1?max_token=5&partition_key=EU"),
    ],
)
def test_parameters_are_told_and_secrets_are_not(url: str, expected: str) -> None:
    assert told(url) == expected


def test_a_long_value_is_told_by_its_hash() -> None:
    one, other = (told(f"https://host/v1?who={letter * 32}") for letter in "ab")
    assert one != other
    assert "aaaa" not in one
    assert len(one) == len("host/v1?who=") + 12


def test_every_secret_of_an_address_is_hidden_and_nothing_else() -> None:
    given = "--url=https://host/v1?api_key=a&model=m&sig=b#part"
    assert without_secrets(given) == "--url=https://host/v1?api_key=***&model=m&sig=***#part"
    assert without_secrets("what?key=word") == "what?key=word"
