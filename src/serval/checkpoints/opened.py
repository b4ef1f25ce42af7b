"""From a folder to the classifier in torch, whole and trained, whichever toolkit wrote it."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import transformers
from yaml import YAMLError

from serval.checkpoints.config import config_in, why
from serval.checkpoints.emotion2vec import funasr_model, is_funasr, open_emotion2vec
from serval.checkpoints.odyssey import is_odyssey, open_odyssey
from serval.checkpoints.speechbrain import is_speechbrain, open_speechbrain
from serval.checkpoints.transformers_layout import open_encoder, open_transformers
from serval.errors import ModelError, ServalError
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serval.checkpoints.checkpoint import Checkpoint


REMARKS: tuple[tuple[str, type[Warning]], ...] = (
    # The exporter on its own future.
    (r"`isinstance\(treespec", FutureWarning),
    # A cache of the rotary conformer, which the graph does not need.
    ("The tensor attribute", UserWarning),
    # Samples and mask share their dimensions, as they should.
    ("# The axis name", UserWarning),
    # WavLM adds a float bias to a boolean mask.
    ("Support for mismatched key_padding_mask", UserWarning),
    # Of the finest bands of a filter bank with more bands than its transform can tell apart.
    ("At least one mel filter has all zero values", UserWarning),
)
"""Of torch and transformers that are not the user's business."""
LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")


@contextmanager
def quiet() -> Iterator[None]:
    """Hide these remarks, log lines below errors, and progress bars of loading, in this block."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    verbosity = transformers.logging.get_verbosity()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for message, kind in REMARKS:
                warnings.filterwarnings("ignore", message, kind)
            yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        transformers.logging.enable_progress_bar()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@quiet()
def opened(folder: Path, name: str, normalize: str | None, revision: str) -> Checkpoint:
    """Return the classifier in a folder; see `serval.checkpoints.open_checkpoint`."""
    try:
        checkpoint = _by_toolkit(folder, name, normalize)
    except ServalError:
        raise
    except Exception as error:  # torch raises whatever an odd entry makes it stumble over
        raise ModelError(
            f"checkpoint '{name}' cannot be built from its settings and weights: {why(error)}"
        ) from error
    return replace(checkpoint, revision=revision, licence=licence_in(folder / "README.md"))


@quiet()
def open_hidden_levels(folder: Path, name: str, normalize: str | None) -> Checkpoint:
    """Return the encoder in a folder with `config.json`, without any head."""
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"checkpoint '{name}' has no config.json: the levels of an encoder are read from "
            "checkpoints of transformers and from ONNX files"
        )
    encoder = open_encoder(folder, name, normalize)
    return replace(encoder, licence=licence_in(folder / "README.md"))


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
