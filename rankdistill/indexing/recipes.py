"""Index recipes: how an index is built, as a small YAML file. The committed ones come with the package (`SHIPPED`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rankdistill import plain_yaml
from rankdistill.errors import ConfigError

SHIPPED = Path(__file__).parent / "shipped"
"""The index recipes that come with the package; `indexes/` of the repository shows them."""


class IndexRecipe(BaseModel):
    """How an index is built, whatever the model and the documents."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    factory: str = Field("exact", description="A back end, or a FAISS factory string such as HNSW32.")
    search_parameters: dict[str, float] = Field(default_factory=dict, description="Such as efSearch or nprobe.")
    build_parameters: dict[str, float | str] = Field(
        default_factory=dict, description="Of the back end, such as k1 or tokenizer."
    )
    shard_size: int | None = Field(
        None, ge=1, description="Documents a shard; null: one, or as many as memory asks for."
    )


def read(path: Path) -> IndexRecipe:
    """The index recipe in a YAML file, or of the package by its bare name, such as `hnsw32`.

    Raises:
        ConfigError: no such file, broken YAML, an unknown setting or an invalid value.
    """
    import yaml

    try:
        content = plain_yaml.read(plain_yaml.shipped(path, SHIPPED))
    except (OSError, yaml.YAMLError) as error:
        raise _invalid(f"{path}: {error}") from error
    return check(content, f"{path}: ")


def check(content: object, place: str = "") -> IndexRecipe:
    """The index recipe with the settings of the mapping `content`; `place` says where they stand.

    Raises:
        ConfigError: no mapping, an unknown setting, or an invalid value.
    """
    try:
        return IndexRecipe.model_validate(content)
    except ValidationError as error:
        raise _invalid(f"{place}{error}") from error


def _invalid(got: str) -> ConfigError:
    return ConfigError(
        expected=f"an index recipe with some of {', '.join(IndexRecipe.model_fields)}",
        got=" ".join(got.split()),
        consequence="no index was built",
        remedy=f"take one that comes with the package ({', '.join(plain_yaml.shipped_names(SHIPPED))}), or look at "
        "those in the repository's folder indexes",
    )
