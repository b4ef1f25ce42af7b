"""What a hub set consists of, asked once and kept beside the hub's cache."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants

from serval.datasets.hub_errors import asking_hub
from serval.datasets.layout import (
    Layout,
    class_names_of,
    licence_text,
    only_metadata,
    open_builder,
    split_files,
)
from serval.errors import NetworkError
from serval.files import write_text

__all__ = ["HubSet", "Listing", "listing_of"]

SCHEMA = 1
"""Counts up when stored listings can no longer be read."""

TIMEOUT_S = 10.0

log = logging.getLogger("serval.datasets")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSet:
    """Which set of the hub is meant.

    Attributes:
        repo: `ORG/NAME`.
        config: The configuration, for sets that have several.
        revision: Branch, tag or commit; without it the default branch.
    """

    repo: str
    config: str | None = None
    revision: str | None = None

    @property
    def cache(self) -> Path:
        """The folder in which the hub's client keeps this set."""
        return Path(constants.HF_HUB_CACHE) / f"datasets--{self.repo.replace('/', '--')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a hub set consists of at one commit.

    Attributes:
        commit: The commit.
        layout: The files of each split.
    """

    commit: str
    layout: Layout


def listing_of(hub_set: HubSet) -> Listing:
    """Return what the set consists of now, or what the cache knows where there is no network.

    Raises:
        NetworkError: The hub cannot be reached and the set was never opened before.
        AccessError: The hub wants a token, or an accepted licence.
        DatasetNotFoundError: There is no such set or revision.
    """
    stored = _stored(hub_set)
    if stored is not None and stored.commit == hub_set.revision:
        return stored
    if stored is not None and constants.HF_HUB_OFFLINE:
        return stored
    try:
        return _asked(hub_set, stored)
    except NetworkError as error:
        if stored is None:
            raise
        fault, _, _ = str(error).partition(";")
        log.warning("%s; going on with commit %s from the cache", fault, stored.commit[:12])
        return stored


def _asked(hub_set: HubSet, stored: Listing | None) -> Listing:
    """Return the listing of the newest commit, keeping it for the next time."""
    info = asking_hub(lambda: _info(hub_set), hub_set.repo, hub_set.revision)
    if stored is not None and stored.commit == info.sha:
        return stored
    builder = asking_hub(lambda: _builder(hub_set, info.sha), hub_set.repo, hub_set.revision)
    card = info.card_data.to_dict() if info.card_data else {}
    listing = Listing(
        commit=info.sha,
        layout=Layout(
            splits=split_files(builder, f"hf://datasets/{hub_set.repo}@{info.sha}"),
            class_names=class_names_of(builder),
            n_clips={name: s.num_examples for name, s in (builder.info.splits or {}).items()},
            licence=licence_text(card.get("license")),
            metadata=only_metadata(file.rfilename for file in info.siblings or ()),
        ),
    )
    _keep(hub_set, listing)
    return listing


def _info(hub_set: HubSet) -> Any:  # noqa: ANN401 - the hub's own type differs between versions
    return HfApi().dataset_info(hub_set.repo, revision=hub_set.revision, timeout=TIMEOUT_S)


def _builder(hub_set: HubSet, commit: str) -> Any:  # noqa: ANN401 - untyped in `datasets`
    # A folder of the same name in the working directory would be taken for the set.
    path = f"hf://datasets/{hub_set.repo}" if Path(hub_set.repo).is_dir() else hub_set.repo
    return open_builder(path, hub_set.config, commit)


def _file(hub_set: HubSet) -> Path:
    asked = "-".join(filter(None, (hub_set.revision or "default", hub_set.config)))
    return hub_set.cache / f"serval-{re.sub('[^A-Za-z0-9._-]', '_', asked)}.json"


def _keep(hub_set: HubSet, listing: Listing) -> None:
    content = {"schema": SCHEMA, **asdict(listing)}
    try:
        write_text(_file(hub_set), json.dumps(content, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        log.info("the listing of %s is not kept: %s", hub_set.repo, error)


def _stored(hub_set: HubSet) -> Listing | None:
    try:
        content = json.loads(_file(hub_set).read_text(encoding="utf-8"))
        return _parsed(content) if content.pop("schema") == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _parsed(content: dict[str, Any]) -> Listing:
    layout = content["layout"]
    for part in ("splits", "class_names"):
        layout[part] = {name: tuple(values) for name, values in layout[part].items()}
    layout["metadata"] = tuple(layout["metadata"])
    return Listing(commit=content["commit"], layout=Layout(**layout))
