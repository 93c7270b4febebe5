"""What a publication says that no manifest knows: licence, links, and what others call models and collections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError


class KnownModel(BaseModel):
    """A model of the lineage that is no artefact of ours.

    Args:
        mteb: what mteb calls it; its training data sets are then those that mteb has.
        training_datasets: what it was trained on, by mteb's names where there are such; an empty list for nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mteb: str | None = None
    training_datasets: list[str] | None = None


class Details(BaseModel):
    """What a model card and mteb's `ModelMeta` say besides.

    Args:
        name: `ORGANISATION/MODEL` on the hub.
        license: as the hub writes it, as `apache-2.0`.
        languages: codes with script, as `eng-Latn`.
        release_date: `YYYY-MM-DD`.
        public_training_code: address of the code that trained it.
        public_training_data: address of the data, or true or false.
        reference: address of the model; that of the hub unless given.
        citation: BibTeX, where there is an article.
        contacts: GitHub handles.
        adapted_from: what mteb calls the model that training started from; found in the lineage unless given.
        training_datasets: all that was trained on, the teachers' too; it may not name less than the lineage does.
        models: reference of a model of the lineage (as it was given, or 8 digits or more of the hash of its weights)
            -> what it was trained on, besides what mteb has of its name.
        collections: name of a collection of the lineage, or of a file of texts -> mteb's names of it; an empty list
            for one that mteb does not have. One that was fetched as `mteb:TASK` is that task all the same.
        limits: sentences for the card.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str | None = None
    license: str | None = None
    languages: list[str] = Field(default_factory=lambda: ["eng-Latn"])
    release_date: str | None = None
    public_training_code: str | None = None
    public_training_data: str | bool | None = None
    reference: str | None = None
    citation: str | None = None
    contacts: list[str] = Field(default_factory=list)
    adapted_from: str | None = None
    training_datasets: list[str] | None = None
    models: dict[str, KnownModel] = Field(default_factory=dict)
    collections: dict[str, list[str]] = Field(default_factory=dict)
    limits: list[str] = Field(default_factory=list)


def read(path: Path | None) -> Details:
    """The details in a YAML file; the defaults without one.

    Raises:
        ConfigError: no such file, no YAML, an unknown field, or a value of another type.
    """
    content: dict[str, Any] = {} if path is None else plain_yaml.read_settings(path, "a publication")
    try:
        return Details.model_validate(content, strict=True)
    except ValidationError as error:
        raise ConfigError(
            expected=f"fields of a publication: {', '.join(Details.model_fields)}",
            got=f"{path}: {plain_yaml.fault_of(error)}",
            consequence="nothing was published",
            remedy="docs/publish.md lists them",
        ) from error
