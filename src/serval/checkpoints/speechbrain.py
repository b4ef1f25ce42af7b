"""SpeechBrain's wav2vec2 with a linear layer, out of its files: nothing of its Python is run.

`hyperparams.yaml` is a recipe whose tags make objects of any class; here they are mere names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from serval.checkpoints.checkpoint import Checkpoint
from serval.checkpoints.config import sample_rate_of
from serval.checkpoints.encoders import encoder_of
from serval.checkpoints.front_ends import WholeClip
from serval.checkpoints.heads import Head, LinearHead, PooledClassifier
from serval.checkpoints.weights import pickled_tensors, some, today
from serval.errors import LabelError, ModelError
from serval.labels import LabelSet, names_in_order
from serval.texts import tagged_yaml_in, text_in
from serval.wording import counted, one_line, printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

RECIPE, ENCODER, HEAD, LABELS = (
    "hyperparams.yaml",
    "wav2vec2.ckpt",
    "model.ckpt",
    "label_encoder.txt",
)
POOLING = "StatisticsPooling"
LABEL = re.compile(r"'(.*)' => (\d+)")


def is_speechbrain(folder: Path) -> bool:
    """Tell whether a folder holds a recipe of SpeechBrain."""
    return (folder / RECIPE).is_file()


def open_speechbrain(folder: Path, name: str) -> Checkpoint:
    """Return the classifier in a folder of SpeechBrain: wav2vec2, mean, a linear layer."""
    _refuse_missing_files(folder, name)
    recipe = _recipe(folder, name)
    files = (folder / ENCODER, folder / HEAD)
    encoder = pickled_tensors(files[0]).items()
    head, tensors = _head(files[1], name)
    labels = _labels(folder, name, len(tensors[f"{head.layers[0]}.weight"]))
    model = PooledClassifier(
        encoder_of({today(key).removeprefix("model."): part for key, part in encoder}, name),
        "mean",
        LinearHead(head, tensors),
        frames_normed=_entry(recipe, "wav2vec2", "output_norm") is True,
    )
    return Checkpoint(
        model=model.eval(),
        front_end=WholeClip(),
        head="mean over time, output_mlp",
        head_layers=("head.linear.0",),
        labels=labels,
        sample_rate=sample_rate_of(recipe.get("sample_rate", 16_000), RECIPE, name),
        source=name,
        folder=folder,
        files=files,
        sources={"labels": LABELS, "sample_rate": RECIPE, "normalize": "architecture",
                 "max_seconds": "architecture"},
    )  # fmt: skip


def _refuse_missing_files(folder: Path, name: str) -> None:
    for file in (ENCODER, HEAD, LABELS):
        if not (folder / file).is_file():
            raise ModelError(
                f"checkpoint '{name}' has {RECIPE} but no {file}; of SpeechBrain's networks serval "
                f"reads wav2vec2 with a linear layer, which consists of {RECIPE}, {ENCODER}, "
                f"{HEAD} and {LABELS}"
            )


def _recipe(folder: Path, name: str) -> Mapping[str, Any]:
    try:
        recipe = tagged_yaml_in(folder / RECIPE)
    except ValueError as error:
        raise ModelError(
            f"checkpoint '{name}': its {RECIPE} cannot be read: {one_line(error)}"
        ) from error
    pooling = str(_entry(recipe, "avg_pool", "!") or "")
    if not pooling.endswith(POOLING) or _entry(recipe, "avg_pool", "return_std") is not False:
        raise ModelError(
            f"checkpoint '{name}': avg_pool in its {RECIPE} is {shown(pooling)}; serval reads the "
            f"mean over time alone, which is {POOLING} with return_std: False"
        )
    return recipe  # type: ignore[no-any-return]


def _entry(recipe: object, part: str, key: str) -> object:
    inner = recipe.get(part) if isinstance(recipe, dict) else None
    return inner.get(key) if isinstance(inner, dict) else None


def _head(file: Path, name: str) -> tuple[Head, Mapping[str, Tensor]]:
    tensors = pickled_tensors(file)
    head = Head(layers=("0.w",))
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    if head.tensors(shapes) != shapes.keys() or len(shapes["0.w.weight"]) != 2:
        raise ModelError(
            f"checkpoint '{name}': {HEAD} has {some(set(shapes))}; expected one linear layer, "
            "0.w.weight, without which the head would be random"
        )
    return head, tensors


def _labels(folder: Path, name: str, n_outputs: int) -> tuple[str, ...]:
    """Return the labels; the lines behind the ruler are settings of the encoder itself."""
    try:
        lines = text_in(folder / LABELS).split("=====", 1)[0].splitlines()
        pairs = [found.groups() for line in lines if (found := LABEL.fullmatch(line.strip()))]
        labels = LabelSet(map(printable, names_in_order({index: label for label, index in pairs})))
    except (ValueError, LabelError) as error:
        raise ModelError(
            f"checkpoint '{name}': its {LABELS} cannot be read: {one_line(error)}"
        ) from error
    if len(labels) != n_outputs:
        raise ModelError(
            f"checkpoint '{name}': its weights have {counted(n_outputs, 'output')}, but {LABELS} "
            f"names {len(labels)} ({', '.join(labels)}); download both again"
        )
    return tuple(labels)
