"""Which operators ONNX Runtime runs for one clip, after it has rewritten the graph."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.models.onnx import open_session
from serval.models.protocol import white_noise

if TYPE_CHECKING:
    from serval.models.onnx import OnnxModel

SUFFIX = "_kernel_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """The type and shape of an input or output.

    Attributes:
        type: As ONNX Runtime calls it: `float`, `float16`, `uint8`, `int8`, ...
        shape: Empty for a scalar.
    """

    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RanNode:
    """One operator that ran.

    Attributes:
        name: That of the node in the file, or one that ONNX Runtime made.
        op: The operator that ran in its place.
        inputs: Without those that are left out.
        outputs: All of them.
    """

    name: str
    op: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def ran_nodes(model: OnnxModel, seconds: float) -> tuple[RanNode, ...]:
    """Return the operators that ran, in order, for one clip of noise of that length.

    Raises:
        AudioError: The model cannot take a clip of this length.
    """
    n_samples = model.contract.static_samples or int(seconds * model.sample_rate)
    with tempfile.TemporaryDirectory(prefix="serval-") as folder:
        session = open_session(model.path, profile=Path(folder) / "profile")
        profiled = replace(model, backend=replace(model.backend, session=session))
        profiled.logits(white_noise(n_samples), np.array([n_samples]))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return tuple(_ran(event) for event in events if event["name"].endswith(SUFFIX))


def _ran(event: dict[str, Any]) -> RanNode:
    said = event["args"]
    return RanNode(
        name=event["name"].removesuffix(SUFFIX),
        op=said["op_name"],
        inputs=_tensors(said["input_type_shape"]),
        outputs=_tensors(said["output_type_shape"]),
    )


def _tensors(said: list[dict[str, list[int]]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(type=kind, shape=tuple(shape)) for entry in said for kind, shape in entry.items()
    )
