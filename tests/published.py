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


def audeering(folder, layers=2, **config):
    """`audeering/*-msp-dim`: a regression of three dimensions, `vocab_size: null`."""
    encoder, frames = encoder_of(num_hidden_layers=layers)
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


def speechbrain(folder, layers=2):
    """`speechbrain/emotion-recognition-wav2vec2-IEMOCAP`: a recipe, two `.ckpt`, labels."""
    encoder, frames = deep_encoder("wav2vec2", num_hidden_layers=layers)
    tensors = {"0.w.weight": random_layers(w=(4, encoder.config.hidden_size))["w"]}

    def reference(waveform):
        hidden = frames(normed(waveform))
        return normed(hidden).mean(0) @ tensors["0.w.weight"].T

    folder.mkdir(parents=True)
    weights = {f"model.{name}": value for name, value in encoder.state_dict().items()}
    torch.save(weights, folder / "wav2vec2.ckpt")
    torch.save({k: torch.tensor(v) for k, v in tensors.items()}, folder / "model.ckpt")
    (folder / "hyperparams.yaml").write_text(RECIPE)
    (folder / "label_encoder.txt").write_text(
        "'neu' => 0\n'ang' => 1\n'sad' => 3\n'hap' => 2\n================\n'starting_index' => 0\n"
    )
    (folder / "custom_interface.py").write_text("raise SystemExit('it was run')\n")
    (folder / "config.json").write_text('{"speechbrain_interface": "custom_interface.py"}')
    return Published(folder=folder, reference=reference)


RECIPE = """
wav2vec2_hub: facebook/wav2vec2-base
sample_rate: 16000
encoder_dim: 768
out_n_neurons: 4
__set_seed: !apply:os.system ["touch it_was_run"]
wav2vec2: !new:speechbrain.lobes.models.huggingface_transformers.wav2vec2.Wav2Vec2
    source: !ref <wav2vec2_hub>
    output_norm: True
    freeze: True
    save_path: wav2vec2_checkpoints
avg_pool: !new:speechbrain.nnet.pooling.StatisticsPooling
    return_std: False
output_mlp: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <encoder_dim>
    n_neurons: !ref <out_n_neurons>
    bias: False
model: !new:torch.nn.ModuleList
    - [!ref <output_mlp>]
modules:
    wav2vec2: !ref <wav2vec2>
    model: !ref <model>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        wav2vec2: !ref <wav2vec2>
        model: !ref <model>
"""


def normed(values):
    """Layer norm over everything, without weights."""
    return (values - values.mean()) / np.sqrt(values.var() + 1e-5)


def deep_encoder(kind, **options):
    """An encoder with the seven convolutions and the sizes of heads that are published."""
    return encoder_of(
        kind,
        hidden_size=128,
        intermediate_size=48,
        conv_dim=(8,) * 7,
        conv_kernel=(10, 3, 3, 3, 3, 2, 2),
        conv_stride=(5, 2, 2, 2, 2, 2, 2),
        num_feat_extract_layers=7,
        **options,
    )


