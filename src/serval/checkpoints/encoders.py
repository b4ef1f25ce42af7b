"""Encoders of transformers, with all of their weights and no others, or none.

A checkpoint of another toolkit names the encoder that it was trained from, whose configuration
lies elsewhere on the hub. Its sizes are those of the tensors, and what tensors do not show is the
same in every encoder of that family that was published.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import transformers

from serval.checkpoints.config import why
from serval.checkpoints.weights import misfit, some
from serval.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from serval.checkpoints.weights import Shapes

HARMLESS = ("masked_spec_embed", "num_batches_tracked", "position_ids")
"""Ends of the names of tensors that matter in training only, or are the same in every model."""
OTHER_TASKS = ("quantizer.", "project_hid.", "project_q.", "decoder.", "model.decoder.")
"""Starts of the names of tensors that pretraining or transcription left in a classifier's file."""

STRIDES = (5, 2, 2, 2, 2, 2, 2)
HEAD_SIZE = 64


def is_harmless(key: str) -> bool:
    """Tell whether a tensor may be missing or left over."""
    return key.endswith(HARMLESS) or key.startswith(OTHER_TASKS)


def loaded(kind: Any, config: Any, tensors: dict[str, Tensor], name: str) -> nn.Module:  # noqa: ANN401 - transformers' own class for each family
    """Return a network of transformers with all of these weights and no others."""
    try:
        model, loaded = kind.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            output_loading_info=True,
            attn_implementation="eager",
            dtype="float32",
        )
    except Exception as error:  # transformers raises whatever the file makes it stumble over
        raise ModelError(f"checkpoint '{name}': {why(error)}") from error
    missing = {key for key in loaded["missing_keys"] if not is_harmless(key)}
    unused = {key for key in loaded["unexpected_keys"] if not is_harmless(key)}
    if missing or unused:
        remedy = "save it again with the class that trained it, under the names of transformers"
        raise misfit(name, missing, unused, remedy)
    return model


def encoder_of(tensors: dict[str, Tensor], name: str) -> Any:  # noqa: ANN401 - transformers' own class for each family
    """Return the wav2vec2, HuBERT or WavLM encoder of tensors under transformers' names."""
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    try:
        kind, entries = _kind_and_sizes(shapes)
    except (KeyError, IndexError, ZeroDivisionError, ValueError) as error:
        raise ModelError(
            f"checkpoint '{name}': its encoder is not one of the kind of wav2vec2, HuBERT or WavLM "
            f"(its tensors have no {error}); there are {some(set(shapes))}"
        ) from error
    config = transformers.CONFIG_MAPPING[kind](**entries)
    return loaded(transformers.MODEL_MAPPING[type(config)], config, tensors, name)


def _kind_and_sizes(shapes: Shapes) -> tuple[str, dict[str, Any]]:
    convs = _numbered(shapes, r"feature_extractor\.conv_layers\.(\d+)\.conv\.weight")
    if len(convs) != len(STRIDES):
        raise ValueError(f"{len(STRIDES)} convolutions")
    hidden = shapes["encoder.layer_norm.weight"][0]
    layers = _numbered(shapes, r"encoder\.layers\.(\d+)\.feed_forward\.output_dense\.weight")
    positions = shapes["encoder.pos_conv_embed.conv.parametrizations.weight.original1"]
    each_layer_normed = "feature_extractor.conv_layers.1.layer_norm.weight" in shapes
    entries = {
        "hidden_size": hidden,
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, hidden // HEAD_SIZE),
        "intermediate_size": layers[0][1],
        "conv_dim": [shape[0] for shape in convs],
        "conv_kernel": [shape[2] for shape in convs],
        "conv_stride": list(STRIDES),
        "num_feat_extract_layers": len(convs),
        "conv_bias": "feature_extractor.conv_layers.0.conv.bias" in shapes,
        "num_conv_pos_embeddings": positions[2],
        "num_conv_pos_embedding_groups": hidden // positions[1],
        "feat_extract_norm": "layer" if each_layer_normed else "group",
        "do_stable_layer_norm": each_layer_normed,
    }
    relative = shapes.get("encoder.layers.0.attention.rel_attn_embed.weight")
    if relative is None:
        return "wav2vec2", entries
    return "wavlm", entries | {"num_buckets": relative[0], "num_attention_heads": relative[1]}


def _numbered(shapes: Shapes, pattern: str) -> list[tuple[int, ...]]:
    """Return the shapes of the tensors whose names have a number there, in its order."""
    found = {int(m[1]): shape for key, shape in shapes.items() if (m := re.fullmatch(pattern, key))}
    return [found[i] for i in range(len(found))]
