"""From the name of an encoder to the pooled features of its levels, and to one file with a head."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval import __version__
from serval.bench.rounds import Effort, interleaved
from serval.errors import ConfigError, ModelError
from serval.export import export_levels, refuse_missing
from serval.files import whole_files
from serval.inspection.graph import stored_graph
from serval.labels import LabelSet
from serval.models.classifier import identity_of
from serval.models.contract import MOST_LABELS, Contract, Overrides
from serval.models.graph import external_names, read_skeleton
from serval.models.load import USUAL, model_path, what_is_meant
from serval.models.onnx import OnnxBackend, file_title, load_onnx, open_session
from serval.models.options import overrides_of
from serval.models.protocol import white_noise
from serval.models.signature import signature_of
from serval.models.sources import contract_entries, declared_contract
from serval.probe.graph import Level, cut, read_model, save_model, with_outputs
from serval.probe.layers import WEIGHTED, wanted_levels
from serval.tasks import DIMENSIONAL
from serval.trained_on import TrainedOn
from serval.wording import printable, three_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import onnx

    from serval.models.classifier import Classifier
    from serval.models.onnx import OnnxModel
    from serval.models.options import InferenceOptions
    from serval.probe.graph import Linear, Pooling
    from serval.probe.layers import Wanted


TRIALS_S = (1.0, 1.7)
"""Two lengths of noise: the axis of a level that differs between them is time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadInput:
    """What one head is trained on.

    Attributes:
        name: Of the level, or `weighted`.
        levels: That level, or those whose weighted sum it is, all of one width.
    """

    name: str
    levels: tuple[Level, ...]

    @property
    def tensors(self) -> str:
        """Names in the graph."""
        return " + ".join(level.tensor for level in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A speech encoder, opened.

    Attributes:
        model: Its answers are the features of all levels beside each other, as values.
        levels: In that order.
        pooling: Over time: `mean` or `mean+std`.
        weighted: Whether one head is trained on a weighted sum of the levels, not one on each.
        whole: Returns the whole encoder as a graph; one that torch runs is exported for that.
        contract: What a file made of it says of its input, as entries of its metadata.
        licence: As its file or its card says, else `""`.
        parameters: Numbers in the weights of one that torch runs, else 0.
    """

    model: Classifier[Any]
    levels: tuple[Level, ...]
    pooling: Pooling
    weighted: bool
    whole: Callable[[], onnx.ModelProto]
    contract: dict[str, str] = field(default_factory=dict)
    licence: str = ""
    parameters: int = 0

    @property
    def key(self) -> str:
        """What its features depend on beside the clip, as 16 hex digits."""
        facts = self.model.facts
        levels = [self._stored_name(level) for level in self.levels]
        parts = [facts["sha256"], facts["external"], self.contract, levels, self.pooling]
        parts.append(facts.get("runtime", {}))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def inputs(self) -> tuple[HeadInput, ...]:
        """What heads are trained on, one each."""
        if self.weighted:
            return (HeadInput(name=WEIGHTED, levels=self.levels),)
        return tuple(HeadInput(name=level.name, levels=(level,)) for level in self.levels)

    def stored_name(self, of: HeadInput) -> str:
        """Return what stored runs call the levels of an input."""
        return " + ".join(map(self._stored_name, of.levels))

    def _stored_name(self, level: Level) -> str:
        # Of one that torch runs, `tensor` is for its exported graph; runs were stored before that.
        return f"hidden state {level.name}" if self.parameters else level.tensor

    def width(self, of: HeadInput) -> int:
        """Return how many features a clip has there; levels that are summed share them."""
        return of.levels[0].size(self.pooling)

    def columns(self, of: HeadInput) -> slice:
        """Return which of the features are those of an input, its levels beside each other."""
        sizes = [one.size(self.pooling) for one in self.levels]
        first = self.levels.index(of.levels[0])
        return slice(sum(sizes[:first]), sum(sizes[: first + len(of.levels)]))


def open_encoder(name: str, options: InferenceOptions, asked: str, pooling: Pooling) -> Encoder:
    """Return the encoder of that name with the levels that are asked for.

    Args:
        name: As `serval evaluate -m` takes it.
        options: What is stated about it.
        asked: `all`, `weighted`, `last`, `pooled`, a number, or the name of a tensor.
        pooling: `mean` or `mean+std`.

    Raises:
        ModelError: There is no such model or level, or it does not run.
    """
    overrides = replace(overrides_of(options), labels=None, scale=None)
    runtime, _ = what_is_meant(name, USUAL)
    if runtime == "torch" or options.runtime == "torch":
        return _of_checkpoint(name, overrides, asked, pooling)
    return _of_file(model_path(name), overrides, asked, pooling)


def features_model(
    name: str, options: InferenceOptions, *, asked: str, pooling: Pooling
) -> Classifier[Any]:
    """Return the model whose answers are the pooled features of the levels that are asked for."""
    return open_encoder(name, options, asked, pooling).model


def part_of(
    whole: onnx.ModelProto,
    levels: Sequence[Level],
    pooling: Pooling,
    said: Mapping[str, str],
    path: Path,
) -> Classifier[Any]:
    """Return a model of the part of an encoder that makes these levels, written to `path`.

    Their pooled features stand beside each other in its answers. What the file says of its input is
    `said`.
    """
    width = sum(level.size(pooling) for level in levels)
    save_model(cut(whole, levels, pooling), path, {**said, "task": DIMENSIONAL.model})
    names = tuple(str(number) for number in range(width))
    return load_onnx(path, Overrides(labels=names, scale="0..1"))


def _of_checkpoint(name: str, overrides: Overrides, asked: str, pooling: Pooling) -> Encoder:
    from serval.models.torch import open_levels

    model, opened, names = open_levels(name, overrides, asked, deviation=pooling == "mean+std")
    levels = tuple(
        Level(name=level, tensor=f"hidden_state_{level}", time=1, width=opened.width)
        for level in names
    )
    outputs = {int(level.name): level.tensor for level in levels}
    return Encoder(
        model=model,
        levels=levels,
        pooling=pooling,
        weighted=asked == WEIGHTED,
        whole=partial(_exported, name, overrides, outputs),
        contract=_contract_entries(model.contract),
        licence=opened.licence,
        parameters=sum(weights.numel() for weights in opened.model.parameters()),
    )


def _exported(name: str, overrides: Overrides, outputs: Mapping[int, str]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        return read_model(export_levels(name, overrides, outputs, Path(folder) / "whole.onnx"))


def _of_file(path: Path, overrides: Overrides, asked: str, pooling: Pooling) -> Encoder:
    whole = read_model(path)
    said = {entry.key: entry.value for entry in whole.metadata_props}
    declared = declared_contract(path, said, overrides)
    contract = _contract_entries(declared)
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        levels = _levels(whole, path, asked, Path(folder) / "levels.onnx")
        _refuse_odd_widths(levels, asked, pooling)
        heard = {key: said[key] for key in ("trained_on",) if key in said}
        part = Path(folder) / "features.onnx"
        opened = part_of(whole, levels, pooling, contract | heard, part)
    sources = {**declared.sources, "labels": "dataset"}
    stated = replace(opened.contract, sources=sources, notes=declared.notes)
    files = [path, *(path.parent / name for name in external_names(read_skeleton(path), path))]
    return Encoder(
        model=replace(opened, identity=identity_of(file_title(path), path, files), contract=stated),
        levels=levels,
        pooling=pooling,
        weighted=asked == WEIGHTED,
        whole=lambda: whole,
        contract=contract,
        licence=said.get("license", ""),
    )


def _refuse_odd_widths(levels: Sequence[Level], asked: str, pooling: Pooling) -> None:
    """Refuse levels of too many or too few features, or that are summed and differ in width."""
    sizes = [level.size(pooling) for level in levels]
    if not 2 <= sum(sizes) <= MOST_LABELS:
        raise ConfigError(
            f"--layer {printable(asked)} gives {sum(sizes):,} features a clip; 2 to "
            f"{MOST_LABELS:,} are taken: name fewer levels, or use --pool mean"
        )
    if asked == WEIGHTED and len(set(sizes)) > 1:
        widths = ", ".join(f"{level.name}: {level.width}" for level in levels)
        raise ConfigError(f"--layer weighted sums levels of one width, and these differ: {widths}")


def _contract_entries(declared: Contract) -> dict[str, str]:
    """Return what is stated of the input of an encoder, as entries of metadata."""
    # Its frames are pooled as if all of them were speech.
    return {**contract_entries(declared), "return_attention_mask": "false"}


def _levels(whole: onnx.ModelProto, path: Path, asked: str, trial: Path) -> tuple[Level, ...]:
    """Return the levels with the shapes that they have for noise of two lengths."""
    session = open_session(path)
    nodes = (session.get_inputs(), session.get_outputs())
    signature = signature_of(path, nodes, (0, nodes[1][0].name), lambda _own, names: names[:1])
    wanted = wanted_levels(whole.graph, signature.waveform.name, asked)
    save_model(with_outputs(whole, [one.tensor for one in wanted]), trial, {})
    contract = Contract(
        labels=LabelSet(("0", "1")),
        input_name=signature.waveform.name,
        mask_name=signature.mask.name if signature.mask else None,
        static_samples=signature.static_samples,
        layout=signature.layout,
    )
    backend = OnnxBackend(session=open_session(trial), contract=contract, signature=signature)
    shapes = [_shapes(backend, wanted, seconds) for seconds in TRIALS_S]
    pairs = zip(wanted, *shapes, strict=True)
    return tuple(_level(one, short, long) for one, short, long in pairs)


def _shapes(
    backend: OnnxBackend, wanted: tuple[Wanted, ...], seconds: float
) -> list[tuple[int, ...]]:
    n = backend.contract.static_samples or round(seconds * backend.contract.sample_rate)
    answers = backend.run(
        [one.tensor for one in wanted], backend.feeds(white_noise(n), np.array([n]))
    )
    return [np.shape(answer) for answer in answers]


def _level(wanted: Wanted, short: tuple[int, ...], long: tuple[int, ...]) -> Level:
    """Return a level by its shapes for two lengths of noise; of a fixed length, time is axis 1."""
    moving = [axis for axis, (a, b) in enumerate(zip(short, long, strict=True)) if a != b]
    if len(short) == 2 and not moving:
        return Level(name=wanted.name, tensor=wanted.tensor, time=None, width=short[1])
    if len(short) == 3 and moving in ([], [1], [2]):
        time = (moving or [1])[0]
        return Level(name=wanted.name, tensor=wanted.tensor, time=time, width=short[3 - time])
    raise ModelError(
        f"the tensor '{printable(wanted.tensor)[:80]}' has the shape {list(short)}: a hidden level "
        "is (batch, time, features) or (batch, features); name another with --layer"
    )


COSTS = ("parameters", "MB", "ms")
"""What tables call the three."""

CLIP_S = 3.0
EFFORT = Effort(warm_up=2, fewest=9, most=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderCost:
    """What it takes to turn a clip into the features of a head.

    Attributes:
        parameters: Numbers in the weights, as `serval inspect` counts them.
        size_mb: Of the file or the checkpoint, in 10^6 bytes.
        ms: Median wall time of a clip of three seconds, on one thread of this machine.
    """

    parameters: int
    size_mb: float
    ms: float


def cost_of(encoder: Encoder, of: HeadInput) -> EncoderCost:
    """Return what an encoder costs up to a level, or up to the last of those that are summed.

    Of an ONNX file only the part that makes the level counts; torch runs an encoder to its end.
    """
    if encoder.parameters:
        size = encoder.model.size_bytes / 1e6
        return EncoderCost(parameters=encoder.parameters, size_mb=size, ms=_ms(encoder.model))
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        path = Path(folder) / "part.onnx"
        model = part_of(encoder.whole(), of.levels, encoder.pooling, encoder.contract, path)
        return EncoderCost(
            parameters=stored_graph(path).parameters, size_mb=model.size_bytes / 1e6, ms=_ms(model)
        )


def cost_cells(cost: EncoderCost | None) -> list[str]:
    """Return parameters, megabytes and milliseconds as people read them; nothing of no cost."""
    if cost is None:
        return [""] * len(COSTS)
    return [f"{cost.parameters:,}", three_digits(cost.size_mb), three_digits(cost.ms)]


def _ms(model: Classifier[Any]) -> float:
    """Return the median wall time of the model's call on three seconds of noise."""
    n = round(min(CLIP_S, model.max_seconds) * model.sample_rate)
    work = partial(model.logits, white_noise(n), np.array([n]))
    (seconds,) = interleaved({"": work}, EFFORT).values()
    return 1000 * float(np.median(seconds))


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
