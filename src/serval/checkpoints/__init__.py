"""A folder with the weights of a classifier -> a network of torch with the head trained for it.

The one place that opens checkpoints, for `serval evaluate` on torch as for `serval export`. Torch
is imported only once something is opened; what comes from the hub is fetched elsewhere.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from serval.checkpoints.weights import weight_files
from serval.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint

__all__ = ["OLD_WEIGHTS", "WANTED", "is_checkpoint", "open_checkpoint"]

EXTRA = ("torch", "transformers")
WANTED = ("*.json", "*.safetensors", "README.md")
OLD_WEIGHTS = "pytorch_model*.bin"
"""What is fetched where there is no safetensors file: many checkpoints have the weights twice."""


def is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder has the files of a checkpoint, weights included."""
    try:
        return (folder / "config.json").is_file() and bool(weight_files(folder))
    except ModelError:  # a damaged list of weights is one too, and opening it says what is wrong
        return True


def open_checkpoint(
    folder: Path, name: str, *, normalize: str | None = None, revision: str = ""
) -> Checkpoint:
    """Return the classifier in a folder.

    Args:
        folder: Where its files are.
        name: What the user calls it: a path, or `hf:ORG/NAME`.
        normalize: `zscore` or `none`, for a checkpoint that does not say.
        revision: The commit of a hub checkpoint.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ConfigError: `normalize` contradicts the checkpoint.
        ModelError: It is no checkpoint of a classifier, or a weight of it is missing, left over or
            cannot be read.
    """
    missing = [package for package in EXTRA if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"checkpoint '{name}' needs {', '.join(missing)}: pip install 'serval-ser[export]'"
        )
    from serval.checkpoints.open import opened

    return opened(folder, name, normalize, revision)
