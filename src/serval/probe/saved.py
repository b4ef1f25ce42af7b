"""Encoder, pooling and head in one ONNX file that every other verb takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from serval import __version__
from serval.errors import ConfigError, ModelError
from serval.export import refuse_missing
from serval.files import whole_files
from serval.models.onnx import load_onnx
from serval.probe.encoder import TRIALS_S
from serval.probe.graph import cut, save_model
from serval.trained_on import TrainedOn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from serval.labels import LabelSet
    from serval.models.onnx import OnnxModel
    from serval.probe.encoder import Encoder
    from serval.probe.graph import Linear

TOLERANCE = 1e-3
"""Largest difference of a logit that rounding may make, as a share of the largest logit."""


def refuse_unsaved(path: Path, encoder: Encoder, kind: str) -> None:
    """Refuse an encoder with a head of a kind that cannot become one file."""
    if path.suffix != ".onnx":
        raise ConfigError(f"--save {path}: the name must end in .onnx")
    if kind == "knn":
        raise ConfigError("--head knn keeps its clips and is no layer; --save logistic or ridge")
    if encoder.parameters:  # torch runs it, which must then write it as a graph
        refuse_missing()
    if len(encoder.inputs) > 1:
        names = ", ".join(of.name for of in encoder.inputs)
        raise ConfigError(f"--save {path}: name the level to keep: --layer, one of {names}")


def save_head(
    path: Path, encoder: Encoder, head: Linear, labels: LabelSet, said: Mapping[str, Any]
) -> None:
    """Write the file, opened once before it takes its name.

    Args:
        path: Ends in .onnx.
        encoder: With its one level, or with those that are summed.
        head: Of all of its features, standardisation and weights of levels included.
        labels: Of its outputs.
        said: Further entries of its metadata; what is no text becomes JSON.
    """
    (of,) = encoder.inputs
    entries = {
        "name": path.stem,
        "labels": list(labels),
        **encoder.contract,
        "license": encoder.licence,
        "encoder": encoder.model.facts["name"],
        "encoder_sha256": encoder.model.facts["sha256"],
        "layer": f"{of.name} ({of.tensors})",
        "pooling": encoder.pooling,
        "made_with": f"serval {__version__} probe",
        **said,
    }
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in entries.items() if v}
    with whole_files(path) as part:
        save_model(cut(encoder.whole(), of.levels, encoder.pooling, head), part, texts)
        _refuse_another(load_onnx(part), encoder, head)


def _refuse_another(saved: OnnxModel, encoder: Encoder, head: Linear) -> None:
    """Refuse a file that says of noise something else than encoder and head say."""
    rng = np.random.default_rng(0)
    for seconds in TRIALS_S:
        n = round(min(seconds, saved.max_seconds) * saved.sample_rate)
        noise, lengths = rng.normal(0, 0.1, (1, n)).astype(np.float32), np.array([n])
        wanted = encoder.model.logits(noise, lengths) @ head.weight + head.bias
        gap = float(np.abs(saved.scores(noise, lengths) - wanted).max())
        if not gap <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise ModelError(
                f"the graph of {encoder.model.facts['name']} differs from the encoder by {gap:.1e} "
                "in a logit; nothing was written"
            )


def trained_on_both(
    encoder: Encoder, clips: Iterable[tuple[str, str]], corpora: tuple[str, ...], split: str
) -> TrainedOn:
    """Return what a head and its encoder, whose file may say it, were trained on together.

    Args:
        encoder: Before its head.
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
