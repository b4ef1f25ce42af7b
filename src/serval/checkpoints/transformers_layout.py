"""A folder that `save_pretrained` of transformers wrote, with whatever head is in its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from serval.checkpoints.checkpoint import Checkpoint, Normalization
from serval.checkpoints.config import (
    config_in,
    config_of,
    labels_in,
    sample_rate_of,
    task_from,
    task_in,
    why,
)
from serval.checkpoints.encoders import is_harmless, loaded
from serval.checkpoints.front_ends import (
    CutAndFilled,
    Over,
    PatchFeatures,
    StackedFeatures,
    WhisperFeatures,
)
from serval.checkpoints.heads import POOLINGS, LinearHead, PooledClassifier, head_of
from serval.checkpoints.weights import Shapes, some, tensors_of, weight_files
from serval.errors import ConfigError, ModelError
from serval.labels import unnamed
from serval.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor


FRONT_ENDS = {
    "whisper": WhisperFeatures,
    "audio-spectrogram-transformer": PatchFeatures,
    "wav2vec2-bert": StackedFeatures,
}
"""Families that see a spectrogram; all others take the waveform itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedNetwork:
    """A network and how its head is called."""

    model: Any
    head: str
    head_layers: tuple[str, ...]


def open_transformers(folder: Path, name: str, normalize: str | None) -> Checkpoint:
    """Return the classifier in a folder with `config.json`.

    `normalize` is `zscore` or `none`, for a checkpoint that does not say.

    Raises:
        ConfigError: `normalize` contradicts the checkpoint.
        ModelError: It is no classifier of audio, or a part of it is missing, damaged or untrained.
    """
    said = config_in(folder, name)
    config = config_of(said, name)
    files = _weights(folder, name)
    extractor = _extractor(folder, name, config, normalize)
    n_outputs, opened = _opened(said, name, tensors_of(files))
    labels, labels_from = labels_in(said, n_outputs, name)
    plain = _checkpoint(folder, name, extractor, opened)
    checkpoint = replace(
        plain,
        labels=labels,
        task=task_in(said, labels, name),
        sources={"labels": labels_from or "default", "task": task_from(said), **plain.sources},
    )
    known = known_of(name)
    return checkpoint if known is None else _as_known(checkpoint, known)


def open_encoder(folder: Path, name: str, normalize: str | None) -> Checkpoint:
    """Return the encoder in a folder with `config.json`, whatever head is in its weights."""
    said = config_in(folder, name)
    config = config_of(said, name)
    files = _weights(folder, name)
    extractor = _extractor(folder, name, config, normalize)
    tensors = tensors_of(files)
    if config.model_type == "whisper":  # which transcribes: only its first half hears
        kind, prefixes = WhisperEncoder, ["model.encoder.", "encoder."]
    else:
        stock = transformers.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]
        kind, prefixes = transformers.MODEL_MAPPING[type(config)], [f"{stock.base_model_prefix}."]
    model = loaded(kind, config, _below(tensors, prefixes), name)
    return _checkpoint(folder, name, extractor, OpenedNetwork(model=model, head="", head_layers=()))


