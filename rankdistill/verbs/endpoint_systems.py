"""What `evaluate` takes of a live embedding service: an address with prefixes, or a YAML file that says all of it."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError
from rankdistill.evaluation.endpoint import Settings
from rankdistill.teachers.registry import is_yaml
from rankdistill.verbs.systems import System


def endpoint_of(
    system: System | None,
    query_prefix: str | None,
    document_prefix: str | None,
    served_model: str | None,
    api_key_env: str | None,
) -> Settings | None:
    """The service that `system` names; None where it names none.

    Raises:
        ConfigError: prefixes or a name of a served model without an address, beside a file that has its own; a file
            with unknown settings.
    """
    given = {"query_prefix": query_prefix, "document_prefix": document_prefix, "model": served_model}
    said = {name: value for name, value in given.items() if value is not None}
    place = fspath(system) if isinstance(system, str | PathLike) else ""
    if is_address(place):
        return _settings({"url": place, "api_key_variable": api_key_env, **said}, repr(place))
    from_file = _is_settings(place)
    if said:
        raise ConfigError(
            expected="query_prefix, document_prefix and served_model beside the address of a service",
            got=f"{', '.join(said)} beside {place or 'no address'}",
            consequence="nothing was evaluated: they would have no effect",
            remedy="write them into the file"
            if from_file
            else "give --model http://HOST/v1/embeddings; a model that lies here has its own prompts",
        )
    if not from_file:
        return None
    found = plain_yaml.read_settings(Path(place), "an endpoint")
    return _settings({"api_key_variable": api_key_env, **found}, place)


def is_address(place: str) -> bool:
    """Whether it is an address of HTTP."""
    return place.startswith(("http://", "https://"))


def require_effect_on_endpoint(**settings: Any) -> None:
    """Raise ConfigError if something is set that a service does not read."""
    if given := [name for name, value in settings.items() if value]:
        raise ConfigError(
            expected="settings that a service reads: query_prefix, document_prefix, served_model, api_key_env, factory",
            got=", ".join(given),
            consequence="nothing was evaluated: the service has its own model and settings",
            remedy="leave them out",
        )


def _is_settings(place: str) -> bool:
    return is_yaml(place) and Path(place).is_file()


def _settings(given: dict[str, Any], where: str) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError(
            expected=f"settings of an endpoint: {', '.join(Settings.model_fields)}",
            got=f"in {where}: {plain_yaml.fault_of(error)}",
            consequence="nothing was evaluated",
            remedy="docs/evaluation.md has an example",
        ) from error
