"""The shapes of HTTP APIs by name. Settings read the names; what a name stands for is imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping

APIS: Mapping[str, str] = {
    "tei": "rankdistill.teachers.http.tei:TeiApi",
    "cohere": "rankdistill.teachers.http.cohere:CohereApi",
    "jina": "rankdistill.teachers.http.jina:JinaApi",
    "openai-logprobs": "rankdistill.teachers.http.openai_logprobs:OpenAiLogprobsApi",
}
"""Name -> `module:class` of `(settings)`, an `answers.Api`. Add one here."""