def odyssey(folder):
    """`3loi/SER-Odyssey-Baseline-WavLM-Categorical`: constants, attentive statistics, norms."""
    encoder, frames = deep_encoder(
        "wavlm", feat_extract_norm="layer", do_stable_layer_norm=True, num_buckets=32,
        max_bucket_distance=800,
    )  # fmt: skip
    labels = ["Angry", "Sad", "Happy", "Surprise", "Fear", "Disgust", "Contempt", "Neutral"]
    size = encoder.config.hidden_size
    tensors = layer("pool_model.sap_linear", size, size)
    tensors |= random_layers(3, **{"pool_model.attention": (size, 1)})
    tensors |= layer("ser_model.fc.0.0", size, 2 * size, seed=2)
    tensors |= random_layers(4, **{"ser_model.fc.0.1.weight": size, "ser_model.fc.0.1.bias": size})
    tensors |= layer("ser_model.out.0", len(labels), size, seed=5)

    def reference(waveform):
        hidden = frames((waveform - np.float32(-8.2e-05)) / np.float32(0.0919 + 1e-6))
        raw = np.tanh(through(tensors, "pool_model.sap_linear", hidden))
        raw = np.exp(raw @ tensors["pool_model.attention"])
        share = raw / raw.sum()
        mean = (share * hidden).sum(0)
        deviation = np.sqrt(np.maximum((share * hidden**2).sum(0) - mean**2, 1e-5))
        inner = through(tensors, "ser_model.fc.0.0", np.concatenate([mean, deviation]))
        inner = normed(inner) * tensors["ser_model.fc.0.1.weight"]
        inner = np.maximum(inner + tensors["ser_model.fc.0.1.bias"], 0)
        return through(tensors, "ser_model.out.0", inner)

    folder.mkdir(parents=True)
    weights = {f"ssl_model.{name}": value for name, value in encoder.state_dict().items()}
    weights |= {name: torch.tensor(value) for name, value in tensors.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    said = ids(labels) | {
        "model_type": "ser", "ssl_type": "microsoft/wavlm-large", "mean": -8.2e-05, "std": 0.0919,
        "hidden_size": 1024, "num_classes": 8, "classifier_hidden_layers": 1,
        "sampling_rate": 16_000, "auto_map": {"AutoConfig": "pipeline_utils.SERConfig"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(said))
    return Published(folder=folder, reference=reference)


HEADS, EXTRA = 3, 4
TOKENS = ["生气/angry", "unuse_0", "开心/happy", "中立/neutral", "难过/sad", "<unk>"]


def emotion2vec(folder, prefix="d2v_model.", layers=2):  # noqa: C901, PLR0915 - one network, in one place
    """`iic/emotion2vec_plus_*` of FunASR: data2vec 2.0 with `proj`, a label unused."""
    size, kernel, groups = 24, 5, 4
    rng = np.random.default_rng(0)

    def normal(*shape, scale=0.3):
        return rng.normal(0, scale, shape).astype(np.float32)

    inner = {}
    convs = [(8, 10, 10), (8, 4, 4), (8, 4, 4)]
    for i, (dim, width, _) in enumerate(convs):
        place = f"modality_encoders.AUDIO.local_encoder.conv_layers.{i}"
        inner[f"{place}.0.weight"] = normal(dim, 8 if i else 1, width)
        inner |= {f"{place}.2.1.weight": 1 + normal(dim), f"{place}.2.1.bias": normal(dim)}
    audio = "modality_encoders.AUDIO"
    inner |= {f"{audio}.project_features.1.weight": 1 + normal(8),
              f"{audio}.project_features.1.bias": normal(8),
              f"{audio}.project_features.2.weight": normal(size, 8),
              f"{audio}.project_features.2.bias": normal(size),
              f"{audio}.extra_tokens": normal(1, EXTRA, size),
              f"{audio}.alibi_scale": 1 + normal(1, 1, HEADS, 1, 1),
              f"{audio}.context_encoder.norm.weight": 1 + normal(size),
              f"{audio}.context_encoder.norm.bias": normal(size),
              f"{audio}.decoder.proj.weight": normal(3, 3)}  # fmt: skip
    for i in (1, 2):
        place = f"{audio}.relative_positional_encoder.{i}.0"
        inner |= {f"{place}.weight": normal(size, size // groups, kernel),
                  f"{place}.bias": normal(size)}  # fmt: skip
    places = [f"{audio}.context_encoder.blocks.0", *(f"blocks.{i}" for i in range(layers))]
    for place in places:
        for part, (outputs, inputs) in {"attn.qkv": (3 * size, size), "attn.proj": (size, size),
                                        "mlp.fc1": (2 * size, size),
                                        "mlp.fc2": (size, 2 * size)}.items():  # fmt: skip
            inner |= {f"{place}.{part}.weight": normal(outputs, inputs),
                      f"{place}.{part}.bias": normal(outputs)}  # fmt: skip
        for part in ("norm1", "norm2"):
            inner |= {f"{place}.{part}.weight": 1 + normal(size),
                      f"{place}.{part}.bias": normal(size)}  # fmt: skip
    proj = layer("proj", len(TOKENS), size)
    t = inner.__getitem__

    def affine(values, place):
        mean, variance = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
        return (values - mean) / np.sqrt(variance + 1e-5) * t(f"{place}.weight") + t(
            f"{place}.bias"
        )

    def gelu(values):
        return torch.nn.functional.gelu(torch.tensor(values)).numpy()

    def conv(values, place, **options):
        bias = inner.get(f"{place}.bias")
        made = torch.nn.functional.conv1d(
            torch.tensor(values.T)[None], torch.tensor(t(f"{place}.weight")),
            None if bias is None else torch.tensor(bias), **options,
        )  # fmt: skip
        return made[0].numpy().T

    def block(x, place, bias):
        parts = through(inner, f"{place}.attn.qkv", x).reshape(len(x), 3, HEADS, size // HEADS)
        mixed = []
        for head in range(HEADS):
            q, k, v = (parts[:, i, head] for i in range(3))
            scores = q @ k.T / np.sqrt(size // HEADS) + bias[head]
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            mixed.append(weights / weights.sum(-1, keepdims=True) @ v)
        x = affine(x + through(inner, f"{place}.attn.proj", np.concatenate(mixed, -1)),
                   f"{place}.norm1")  # fmt: skip
        hidden = gelu(through(inner, f"{place}.mlp.fc1", x))
        return affine(x + through(inner, f"{place}.mlp.fc2", hidden), f"{place}.norm2")

    def reference(waveform):
        x = normed(waveform)[:, None]
        for i, (_, _, stride) in enumerate(convs):
            place = f"{audio}.local_encoder.conv_layers.{i}"
            x = gelu(affine(conv(x, f"{place}.0", stride=stride), f"{place}.2.1"))
        x = through(inner, f"{audio}.project_features.2",
                    affine(x, f"{audio}.project_features.1"))  # fmt: skip
        where = x
        for i in (1, 2):
            place = f"{audio}.relative_positional_encoder.{i}.0"
            where = conv(where, place, padding=kernel // 2, groups=groups)
            mean, variance = where.mean(-1, keepdims=True), where.var(-1, keepdims=True)
            where = gelu((where - mean) / np.sqrt(variance + 1e-5))
        x = np.concatenate([t(f"{audio}.extra_tokens")[0], x + where])
        apart = -np.abs(np.subtract.outer(np.arange(len(where)), np.arange(len(where))))
        bias = np.zeros((HEADS, len(x), len(x)))
        # Three heads: the slopes of two, then the first of four.
        slopes = np.array([2**-4, 2**-8, 2**-2]) * t(f"{audio}.alibi_scale")[0, 0, :, 0, 0]
        bias[:, EXTRA:, EXTRA:] = slopes[:, None, None] * apart
        x = affine(x, f"{audio}.context_encoder.norm")
        for place in places:
            x = block(x, place, bias.astype(np.float32))
        scores = through(proj, "proj", x[EXTRA:].mean(0))
        return np.delete(scores, 1)

    folder.mkdir(parents=True)
    weights = {f"{prefix}{name}": torch.tensor(value) for name, value in inner.items()}
    weights |= {name: torch.tensor(value) for name, value in proj.items()}
    torch.save({"model": weights}, folder / "model.pt")
    (folder / "tokens.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text(FUNASR.replace("depth: 2", f"depth: {layers}", 1))
    (folder / "configuration.json").write_text('{"framework": "pytorch"}')
    return Published(folder=folder, reference=reference)


FUNASR = """
model: Emotion2vec
model_conf:
    depth: 2
    num_heads: 3
    norm_eps: 1e-05
    norm_affine: true
    embed_dim: 24
    mlp_ratio: 2.0
    layer_norm_first: false
    normalize: true
    modalities:
        audio:
            type: AUDIO
            prenet_depth: 1
            num_extra_tokens: 4
            use_alibi_encoder: true
            learned_alibi_scale: true
            learned_alibi_scale_per_head: true
            learned_alibi_scale_per_layer: false
            num_alibi_heads: 3
            feature_encoder_spec: '[(8, 10, 10)] + [(8, 4, 4)] * 2'
            conv_pos_width: 10
            conv_pos_groups: 4
            conv_pos_depth: 2
            conv_pos_pre_ln: false
tokenizer: CharTokenizer
"""

LAYOUTS |= {"SpeechBrain": speechbrain, "Odyssey": odyssey, "emotion2vec+": emotion2vec}


def xmj2002(folder, masked=True):
    """`xmj2002/hubert-base-ch-speech-emotion-recognition`: six seconds; labels on its page only."""
    encoder, frames = encoder_of("hubert")
    tensors = layer("classifier.dense", SIZE) | layer("classifier.out_proj", 6, seed=2)
    tensors["classifier.out_proj.weight"] *= 0.05  # rounding grows in the silence behind a clip

    def reference(waveform):
        n = 6 * 16_000
        cut = waveform[:n]
        filled = np.zeros(n, np.float32)
        filled[: len(cut)] = zscored(cut) if masked else cut
        samples = filled if masked else zscored(filled)
        hidden = np.tanh(
            through(tensors, "classifier.dense", frames(samples).mean(0, dtype=np.float64))
        )
        return through(tensors, "classifier.out_proj", hidden)

    written = folder / "hubert-base-ch-speech-emotion-recognition"
    said = {"num_class": 6, "classifier_dropout": 0.1}
    write(written, encoder, tensors, said, kind="hubert", old=True)
    path = written / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"return_attention_mask": masked}))
    return Published(folder=written, reference=reference)
