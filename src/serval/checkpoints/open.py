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

__all__ = [
    "SETTINGS",
    "WANTED",
    "is_checkpoint",
    "is_weight_file",
    "older_weights",
    "open_checkpoint",
    "refuse_missing",
]

EXTRA = ("torch", "transformers")
WANTED = ("*.json", "*.safetensors", "hyperparams.yaml", "config.yaml", "*.txt", "README.md")
SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "hyperparams.yaml",
    "label_encoder.txt",
    "config.yaml",
    "tokens.txt",
)
"""What decides beside the weights what a checkpoint answers."""
OLDER = ("pytorch_model*.bin",)
PICKLES = {"hyperparams.yaml": ("*.ckpt",), "config.yaml": ("model.pt",)}
"""Which files have the weights beside the settings of SpeechBrain and of FunASR."""


def is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder has the files of a checkpoint, weights included."""
    if any((folder / settings).is_file() and any(map(folder.glob, patterns))
           for settings, patterns in PICKLES.items()):  # fmt: skip
        return True
    try:
        return (folder / "config.json").is_file() and bool(weight_files(folder))
    except ModelError:  # a damaged list of weights is one too, and opening it says what is wrong
        return True


def is_weight_file(file: str) -> bool:
    """Tell whether a file in the top folder has weights, as far as its name tells."""
    return file in {"model.safetensors", "pytorch_model.bin", "model.pt", "model.ckpt"} or (
        file.endswith(".index.json") and "/" not in file
    )


def older_weights(folder: Path) -> tuple[str, ...]:
    """Return the patterns of weight files to fetch into a folder without safetensors files."""
    return next(
        (files for settings, files in PICKLES.items() if (folder / settings).is_file()), OLDER
    )


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
    refuse_missing(name)
    from serval.checkpoints.opened import opened

    return opened(folder, name, normalize, revision)


def refuse_missing(name: str) -> None:
    """Refuse to open checkpoints where torch or transformers is not installed."""
    missing = [package for package in EXTRA if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"checkpoint '{name}' needs {', '.join(missing)}: pip install 'serval-ser[torch]'"
        )
