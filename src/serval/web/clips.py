"""The clips that a page carries, with what Python says of them."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import soundfile

from serval.audio import decode, encoded_bytes
from serval.datasets import load_dataset
from serval.errors import ModelError
from serval.inspection import stored_graph, web_faults
from serval.models.backend import feeds_of
from serval.models.graph import operator_name
from serval.models.onnx import open_session
from serval.predict import answer_of
from serval.records import Clip, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.models.onnx import OnnxModel


SAMPLES = ("angry_f1", "happy_m2", "sad_f3")
"""Of the demo set, what people can click: three voices."""

ODD_RATE = 44_100


@dataclass(frozen=True, slots=True, kw_only=True)
class PageClip:
    """A clip of a page.

    Attributes:
        name: What people read.
        file: Its name in the site.
        encoded: The file's bytes.
        logits: What Python gives for it, by the model's name.
        is_sample: Whether it can be clicked.
    """

    name: str
    file: str
    encoded: bytes
    logits: Mapping[str, tuple[float, ...]]
    is_sample: bool


def page_clips(models: Sequence[OnnxModel], names: Sequence[str], n: int) -> list[PageClip]:
    """Return the sample clips, others of the demo set up to `n`, and one to be mixed and resampled.

    Of the demo set there are as many of each emotion as `n` allows. Each of the models, by its name
    on the page, answers every clip.
    """
    demo = list(load_dataset("demo").clips(0, None))
    samples = [clip for clip in demo if _stem(clip) in SAMPLES]
    others = [clip for clip in demo if clip not in samples]
    spread = np.linspace(0, len(others) - 1, max(0, n - len(samples)), dtype=int)
    chosen = [*samples, *(others[int(place)] for place in spread)]
    odd = _stereo(samples[0])
    return [
        PageClip(
            name=_name(clip),
            file=f"clips/{_stem(clip)}{_suffix(clip)}",
            encoded=encoded_bytes(clip.audio),
            logits={
                name: _logits(model, clip) for name, model in zip(names, models, strict=True)
            },
            is_sample=clip in samples,
        )
        for clip in (*chosen, odd)
    ]  # fmt: skip


def _stereo(clip: Clip) -> Clip:
    """Return a clip in two unlike channels at a rate that nobody's model has, as a WAV file."""
    audio = decode(encoded_bytes(clip.audio), ODD_RATE)
    loud = np.column_stack([audio.samples, 0.5 * audio.samples])
    buffer = io.BytesIO()
    soundfile.write(buffer, loud, ODD_RATE, format="WAV", subtype="PCM_16")
    stem = f"{_stem(clip)}_stereo_{ODD_RATE}"
    return Clip(id=stem, index=clip.index, label=clip.label, audio=buffer.getvalue())


def _logits(model: OnnxModel, clip: Clip) -> tuple[float, ...]:
    answer = answer_of(model, clip)
    if isinstance(answer, Failure):
        raise ModelError(
            f"{model.path}: no answer to the demo clip {clip.id} ({answer.reason}), so the page "
            "could not be compared with Python; a model for a page takes clips of 1 to 4 s"
        )
    return tuple(float(value) for value in answer.logits)


def _stem(clip: Clip) -> str:
    return Path(clip.id).stem


def _suffix(clip: Clip) -> str:
    return clip.audio.suffix if isinstance(clip.audio, Path) else ".wav"


def _name(clip: Clip) -> str:
    """Return `angry_f1` as `voice f1, meant angry`, and the rest of a name as it is."""
    emotion, voice, *rest = _stem(clip).split("_")
    return ", ".join((f"voice {voice}", f"meant {emotion}", *rest))


TRACED_S = 1.0
"""Of the clip; every tensor of it is in a phone's memory at once."""

MASKS = tuple(int(mask) for mask in np.random.default_rng(0).integers(1, 1 << 31, 8))
"""Of each tensor a page compares a sum for each mask: a value is subtracted where its place and the
mask have an odd number of ones in common, else added. The mean square of how such sums differ
estimates the sum of squares of how the values do, by eight numbers instead of all."""

LIMIT = 1e-3
"""Of a tensor's RMS: sums of floats in another order differ by less, an 8-bit rounding by more."""

READABLE = tuple(map(np.dtype, ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "?")))
"""Types of tensors that any browser reads; 16-bit floats are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a page needs to compare node by node.

    Attributes:
        graph: The bytes of an .onnx file, every tensor of which is an output.
        facts: Its steps in plain JSON types, the waveform first.
    """

    graph: bytes
    facts: Mapping[str, Any]


def trace_of(model: OnnxModel, clip: PageClip) -> Trace:
    """Return the trace of the first second of a clip."""
    samples = decode(clip.encoded, model.sample_rate).samples
    samples = samples[: round(TRACED_S * model.sample_rate)]
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        graph, path = _traced(model.path, Path(folder)), Path(folder) / "trace.onnx"
        path.write_bytes(graph.SerializeToString())
        session = open_session(path, optimize=False)
    feeds = feeds_of(model, samples)
    names = [value.name for value in graph.graph.output]
    answers = replace(model.backend, session=session).run(names, feeds)
    tensors = dict(zip(names, answers, strict=True))
    waveform = model.contract.input_name
    first = _step("", "decoding and normalisation", [], (waveform, feeds[waveform]))
    facts = {
        "clip": clip.file,
        "samples": len(samples),
        "limit": LIMIT,
        "masks": MASKS,
        "steps": [first, *_steps(graph, tensors)],
    }
    return Trace(graph=graph.SerializeToString(), facts=facts)


def _traced(path: Path, folder: Path) -> onnx.ModelProto:
    """Return the graph as it runs, or as it is stored where browsers lack what that holds."""
    rewritten = folder / "rewritten.onnx"
    open_session(path, rewritten=rewritten)
    runs = path if web_faults(stored_graph(rewritten)) else rewritten
    model = onnx.load(runs)
    used = {node.domain for node in model.graph.node} | {""}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    known = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner if name not in known)
    return model


def _steps(graph: onnx.ModelProto, tensors: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
    for node in graph.graph.node:
        for name in node.output:
            if name and getattr(tensors[name], "dtype", None) in READABLE:
                made = (name, tensors[name])
                yield _step(node.name or name, operator_name(node), node.input, made)


def _step(
    node: str, op: str, inputs: Sequence[str], made: tuple[str, NDArray[Any]]
) -> dict[str, Any]:
    name, tensor = made
    values = np.nan_to_num(np.float64(tensor).ravel(), nan=0, posinf=0, neginf=0)
    places = np.arange(len(values), dtype=np.uint32)
    odd = (np.bitwise_count(places & np.uint32(mask)) % 2 == 1 for mask in MASKS)
    return {
        "node": node,
        "op": op,
        "inputs": [name for name in inputs if name],
        "output": name,
        "shape": list(tensor.shape),
        "norm": _rounded(np.sqrt(np.sum(values**2))),
        "sums": [_rounded(np.sum(np.where(less, -values, values))) for less in odd],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
