"""`serval predict --microphone`: an answer a line, until it is told to stop."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import microphone_windows
from serval.commands.terminal import say
from serval.errors import ConfigError
from serval.models.load import load_as_stated
from serval.probabilities import probabilities_of
from serval.wording import percent, printable

if TYPE_CHECKING:
    from serval.audio import Waveform
    from serval.models.options import InferenceOptions
    from serval.models.protocol import Model

WINDOW_S = 3.0
HOP_S = 0.5
QUIETEST_DB = -60.0
"""Below this there is nothing to name; as on the page of `serval web`."""

QUIET = "too quiet"
BAR_COLUMNS = 20


def show_microphone(name: str, options: InferenceOptions) -> None:
    """Print what a model says of the last seconds, a line for each window.

    Args:
        name: Of the model.
        options: With the window, by default 3 s, and the hop, by default half a second.
    """
    window_s = WINDOW_S if options.window is None else options.window
    hop_s = min(HOP_S, window_s) if options.hop is None else options.hop
    model = load_as_stated(name, replace(options, window=window_s, hop=hop_s))
    if model.contract.outputs == "values":
        raise ConfigError(
            f"{name} gives values of {', '.join(model.labels)}, and --microphone names emotions; "
            "give a classifier"
        )
    windows = microphone_windows(model.sample_rate, window_s, hop_s)
    for warning in model.facts.get("warnings", ()):
        say(f"serval: {printable(warning)}", err=True)
    say(f"microphone: the last {window_s:g} s, every {hop_s:g} s; Ctrl-C ends it", err=True)
    width = max(map(len, (*model.labels, QUIET)))
    begun = time.monotonic()
    for samples in windows:
        say(f"{time.monotonic() - begun:7.1f} s  {_line(model, samples, width)}")


def _line(model: Model, samples: Waveform, width: int) -> str:
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))
    if level < QUIETEST_DB:
        return QUIET
    start = time.perf_counter()
    logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
    took_ms = 1000 * (time.perf_counter() - start)
    probs = probabilities_of(logits, model.contract.outputs)
    best = int(logits.argmax())
    bar = "\N{FULL BLOCK}" * round(float(probs[best]) * BAR_COLUMNS)
    return (
        f"{model.labels[best]:<{width}}  {percent(float(probs[best]), 0):>5}  "
        f"{bar:<{BAR_COLUMNS}}  {took_ms:.0f} ms"
    )
