"""How far a file's answers on a processor without VNNI are from those on one that has it.

    python benchmarks/quantize_without_vnni.py MODEL.onnx [MORE.onnx ...] --clips SET.csv [--n 12]

valgrind runs the same process with the instructions of AVX2 and no more, about thirty times
slower; ONNX Runtime then chooses the kernels of such a processor. Needs valgrind, and a machine
with VNNI to compare with.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from serval.models.onnx import load_onnx
from serval.quantize.clips import calibration_clips, logits_of
from serval.quantize.options import QuantizeOptions

LONGEST_S = 1.5
VALGRIND = ("valgrind", "--tool=none", "-q")


def save_logits(model: Path, clips: str, n: int, output: Path) -> None:
    """Save the model's logits on the first 1.5 s of n clips."""
    opened = load_onnx(model)
    longest = round(LONGEST_S * opened.sample_rate)
    waveforms = calibration_clips(QuantizeOptions(calibration=clips), n, opened, 1).waveforms
    np.save(output, logits_of(opened, tuple(samples[:longest] for samples in waveforms), 1))


def logits_in_a_process(model: Path, flags: argparse.Namespace, *, emulated: bool) -> np.ndarray:
    """Return the logits from a process of its own, under valgrind if emulated."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "logits.npy"
        command = [sys.executable, __file__, str(model), "--clips", flags.clips,
                   "--n", str(flags.n), "--save", str(output)]  # fmt: skip
        subprocess.run([*(VALGRIND if emulated else ()), *command], check=True)
        return np.load(output)


def main() -> None:
    """Print one line for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--clips", required=True)
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--save", type=Path)
    flags = parser.parse_args()
    if flags.save:
        save_logits(flags.models[0], flags.clips, flags.n, flags.save)
        return
    for model in flags.models:
        here, there = (logits_in_a_process(model, flags, emulated=e) for e in (False, True))
        gap = np.abs(here - there)
        same = (here.argmax(axis=1) == there.argmax(axis=1)).sum()
        print(
            f"{model.name}: logits differ by {np.sqrt(np.square(gap).mean()):.4f} (rms), at most "
            f"{gap.max():.4f}; same emotion on {same} of {len(here)} clips",
            flush=True,
        )


if __name__ == "__main__":
    main()
