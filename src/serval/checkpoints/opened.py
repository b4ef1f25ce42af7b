"""From a folder to the classifier in torch, whole and trained, whichever toolkit wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from yaml import YAMLError

from serval.checkpoints.config import config_in, why
from serval.checkpoints.emotion2vec import funasr_model, is_funasr, open_emotion2vec
from serval.checkpoints.odyssey import is_odyssey, open_odyssey
from serval.checkpoints.quiet import quiet
from serval.checkpoints.speechbrain import is_speechbrain, open_speechbrain
from serval.checkpoints.transformers_layout import open_transformers
from serval.errors import ModelError, ServalError
from serval.wording import shown

if TYPE_CHECKING:
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint


def opened(folder: Path, name: str, normalize: str | None, revision: str) -> Checkpoint:
    """Return the classifier in a folder; see `serval.checkpoints.open_checkpoint`."""
    try:
        with quiet():
            checkpoint = _by_toolkit(folder, name, normalize)
    except ServalError:
        raise
    except Exception as error:  # torch raises whatever an odd entry makes it stumble over
        raise ModelError(
            f"checkpoint '{name}' cannot be built from its settings and weights: {why(error)}"
        ) from error
    return replace(checkpoint, revision=revision, licence=licence_in(folder / "README.md"))


def _by_toolkit(folder: Path, name: str, normalize: str | None) -> Checkpoint:
    if is_speechbrain(folder):
        return open_speechbrain(folder, name)
    if is_funasr(folder):
        return _open_funasr(folder, name)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"checkpoint '{name}' is not a folder with a config.json (transformers), a "
            "hyperparams.yaml (SpeechBrain), or a config.yaml with a model.pt (FunASR)"
        )
    if is_odyssey(folder, config_in(folder, name)):
        return open_odyssey(folder, name)
    return open_transformers(folder, name, normalize)


def _open_funasr(folder: Path, name: str) -> Checkpoint:
    kind, config = funasr_model(folder, name)
    if kind == "Emotion2vec":
        return open_emotion2vec(folder, name, config)
    raise ModelError(
        f"checkpoint '{name}' is a {shown(kind)} of FunASR, of which serval reads Emotion2vec; run "
        "another one by its own package, pip install funasr, in a file of yours: "
        "-m python:FILE.py:NAME"
    )


def licence_in(card: Path) -> str:
    """Return the licence that a card states, else `""`."""
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
