"""Sizes and speed ratios of every recipe on a full-size network, all timed in turn in one run.

    python benchmarks/full_size_model.py FOLDER
    python benchmarks/quantize_full_size.py FOLDER/full-24.onnx [--twelve FOLDER/full-12.onnx]

The weights are random, so nothing is said about accuracy. Clips of 3.7 s, one thread. The ranges
come from a few clips of the demo set: they decide the answers, not the speed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from onnxruntime.quantization import quantize_dynamic

from serval.bench.rounds import Effort, interleaved, ratio_of
from serval.bench.subjects import noise
from serval.models.onnx import OnnxModel, load_onnx
from serval.models.protocol import logits_alone
from serval.quantize import QuantizeOptions, quantize

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 3.7
FEW = {"calibration": "demo", "clips": 2, "ranges": "min-max"}
RECIPES = {
    "dynamic": QuantizeOptions(method="dynamic"),
    "static": QuantizeOptions(method="static", convolutions="int8", **FEW),
    "static, FP32 convolutions": QuantizeOptions(method="static", convolutions="weights", **FEW),
    "int4": QuantizeOptions(method="int4", convolutions="int8", **FEW),
}


def made(source: Path, folder: Path, names: list[str]) -> Iterator[tuple[str, OnnxModel]]:
    """Yield the files of the recipes, made once and opened."""
    for name in names:
        path = folder / f"{source.stem}.{name.replace(', ', '-').replace(' ', '-')}.onnx"
        if not path.is_file():
            print(f"making {path.name}", flush=True)
            quantize(str(source), path, RECIPES[name], lambda line: print(f"  {line}", flush=True))
        yield name, load_onnx(path)


def usual(source: Path, folder: Path) -> OnnxModel:
    """Return the file of `quantize_dynamic` with its defaults."""
    path = folder / f"{source.stem}.default.onnx"
    if not path.is_file():
        quantize_dynamic(source, path)
    return load_onnx(path)


def main() -> None:
    """Print one line for each recipe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--twelve", type=Path, help="The same network with 12 layers.")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--rounds", type=int, default=7)
    flags = parser.parse_args()
    folder = flags.model.parent
    files = {"fp32": load_onnx(flags.model), "default": usual(flags.model, folder)}
    files |= dict(made(flags.model, folder, flags.recipes))
    if flags.twelve:
        files |= {
            f"12 layers, {name}": file
            for name, file in made(flags.twelve, folder, ["static", "int4"])
        }
    clip = noise(SECONDS, files["fp32"].sample_rate)
    works = {name: partial(logits_alone, model, clip) for name, model in files.items()}
    effort = Effort(warm_up=1, fewest=flags.rounds, most=flags.rounds)
    seconds = interleaved(works, effort)
    whole = files["fp32"].size_bytes
    for name, model in files.items():
        share = f"{model.size_bytes / 1e6:8.1f} MB {model.size_bytes / whole:7.2%}"
        ratios = [ratio_of(name, other, seconds) for other in ("fp32", "default")]
        told = "  ".join(f"{r.median:5.2f}x of {r.to} ({r.low:.2f}-{r.high:.2f})" for r in ratios)
        print(f"{name:28} {share}  {told}")


if __name__ == "__main__":
    main()
