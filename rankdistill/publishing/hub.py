"""What leaves this machine: the weights and the card to the hub, the results to mteb's repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankdistill import files, locations
from rankdistill._extras import require
from rankdistill.errors import DataError
from rankdistill.models import ModelReference
from rankdistill.publishing import eval_results, writing

NOT_SENT = ("manifest.json", "training_log.json")
"""Beside a model: they may name folders of the machine that made it."""


def require_token() -> str:
    """The hub's token, from its login or the variable HF_TOKEN.

    Raises:
        DataError: there is none, or the hub is switched off.
    """
    hub = require("huggingface_hub", "the hub")
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise _not_sent("the hub within reach", "HF_HUB_OFFLINE is set", "unset it")
    token = hub.get_token()
    if not token:
        raise _not_sent("a token of the hub", "none", "log in: hf auth login; or set HF_TOKEN")
    return str(token)


def push(name: str, model: Path, out: Path) -> str:
    """Upload the model with the card of the publication; returns the commit.

    Args:
        name: of the repository; made where it is not there, open to all.
        model: the folder that is published.
        out: the publication.

    Raises:
        DataError: no token, or the hub refuses.
    """
    hub = require("huggingface_hub", "the hub")
    token = require_token()
    with files.temporary_folder() as folder, _told("the model was not uploaded"):
        for path in ModelReference(name, model).files():
            if path.name not in NOT_SENT:
                target = folder / path.relative_to(model)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        for overlay in locations.listing(out / writing.MODEL, "**/*"):
            if overlay.is_file():
                shutil.copyfile(overlay, folder / overlay.relative_to(out / writing.MODEL))
        shutil.copyfile(out / writing.CARD, folder / writing.CARD)
        api = hub.HfApi(token=token)
        api.create_repo(name, repo_type="model", exist_ok=True)
        made = api.upload_folder(
            repo_id=name, repo_type="model", folder_path=folder, commit_message=f"Add {name}, published by rankdistill"
        )
    return str(made.oid)


def push_figures(meta: Any, out: Path) -> None:
    """Upload card and `.eval_results` of the publication, which name the commit by now; DataError as `push`."""
    hub = require("huggingface_hub", "the hub")
    api = hub.HfApi(token=require_token())
    with _told("the figures were not uploaded"):
        api.upload_file(
            path_or_fileobj=out / writing.CARD, path_in_repo=writing.CARD, repo_id=meta.name, repo_type="model"
        )
        if (out / eval_results.FOLDER).is_dir():
            meta.push_eval_results(cache=require("mteb", "mteb's results").ResultCache(out))


def submit(meta: Any, out: Path) -> str:
    """Open a pull request with the results in mteb's repository; returns its address, or what mteb says instead.

    Raises:
        DataError: no network, no login at GitHub, or mteb refuses.
    """
    mteb = require("mteb", "mteb's results repository")
    with _told("the results were not submitted"):
        found = mteb.ResultCache(out).submit_results(models=[meta], create_pr=True)
    return str(found.get("pr_url") or found.get("status"))


@contextmanager
def _told(consequence: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # the clients of hub and git raise many kinds; each means that it was not sent
        lines = str(error).splitlines() or [type(error).__name__]
        raise DataError(
            expected="hub and GitHub to take the publication",
            got=f"{type(error).__name__}: {lines[0]}",
            consequence=f"{consequence}; what lies here is whole",
            remedy="check network, login and the name's organisation, and run the command again",
        ) from error


def _not_sent(expected: str, got: str, remedy: str) -> DataError:
    return DataError(expected=expected, got=got, consequence="nothing was sent", remedy=remedy)
