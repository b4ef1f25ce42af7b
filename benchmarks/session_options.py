"""Whether another setting of ONNX Runtime's session is faster than the one that serval takes.

One thread, clips of 1, 3 and 8 s in turn, every setting in every round.

    python benchmarks/session_options.py [--model MODEL] [--rounds 40]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import onnxruntime as ort

from serval.bench import Effort, interleaved, ratio_of
from serval.bench.bench import load_average
from serval.bench.subjects import noise
from serval.models.load import load_model
from serval.models.protocol import logits_alone

if TYPE_CHECKING:
    from serval.audio import Waveform
    from serval.models.onnx import OnnxModel

DURATIONS_S = (1, 3, 8)
OWN = "serval's own"
ATTRIBUTES = {
    "no memory pattern": ("enable_mem_pattern", False),
    "no arena": ("enable_cpu_mem_arena", False),
}
ENTRIES = {
    "denormals as zero": ("session.set_denormal_as_zero", "1"),
    "no spinning": ("session.intra_op.allow_spinning", "0"),
}


def opened_with(model: OnnxModel, name: str) -> OnnxModel:
    """Return the model in a session with one setting changed."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if name in ATTRIBUTES:
        setattr(options, *ATTRIBUTES[name])
    else:
        options.add_session_config_entry(*ENTRIES[name])
    session = ort.InferenceSession(model.path, options, providers=["CPUExecutionProvider"])
    return replace(model, backend=replace(model.backend, session=session))


def run(model: OnnxModel, clips: list[Waveform]) -> None:
    """Run the model once on every clip."""
    for clip in clips:
        logits_alone(model, clip)


def main() -> None:
    """Print the ratio of each setting to serval's own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    own = load_model(given.model)
    models = {OWN: own} | {name: opened_with(own, name) for name in (*ATTRIBUTES, *ENTRIES)}
    loads = [load_average()]
    clips = [noise(seconds, own.sample_rate) for seconds in DURATIONS_S]
    works = {name: partial(run, model, clips) for name, model in models.items()}
    effort = Effort(warm_up=2, fewest=given.rounds, most=given.rounds)
    times = interleaved(works, effort)
    for name in (*ATTRIBUTES, *ENTRIES):
        print(ratio_of(name, OWN, times).sentence())
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
