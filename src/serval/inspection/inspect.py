"""What is in an ONNX file: size, contract, precision, work, and what to expect of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from serval.errors import AudioError, ModelError
from serval.inspection.graph import StoredGraph, bits_of, stored_graph
from serval.inspection.phone import Taken, taken_by
from serval.inspection.verdicts import (
    Remark,
    contract_verdicts,
    coreml_verdicts,
    dequantized_weights,
    graph_verdicts,
    random_verdicts,
    web_faults,
    work_verdicts,
)
from serval.inspection.work import Work, work_of
from serval.models.contract import MOST_LABELS, Contract, Overrides
from serval.models.graph import stored_nodes
from serval.models.onnx import OnnxModel, load_onnx, open_session
from serval.models.profile import RanNode, ran_nodes
from serval.wording import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "Inspection",
    "Remark",
    "SizeComparison",
    "inspect_model",
    "size_comparison",
    "stored_graph",
    "web_faults",
]

CLIP_S = 4.0
"""Length of the clip whose work is counted: about the mean of the corpora of acted emotion."""

SAME_PARAMETERS = 0.01
"""Relative difference up to which two files count as the same network: quantizing adds a few
vectors and folds others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything that can be said about a model file without a dataset.

    Attributes:
        path: The .onnx file.
        graph: What is stored.
        contract: What the model expects and gives; `None` if it is no raw-waveform classifier.
        work: What ran for one clip; `None` likewise.
        verdicts: What to know.
        phones: What each accelerator of a phone takes of it.
        opens: Whether ONNX Runtime opens it here, without which it does nowhere.
    """

    path: Path
    graph: StoredGraph
    contract: Contract | None
    work: Work | None
    verdicts: tuple[Remark, ...]
    phones: Mapping[str, Taken]
    opens: bool = True

    @property
    def document(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        graph, work = self.graph, self.work
        return {
            "path": str(self.path),
            "size_bytes": graph.size_bytes,
            "external": list(graph.external),
            "parameters": graph.parameters,
            "opset": graph.opset,
            "metadata": {entry.key: entry.value for entry in graph.model.metadata_props},
            "contract": self.contract.facts if self.contract else None,
            "weights": graph.weight_shares,
            "ops": dict(graph.ops),
            "work": {**asdict(work), "gmac_per_s": work.gmac_per_s} if work else None,
            "opens": self.opens,
            "web_faults": list(web_faults(graph)),
            "phones": {name: asdict(taken) for name, taken in self.phones.items()},
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeComparison:
    """Two files side by side.

    Attributes:
        size_ratio: Bytes of the second over bytes of the first.
        parameter_ratio: Parameters of the second over those of the first.
        text: What the two ratios mean, in one sentence.
    """

    size_ratio: float
    parameter_ratio: float
    text: str


def inspect_model(
    path: Path, overrides: Overrides | None = None, clip_s: float = CLIP_S
) -> Inspection:
    """Return what is in a model file, and what ONNX Runtime on this machine makes of it.

    Raises:
        ModelError: The file is missing, empty, damaged, or lacks its external weights.
    """
    graph = stored_graph(path)
    phones = taken_by(path)
    try:
        model, refusals = _opened(path, graph, overrides or Overrides())
        seconds = _clip_s(model, clip_s)
        nodes = ran_nodes(model, seconds)
    except (ModelError, AudioError) as error:
        return _refused(path, graph, phones, error)
    work = work_of(nodes, seconds, _bits(graph))
    return Inspection(
        path=path,
        graph=graph,
        contract=model.contract,
        work=work,
        verdicts=(
            *refusals,
            *_verdicts(graph, model, work, nodes),
            *coreml_verdicts(phones, model.contract),
        ),
        phones=phones,
    )


def _refused(
    path: Path, graph: StoredGraph, phones: Mapping[str, Taken], why: Exception
) -> Inspection:
    """Return what is in a file that is no classifier."""
    text = f"not a raw-waveform classifier that can be evaluated: {why}"
    remark = Remark(code="not-a-classifier", text=text)
    return Inspection(
        path=path,
        graph=graph,
        contract=None,
        work=None,
        verdicts=(remark, *random_verdicts(path), *graph_verdicts(graph)),
        phones=phones,
        opens=_opens(path),
    )


def size_comparison(first: Inspection, second: Inspection) -> SizeComparison:
    """Return the sizes of two files side by side, called quantization only if it can be that."""
    before, after = first.graph, second.graph
    sizes = after.size_bytes / before.size_bytes
    parameters = after.parameters / max(before.parameters, 1)
    change = f"{second.path.name} is {_larger(sizes)}"
    if abs(parameters - 1) <= SAME_PARAMETERS:
        text = f"{change} {first.path.name}, with the same number of parameters"
    else:
        text = (
            f"{change} {first.path.name}, but this is not a reduction by quantization: it "
            f"has {percent(parameters, 1)} of the parameters, another network; compare each "
            "with its own FP32 file"
        )
    return SizeComparison(size_ratio=sizes, parameter_ratio=parameters, text=text)


def _larger(sizes: float) -> str:
    """Return how a file compares with one of which it has that share of the size."""
    if sizes == 1:
        return "as large as"
    return f"{percent(abs(1 - sizes), 1)} {'smaller' if sizes < 1 else 'larger'} than"


def _opens(path: Path) -> bool:
    try:
        open_session(path)
    except ModelError:
        return False
    return True


def _opened(
    path: Path, graph: StoredGraph, overrides: Overrides
) -> tuple[OnnxModel, tuple[Remark, ...]]:
    """Return the model, and why it cannot be evaluated as it is.

    Where its labels are not known, or not those of its outputs, numbers stand in their place.
    """
    try:
        return load_onnx(path, overrides), ()
    except ModelError as error:
        refusal = Remark(code="labels", text=f"it cannot be evaluated as it is: {error}")
        for n_outputs in _widths(graph, overrides.output_name):
            numbered = replace(overrides, labels=tuple(str(i) for i in range(n_outputs)))
            with suppress(ModelError):  # that is of labels which nobody stated
                return load_onnx(path, numbered), (refusal,)
        raise


def _widths(graph: StoredGraph, named: str | None) -> list[int]:
    """Return how many scores the output of that name has, or each one, those of logits first."""
    outputs = [output for output in graph.model.graph.output if named in {None, output.name}]
    outputs.sort(key=lambda output: "logit" not in output.name.lower())
    shapes = [output.type.tensor_type.shape.dim for output in outputs]
    widths = dict.fromkeys(shape[-1].dim_value for shape in shapes if shape)
    return [n for n in widths if 2 <= n <= MOST_LABELS]


def _clip_s(model: OnnxModel, clip_s: float) -> float:
    fixed = model.contract.static_samples
    return fixed / model.sample_rate if fixed else min(clip_s, model.max_seconds)


def _bits(graph: StoredGraph) -> dict[str, int]:
    nodes = stored_nodes(graph.model.graph)
    return {node.name: bits_of(node) for node in nodes if node.op_type == "MatMulNBits"}


def _verdicts(
    graph: StoredGraph, model: OnnxModel, work: Work, nodes: tuple[RanNode, ...]
) -> Iterator[Remark]:
    yield from contract_verdicts(model.contract)
    yield from work_verdicts(
        graph, work, dequantized_weights(graph, {node.name: node.op for node in nodes})
    )
    yield from random_verdicts(model.path)
    yield from graph_verdicts(graph)
