"""Where one clip's time goes in a model, operator by operator, and how near that is to the floor.

ONNX Runtime's own profiler times each operator of the graph that it runs, with one thread. Of each
operator the fastest of all runs counts: other work on the machine only ever adds. The floor is what
its multiply-adds take at the rate of the fastest large MatMul of its type, measured here.

    python benchmarks/operators.py MODEL.onnx [--seconds 3.7] [--runs 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from serval.bench.bench import disclosure, load_average
from serval.bench.speed import MATMUL_MACS, matmul_work
from serval.inspection.work import CONVOLUTIONS, macs_of
from serval.models.onnx import OnnxModel, load_onnx
from serval.models.profile import SUFFIX, RanNode, ran_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MATMULS = 15


@dataclass(slots=True)
class Spent:
    """What the operators of one type took, in milliseconds, and what they multiplied."""

    ms: float = 0.0
    n: int = 0
    macs: int = 0
    floor_ms: float = 0.0


def fastest_ms(model: OnnxModel, seconds: float, runs: int) -> list[float]:
    """Return the shortest time of each operator that ran, in order."""
    n = model.contract.static_samples or int(seconds * model.sample_rate)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, n)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        session = profiled(model.path, Path(folder) / "profile")
        timed = replace(model, backend=replace(model.backend, session=session))
        for _ in range(runs):
            timed.logits(noise, np.array([n]))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times = [event["dur"] / 1000 for event in events if event["name"].endswith(SUFFIX)]
    return np.array(times).reshape(runs, -1).min(axis=0).tolist()


def profiled(path: Path, profile: Path) -> ort.InferenceSession:
    """Return a session with its weights packed for the kernels, as in use; serval's own has not.

    Packed weights do not show their shape, which serval's profiles are for.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def rate_of(precision: str) -> float:
    """Return 10^6 multiply-adds a millisecond of the fastest MatMul of a type."""
    work, times = matmul_work(precision, 1), []
    for _ in range(MATMULS):
        start = time.thread_time()  # a matrix takes longer than a thread is left alone
        work()
        times.append(time.thread_time() - start)
    return MATMUL_MACS / min(times) / 1e9


def kind_of(node: RanNode) -> str:
    """Return the operator with the type that it computes in."""
    types = {tensor.type for tensor in node.inputs}
    return f"{node.op} int8" if macs_of(node) and types & {"int8", "uint8"} else node.op


def group_of(node: RanNode) -> str:
    """Return what an operator is for: a product with weights, within attention, or none."""
    if not macs_of(node):
        return "all else"
    if node.op in CONVOLUTIONS:
        return "convolutions"
    inside = all(len(tensor.shape) > 2 for tensor in node.inputs[:2])
    return "attention products" if inside else "linear layers"


def table_of(
    nodes: tuple[RanNode, ...],
    times: list[float],
    rates: Mapping[str, float],
    name_of: Callable[[RanNode], str],
) -> dict[str, Spent]:
    """Return what each kind of operator took, the longest first."""
    found: defaultdict[str, Spent] = defaultdict(Spent)
    for node, ms in zip(nodes, times, strict=True):
        macs, spent = macs_of(node), found[name_of(node)]
        spent.ms, spent.n, spent.macs = spent.ms + ms, spent.n + 1, spent.macs + macs
        rate = rates["int8" if kind_of(node).endswith("int8") else "fp32"]
        spent.floor_ms += macs / rate / 1e6
    return dict(sorted(found.items(), key=lambda item: -item[1].ms))


def print_table(table: Mapping[str, Spent], total: float) -> None:
    """Print milliseconds, share, floor and calls."""
    for kind, spent in table.items():
        print(
            f"  {spent.ms:8.2f} ms {100 * spent.ms / total:5.1f} %  floor {spent.floor_ms:7.2f}"
            f" ms  {spent.n:4d}x  {kind}"
        )


def main() -> None:
    """Print milliseconds, share, calls and floor of each kind of operator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=3.7)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    rates = {precision: rate_of(precision) for precision in ("fp32", "int8")}
    print(f"fastest MatMul, 10^9 multiply-adds a second: {rates}")
    for path in given.models:
        model = load_onnx(path)
        nodes = ran_nodes(model, given.seconds)
        times = fastest_ms(model, given.seconds, given.runs)
        groups = table_of(nodes, times, rates, group_of)
        total = sum(times)
        floor = sum(spent.floor_ms for spent in groups.values())
        print(f"{path.name}: {total:.1f} ms for {given.seconds:g} s, {floor:.1f} ms at the floor")
        print_table(groups, total)
        print("by operator")
        print_table(table_of(nodes, times, rates, kind_of), total)
    told = disclosure({}, ())
    print(f"{told['processor']}, {' '.join(told['instruction_sets'])}; load {load_average()}")


if __name__ == "__main__":
    main()
