"""From a folder to the classifier in torch, whole and trained, whichever toolkit wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from yaml import YAMLError

from serval.checkpoints.quiet import quiet
from serval.checkpoints.transformers_layout import open_transformers
from serval.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint

__all__ = ["opened"]


def opened(folder: Path, name: str, normalize: str | None, revision: str) -> Checkpoint:
    """Return the classifier in a folder; see `serval.checkpoints.open_checkpoint`."""
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"checkpoint '{name}' is not a folder with a config.json; give a folder in hub "
            "layout, or hf:ORG/NAME"
        )
    with quiet():
        checkpoint = open_transformers(folder, name, normalize)
    return replace(checkpoint, revision=revision, licence=_licence(folder / "README.md"))


def _licence(card: Path) -> str:
    from huggingface_hub import ModelCard

    if not card.is_file():
        return ""
    try:
        data = ModelCard.load(card, ignore_metadata_errors=True).data
    except (ValueError, YAMLError, RecursionError):
        return ""
    stated = data.to_dict().get("license")
    names = stated if isinstance(stated, list) else [stated]
    return ", ".join(str(name) for name in names if name)