def _below(tensors: Mapping[str, Tensor], prefixes: Sequence[str]) -> dict[str, Tensor]:
    """Return the tensors below the first of these prefixes that any has, else all as they are."""
    for prefix in prefixes:
        own = {key: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if own:
            return {key.removeprefix(prefix): tensor for key, tensor in own.items()}
    return dict(tensors)


def _weights(folder: Path, name: str) -> list[Path]:
    files = weight_files(folder)
    if not files:
        raise ModelError(
            f"checkpoint '{name}' has no weights: neither model.safetensors nor pytorch_model.bin "
            f"is in {folder}; download it again, with all of its files"
        )
    return files


def _checkpoint(folder: Path, name: str, extractor: Any, opened: OpenedNetwork) -> Checkpoint:  # noqa: ANN401 - transformers' own class for each family
    """Return what a folder says of a network beside its labels and its task."""
    config = opened.model.config
    front_end = FRONT_ENDS.get(config.model_type)
    stated = (folder / "preprocessor_config.json").is_file()
    return Checkpoint(
        model=opened.model.eval(),
        extractor=extractor,
        front_end=front_end(extractor) if front_end else None,
        head=opened.head,
        head_layers=opened.head_layers,
        labels=(),
        sample_rate=sample_rate_of(extractor.sampling_rate, "preprocessor_config.json", name),
        normalize=_normalization(extractor, takes_waveform=front_end is None),
        max_seconds=_max_seconds(config, extractor),
        source=name,
        folder=folder,
        files=tuple(weight_files(folder)),
        sources={
            "sample_rate": "preprocessor_config.json" if stated else "default",
            "normalize": "preprocessor_config.json" if stated else "command line",
            "max_seconds": "architecture",
        },
    )


def _as_known(checkpoint: Checkpoint, known: KnownCheckpoint) -> Checkpoint:
    """Return the checkpoint with what only its page says, where that fits its weights."""
    if len(known.labels) != len(checkpoint.labels):
        return checkpoint
    sources, extractor = dict(checkpoint.sources), checkpoint.extractor
    note = (
        f"The model hears the first {known.clip_s:g} s of a clip, as its page says; the rest of "
        "longer ones is not heard."
    )
    labels = checkpoint.labels
    if unnamed(labels):
        labels, sources["labels"] = known.labels, "its page"
    over: Over = "filling"
    if checkpoint.normalize == "none":
        over = "nothing"
    elif extractor.return_attention_mask:
        over = "clip"
    n_samples = round(known.clip_s * checkpoint.sample_rate)
    filled = partial(extractor, padding="max_length", truncation=True, max_length=n_samples)
    return replace(
        checkpoint,
        labels=labels,
        extractor=lambda *clip, **how: {"input_values": filled(*clip, **how)["input_values"]},
        front_end=CutAndFilled(n_samples, over),
        normalize="none",
        sources=sources,
        notes=(note,),
    )


def _extractor(folder: Path, name: str, config: Any, normalize: str | None) -> Any:  # noqa: ANN401 - transformers' own class for each family
    if (folder / "preprocessor_config.json").is_file():
        if normalize:
            raise ConfigError(
                f"--normalize {normalize}: checkpoint '{name}' states its own normalisation in "
                "preprocessor_config.json; leave the option out"
            )
        try:
            return transformers.AutoFeatureExtractor.from_pretrained(
                folder, trust_remote_code=False
            )
        except Exception as error:  # transformers raises whatever the file makes it stumble over
            raise ModelError(
                f"checkpoint '{name}': its preprocessor_config.json is not that of a feature "
                f"extractor for audio: {why(error, 120)}"
            ) from error
    if normalize and hasattr(config, "conv_stride"):
        return transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize == "zscore")
    stated = "" if not hasattr(config, "conv_stride") else ", or state --normalize zscore or none"
    raise ModelError(
        f"checkpoint '{name}' has no preprocessor_config.json, so its normalisation is not known; "
        f"copy the file from the checkpoint that it was trained from{stated}"
    )


def _opened(
    said: Mapping[str, Any], name: str, tensors: Mapping[str, Tensor]
) -> tuple[int, OpenedNetwork]:
    """Return how many outputs there are, and the network with the head that its weights have."""
    shapes = {key: tuple(part.shape) for key, part in tensors.items() if not is_harmless(key)}
    config = config_of(said, name)
    stock = transformers.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]
    with torch.device("meta"):
        wanted = set(stock(config).state_dict()) - {"layer_weights"}
    prefix = "encoder." if config.model_type == "whisper" else f"{stock.base_model_prefix}."
    beside = {key: shape for key, shape in shapes.items() if not key.startswith(prefix)}
    if len(beside) == len(shapes):
        raise ModelError(
            f"checkpoint '{name}': its weights are not those of a {config.model_type}: none has a "
            f"name that begins with {prefix}, there are {some(set(shapes))}"
        )
    _refuse_unweighted(config, beside, name)
    own = {key for key in wanted if not key.startswith(prefix)}
    if own <= beside.keys():
        return _stock(said, name, beside, tensors)
    if not beside:
        raise ModelError(
            f"checkpoint '{name}' lacks trained weights for {some(own)}, which would be random: it "
            "holds an encoder alone; train a classifier on it, or take one that somebody trained"
        )
    head = head_of(beside, own, name)
    pooling = _pooling(said, name) if head.pools else "mean"
    encoder = transformers.MODEL_MAPPING[type(config)]
    network = loaded(encoder, config, _below(tensors, [prefix]), name)
    _refuse_other_width(f"{head.layers[0]}.weight", beside, int(network.config.hidden_size), name)
    model = PooledClassifier(network, pooling, LinearHead(head, tensors))
    layers = tuple(f"head.linear.{i}" for i in range(len(head.layers)))
    opened = OpenedNetwork(model=model, head=head.described(pooling), head_layers=layers)
    return beside[f"{head.layers[-1]}.weight"][0], opened


