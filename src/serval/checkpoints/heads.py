"""The heads that published classifiers have on an encoder of transformers, told by their tensors.

The names decide, not the class that `config.json` claims: under another class transformers would
load a random head, with a warning that few read. A further head is one entry of `HEADS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from serval.checkpoints.front_ends import normed
from serval.checkpoints.weights import misfit
from serval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serval.checkpoints.weights import Shapes

Activation = Literal["tanh", "none"]
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "none": lambda hidden: hidden,
}
POOLINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda frames: frames.mean(dim=1),
    "sum": lambda frames: frames.sum(dim=1),
    "max": lambda frames: frames.amax(dim=1),
}
"""`(B, F, H)` frames -> `(B, H)`, by what `pooling_mode` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Linear layers behind a pooling over time.

    Attributes:
        layers: Names of the linear layers in the weight file, the last one giving the scores.
        activation: Between them.
        pools: Whether `pooling_mode` decides the pooling; else it is the mean.
    """

    layers: tuple[str, ...]
    activation: Activation = "none"
    pools: bool = False

    def tensors(self, shapes: Shapes) -> set[str]:
        """Return the names of its tensors; a layer without a bias has one."""
        biases = {f"{layer}.bias" for layer in self.layers} & shapes.keys()
        return {f"{layer}.weight" for layer in self.layers} | biases

    def described(self, pooling: str) -> str:
        """Return the head in words."""
        between = f", {self.activation}, " if self.activation != "none" else ", "
        return f"{pooling} over time, {between.join(self.layers)}"


HEADS = (
    Head(layers=("classifier.dense", "classifier.out_proj"), activation="tanh", pools=True),
    # What stood between these two was never published; measured on RAVDESS it hardly matters, and
    # nothing is best.
    Head(layers=("classifier.dense", "classifier.output")),
    Head(layers=("classifier.out_proj",), pools=True),
    Head(layers=("classifier",), pools=True),
    # The mean of the frames' scores is the score of their mean.
    Head(layers=("lm_head",)),
)
"""Beside the heads of transformers itself, each of which its own class opens."""


def head_of(shapes: Shapes, usual: set[str], name: str) -> Head:
    """Return the head that has exactly these tensors, whose layers fit each other.

    Args:
        shapes: Of all tensors beside those of the encoder.
        usual: Names of those that the head of transformers itself would have.
        name: What the user calls the checkpoint.
    """
    for head in HEADS:
        if head.tensors(shapes) == shapes.keys():
            _refuse_unfit(head, shapes, name)
            return head
    remedy = (
        "serval knows no head of these tensors: save it again with the class that trained it, "
        "under the names of transformers"
    )
    raise misfit(name, usual - shapes.keys(), shapes.keys() - usual, remedy)


def _refuse_unfit(head: Head, shapes: Shapes, name: str) -> None:
    weights = [f"{layer}.weight" for layer in head.layers]
    for weight in weights:
        if len(shapes[weight]) != 2:
            raise ModelError(
                f"checkpoint '{name}': {weight} has the shape {list(shapes[weight])}, which is no "
                "linear layer; download it again"
            )
    for first, second in pairwise(weights):
        if shapes[first][0] != shapes[second][1]:
            raise ModelError(
                f"checkpoint '{name}': {first} gives {shapes[first][0]} values but {second} takes "
                f"{shapes[second][1]}; the file is damaged, or of two models"
            )


@dataclass(slots=True)
class HeadOutput:
    """What a model of ours gives, under the name that those of transformers have.

    Attributes:
        logits: `(B, K) float32`.
    """

    logits: Tensor


class LinearHead(nn.Module):
    """`(B, H)` pooled frames -> `(B, K)` scores."""

    def __init__(self, head: Head, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.linear = nn.ModuleList(_linear(layer, tensors) for layer in head.layers)
        self.activation = head.activation

    def forward(self, pooled: Tensor) -> Tensor:
        """Return the scores."""
        between = ACTIVATIONS[self.activation]
        for layer in list(self.linear)[:-1]:
            pooled = between(layer(pooled))
        return self.linear[-1](pooled)


class PooledClassifier(nn.Module):
    """An encoder of transformers, a pooling over time, and a head."""

    def __init__(
        self,
        encoder: Any,  # noqa: ANN401 - transformers' own class for each family
        pooling: str,
        head: nn.Module,
        *,
        frames_normed: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config
        self.pooling = pooling
        self.head = head
        self.frames_normed = frames_normed

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> HeadOutput:
        """Return the scores of `(B, T)` samples, of which a mask may mark the valid ones."""
        frames = self.encoder(input_values, attention_mask=attention_mask).last_hidden_state
        if self.frames_normed:
            frames = normed(frames)
        if attention_mask is None:
            return HeadOutput(self.head(POOLINGS[self.pooling](frames)))
        valid = self.encoder._get_feature_vector_attention_mask(  # noqa: SLF001 - no public name
            frames.shape[1], attention_mask
        )[..., None]
        return HeadOutput(self.head(_pooled_where(frames, valid, self.pooling)))

    def _get_feat_extract_output_lengths(self, n_samples: Tensor) -> Tensor:
        """Return how many frames that many samples give; transformers' own name for it."""
        return self.encoder._get_feat_extract_output_lengths(n_samples)  # noqa: SLF001 - no public name


def _pooled_where(frames: Tensor, valid: Tensor, pooling: str) -> Tensor:
    """Return what the pooling gives over the valid frames alone."""
    if pooling == "max":
        return frames.masked_fill(~valid.bool(), float("-inf")).amax(dim=1)
    total = (frames * valid.to(frames.dtype)).sum(dim=1)
    return total if pooling == "sum" else total / valid.sum(dim=1).to(frames.dtype)


def _linear(layer: str, tensors: Mapping[str, Tensor]) -> nn.Linear:
    weight, bias = tensors[f"{layer}.weight"], tensors.get(f"{layer}.bias")
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    made.weight = nn.Parameter(weight.float(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.float(), requires_grad=False)
    return made
