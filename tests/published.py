"""Tiny random checkpoints in the layouts of those that people download, each with its own forward.

Tensor names, entries of `config.json` and files are as published; the forward is written from the
published description with numpy, on the encoder of transformers, and shares no line with serval.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from build import EMOTIONS
from checkpoints import WAVE

SIZE = WAVE["hidden_size"]
ENCODER = {key: value for key, value in WAVE.items() if key not in ("num_labels", "id2label")}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A folder, and what its classifier gives for a waveform: `(T,) float32 -> (K,)`."""

    folder: Path
    reference: Callable


def zscored(waveform):
    return (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)


def encoder_of(kind="wav2vec2", **options):
    """An encoder with random weights, and its frames as `(F, H)` of normalised samples."""
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[kind](**ENCODER | options)
    encoder = transformers.MODEL_MAPPING[type(config)](config).eval()

    def frames(samples):
        with torch.no_grad():
            return encoder(torch.tensor(samples)[None]).last_hidden_state[0].numpy()

    return encoder, frames


def random_layers(seed=1, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def layer(name, outputs, inputs=SIZE, seed=1):
    rng = np.random.default_rng(seed)
    return {
        f"{name}.weight": rng.normal(0, 0.5, (outputs, inputs)).astype(np.float32),
        f"{name}.bias": rng.normal(0, 0.5, outputs).astype(np.float32),
    }


def through(tensors, name, values):
    return values @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def write(folder, encoder, tensors, config, *, kind="wav2vec2", old=False):
    """Write the folder: weights under the names of their class, config and feature extractor."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"{kind.replace('-', '_')}.{k}": v for k, v in encoder.state_dict().items()}
    weights |= {name: torch.tensor(value) for name, value in tensors.items()}
    if old:
        names = {"parametrizations.weight.original0": "weight_g",
                 "parametrizations.weight.original1": "weight_v"}  # fmt: skip
        for new, before in names.items():
            weights = {name.replace(new, before): value for name, value in weights.items()}
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    said = json.loads(encoder.config.to_json_string(use_diff=False))
    said = {key: value for key, value in said.items() if not key.startswith(("id2", "label2"))}
    (folder / "config.json").write_text(json.dumps(said | config))
    extractor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True,
                 "sampling_rate": 16_000, "feature_size": 1, "padding_value": 0.0,
                 "return_attention_mask": True}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    return folder


def ids(labels):
    return {"id2label": {str(i): name for i, name in enumerate(labels)}}


def audeering(folder, **config):
    """`audeering/*-msp-dim`: a regression of three dimensions, `vocab_size: null`."""
    encoder, frames = encoder_of()
    tensors = layer("classifier.dense", SIZE) | layer("classifier.out_proj", 3, seed=2)

    def reference(waveform):
        hidden = np.tanh(through(tensors, "classifier.dense", frames(zscored(waveform)).mean(0)))
        return through(tensors, "classifier.out_proj", hidden)

    said = ids(["arousal", "dominance", "valence"]) | {
        "architectures": ["Wav2Vec2ForSpeechClassification"],
        "problem_type": "regression", "vocab_size": None, "pooling_mode": "mean",
    }  # fmt: skip
    return Published(folder=write(folder, encoder, tensors, said | config), reference=reference)


def speech_classification(folder, pooling="mean", kind="wav2vec2"):
    """The `*ForSpeechClassification` family: the pooling is in `pooling_mode`."""
    encoder, frames = encoder_of(kind)
    tensors = layer("classifier.dense", SIZE) | layer("classifier.out_proj", 5, seed=2)
    pool = {"mean": np.mean, "sum": np.sum, "max": np.max}[pooling]

    def reference(waveform):
        pooled = pool(frames(zscored(waveform)), axis=0)
        hidden = np.tanh(through(tensors, "classifier.dense", pooled))
        return through(tensors, "classifier.out_proj", hidden)

    labels = ["anger", "disgust", "fear", "happiness", "sadness"]
    said = ids(labels) | {"pooling_mode": pooling, "final_dropout": None, "finetuning_task": "x"}
    written = write(folder, encoder, tensors, said, kind=kind, old=True)
    return Published(folder=written, reference=reference)


def ehcalabres(folder):
    """`ehcalabres/*`: `classifier.dense` + `classifier.output`, claimed as the stock class."""
    encoder, frames = encoder_of()
    tensors = layer("classifier.dense", SIZE) | layer("classifier.output", 8, seed=2)

    def reference(waveform):
        hidden = through(tensors, "classifier.dense", frames(zscored(waveform)).mean(0))
        return through(tensors, "classifier.output", hidden)

    said = ids(EMOTIONS) | {"architectures": ["Wav2Vec2ForSequenceClassification"],
                            "hidden_size": str(SIZE)}  # fmt: skip
    return Published(folder=write(folder, encoder, tensors, said, old=True), reference=reference)


def ctc(folder):
    """`r-f/*`: saved as `Wav2Vec2ForCTC`, its frame logits averaged."""
    encoder, frames = encoder_of()
    labels = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    tensors = layer("lm_head", len(labels))

    def reference(waveform):
        return through(tensors, "lm_head", frames(zscored(waveform))).mean(0)

    said = ids(labels) | {"architectures": ["Wav2Vec2ForCTC"]}
    return Published(folder=write(folder, encoder, tensors, said), reference=reference)


def superb(folder):
    """`superb/*-superb-er`: a weighted layer sum, old weights only, no `use_weighted_layer_sum`."""
    encoder, _ = encoder_of("hubert")
    weights = np.float32([0.3, -0.2, 0.9])
    tensors = layer("projector", 16) | layer("classifier", 4, 16, seed=2)
    tensors["layer_weights"] = weights

    def reference(waveform):
        with torch.no_grad():
            samples = torch.tensor(zscored(waveform))[None]
            states = encoder(samples, output_hidden_states=True).hidden_states
        share = np.exp(weights) / np.exp(weights).sum()
        mixed = sum(w * state[0].numpy() for w, state in zip(share, states, strict=True))
        return through(tensors, "classifier", through(tensors, "projector", mixed).mean(0))

    said = {"label2id": {"hap": 1, "neu": 0, "sad": "3", "ang": 2}}
    written = write(folder, encoder, tensors, said, kind="hubert", old=True)
    return Published(folder=written, reference=reference)


LAYOUTS = {
    "dense, out_proj, mean": lambda folder: speech_classification(folder, "mean"),
    "dense, out_proj, sum, hubert": lambda folder: speech_classification(folder, "sum", "hubert"),
    "dense, out_proj, max, wavlm": lambda folder: speech_classification(folder, "max", "wavlm"),
    "dense, output": ehcalabres,
    "CTC": ctc,
    "weighted layer sum": superb,
}
"""Every published layout whose outputs are emotions."""