def _refuse_other_width(weight: str, shapes: Shapes, gives: int, name: str) -> None:
    takes = shapes[weight][1]
    if takes != gives:
        raise ModelError(
            f"checkpoint '{name}': {weight} takes {takes} values but the encoder gives {gives}; "
            "the file is damaged, or of two models"
        )


def _refuse_unweighted(config: Any, beside: Shapes, name: str) -> None:  # noqa: ANN401 - transformers' own class for each family
    """Do nothing if the weights have the sum of layers that the configuration asks for."""
    if getattr(config, "use_weighted_layer_sum", False) and "layer_weights" not in beside:
        raise ModelError(
            f"checkpoint '{name}': its config.json says use_weighted_layer_sum, but its weights "
            "lack layer_weights; download it again, with all of its files, or set the entry to "
            "false where the head was trained on the last layer"
        )


def _stock(
    said: Mapping[str, Any], name: str, beside: Shapes, tensors: Mapping[str, Tensor]
) -> tuple[int, OpenedNetwork]:
    """Return the classifier of transformers itself, of the sizes that its weights have."""
    last = "classifier" if "classifier.weight" in beside else "classifier.dense"
    n_outputs = beside[f"{last}.weight"][0]
    weighted = "layer_weights" in beside
    entries = {**said, "use_weighted_layer_sum": weighted}
    if "projector.weight" in beside:
        entries["classifier_proj_size"] = beside["projector.weight"][0]
    config = config_of(entries, name, n_outputs)
    stock = transformers.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]
    model = loaded(stock, config, dict(tensors), name)
    layers = ("projector", last) if "projector.weight" in beside else (last,)
    described = ", mean over time, ".join(layers)
    head = f"weighted layer sum, {described}" if weighted else described
    return n_outputs, OpenedNetwork(model=model, head=head, head_layers=layers)


def _pooling(said: Mapping[str, Any], name: str) -> str:
    stated = said.get("pooling_mode", "mean")
    if stated not in POOLINGS:
        raise ModelError(
            f"checkpoint '{name}': pooling_mode in its config.json is {shown(stated)}; known: "
            f"{', '.join(POOLINGS)}"
        )
    return str(stated)


def _normalization(extractor: Any, *, takes_waveform: bool) -> Normalization:  # noqa: ANN401 - the extractors of transformers are untyped
    """Return what is done to the waveform; a spectrogram's own normalising is in its front end."""
    normalised = takes_waveform and bool(getattr(extractor, "do_normalize", False))
    return "zscore" if normalised else "none"


def _max_seconds(config: Any, extractor: Any) -> float | None:  # noqa: ANN401 - transformers' own class for each family
    """Return the longest clip that the family takes whole, or `None` where there is no limit."""
    if config.model_type == "whisper":
        return float(extractor.n_samples / extractor.sampling_rate)
    if config.model_type == "audio-spectrogram-transformer":
        return float((extractor.max_length * 160 + 240) / extractor.sampling_rate)
    if getattr(config, "position_embeddings_type", None) == "relative":
        hop = getattr(config, "inputs_to_logits_ratio", 320)
        return float(config.max_source_positions * hop // extractor.sampling_rate)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCheckpoint:
    """What the files of a checkpoint leave out.

    Attributes:
        labels: In the order of the outputs.
        clip_s: Seconds to which each clip is cut or filled with zeros.
    """

    labels: tuple[str, ...]
    clip_s: float


KNOWN: Mapping[str, KnownCheckpoint] = {
    "hubert-base-ch-speech-emotion-recognition": KnownCheckpoint(
        labels=("angry", "fear", "happy", "neutral", "sad", "surprise"), clip_s=6.0
    ),
}
"""By the name of the repository, or of the folder that it was downloaded into."""


def known_of(name: str) -> KnownCheckpoint | None:
    """Return what is known of a checkpoint beyond its files, or `None`.

    Examples:
        >>> known_of("hf:xmj2002/hubert-base-ch-speech-emotion-recognition@main").clip_s
        6.0
    """
    last = name.partition("@refs/")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
    return KNOWN.get(last.partition("@")[0])
