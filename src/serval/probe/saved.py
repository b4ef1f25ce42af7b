"""Encoder, pooling and head in one ONNX file that every other verb takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from serval import __version__
from serval.errors import ConfigError
from serval.files import whole_files
from serval.models.onnx import load_onnx
from serval.probe.graph import cut, save_model
from serval.trained_on import TrainedOn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from serval.labels import LabelSet
    from serval.probe.encoder import Encoder
    from serval.probe.graph import Linear

__all__ = ["refuse_unsaved", "save_head", "trained_on_both"]


def refuse_unsaved(path: Path, encoder: Encoder, kind: str) -> None:
    """Do nothing if an encoder with a head of this kind can become one file.

    Raises:
        ConfigError: It cannot.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"--save {path}: the name must end in .onnx")
    if kind == "knn":
        raise ConfigError("--head knn keeps its clips and is no layer; --save logistic or ridge")
    if encoder.graph is None:
        raise ConfigError(
            f"--save {path}: the encoder is run by torch; make an ONNX file of it with serval "
            "export, and probe that"
        )
    if len(encoder.levels) > 1:
        names = ", ".join(level.name for level in encoder.levels)
        raise ConfigError(f"--save {path}: name the level to keep: --layer, one of {names}")


def save_head(
    path: Path, encoder: Encoder, head: Linear, labels: LabelSet, said: Mapping[str, Any]
) -> None:
    """Write the file, opened once before it takes its name.

    Args:
        path: Ends in .onnx.
        encoder: With its one level.
        head: Standardisation included.
        labels: Of its outputs.
        said: Further entries of its metadata; what is no text becomes JSON.
    """
    if encoder.graph is None:
        raise ConfigError(f"--save {path}: the encoder is run by torch, and has no graph")
    entries = {
        "name": path.stem,
        "labels": list(labels),
        **encoder.contract,
        "license": encoder.licence,
        "encoder": encoder.model.facts["name"],
        "encoder_sha256": encoder.model.facts["sha256"],
        "layer": f"{encoder.levels[0].name} ({encoder.levels[0].tensor})",
        "pooling": encoder.pooling,
        "made_with": f"serval {__version__} probe",
        **said,
    }
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in entries.items() if v}
    with whole_files(path) as part:
        save_model(cut(encoder.graph, encoder.levels, encoder.pooling, head), part, texts)
        load_onnx(part)


def trained_on_both(
    encoder: Encoder, clips: Iterable[tuple[str, str]], corpora: tuple[str, ...], split: str
) -> TrainedOn:
    """Return what a head and its encoder were trained on together.

    Args:
        encoder: Whose file may say what it was trained on.
        clips: `(clip id, sha256 of the encoded file)` of what the head was trained on.
        corpora: Their corpora, by name.
        split: The set with its split, as people read it.
    """
    head, own = TrainedOn.of_clips(clips, corpora, (split,)), encoder.model.contract.trained_on
    if own is None:
        return head
    return TrainedOn(
        corpora=tuple(dict.fromkeys((*own.corpora, *head.corpora))),
        splits=tuple(dict.fromkeys((*own.splits, *head.splits))),
        names=np.union1d(own.names, head.names),
        audio=np.union1d(own.audio, head.audio),
    )
