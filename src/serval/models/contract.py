"""What a model expects and what it gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from serval.tasks import CATEGORICAL, task_named
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from serval.labels import LabelSet
    from serval.tasks import Outputs, Task
    from serval.trained_on import SoundRanges, TrainedOn

Normalize = Literal["peak", "zscore", "none"]
NORMALIZATIONS: tuple[Normalize, ...] = get_args(Normalize)
DEFAULT_MAX_SECONDS = 120.0
"""Longest clip where a model declares none: attention grows with the square of the length."""
MOST_LABELS = 10_000
TRIAL = "trial"
"""The source of what nobody states and no graph shows."""

Layout = Literal["batch samples", "batch 1 samples", "batch samples 1", "samples"]
"""The axes of the waveform input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user states about a model; `None` leaves it to the model file.

    Attributes:
        labels: Label names in the order of the outputs.
        sample_rate: In Hz.
        normalize: `peak`, `zscore` or `none`.
        max_seconds: Longest clip in seconds.
        output_name: The output with the scores, of several that the model file has.
        scale: Of the values of a model of dimensions, such as `0..1`.
        multi_label: Its outputs are for each emotion alone, of which it may hear several at once.
        outputs: `logits`, `probabilities` or `sigmoid`.
    """

    labels: tuple[str, ...] | None = None
    sample_rate: int | None = None
    normalize: Normalize | None = None
    max_seconds: float | None = None
    output_name: str | None = None
    scale: str | None = None
    multi_label: bool = False
    outputs: Outputs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a model expects and gives: what is stated of it, and what its graph and a trial show.

    Attributes:
        labels: K labels in the order of the outputs.
        sample_rate: In Hz.
        normalize: `peak` (divide by the largest magnitude), `zscore` or `none`.
        max_seconds: A longer clip is a Failure.
        input_name: The waveform input of the graph.
        output_name: The output of the graph with the scores.
        mask_name: The attention mask input, or `None`: then nothing may be padded.
        masks_padding: Whether the mask marks what is padded. The hub's models that were trained
            without a mask (`return_attention_mask` is false) get all of it marked as valid.
        static_samples: The fixed input length, or `None` where any length goes.
        outputs: What the K outputs are; `probabilities_of` follows it.
        mask_marks: What a one (or true) in the mask stands for.
        layout: The axes of the waveform input.
        one_output: Whether two labels share one output, which is high for the second of them.
        adds_sigmoid: Whether the outputs are logits of which each has a sigmoid of its own, which
            the graph leaves out.
        scale: Of the values of a model of dimensions, such as `0..1`; else empty.
        sources: Where each part was found.
        task: What the outputs are scores of: `Task.model`.
        trained_on: What the model says that it was trained on, or `None`.
        sound_ranges: What the model says that the clips of its training or calibration sounded
            like, or `None`.
        notes: One sentence each on what cannot be read, or two sources state differently.
    """

    labels: LabelSet
    sample_rate: int = 16_000
    normalize: Normalize = "none"
    max_seconds: float = DEFAULT_MAX_SECONDS
    input_name: str = ""
    output_name: str = ""
    mask_name: str | None = None
    masks_padding: bool = True
    static_samples: int | None = None
    outputs: Outputs = "logits"
    mask_marks: Literal["valid", "padding"] = "valid"
    layout: Layout = "batch samples"
    one_output: bool = False
    adds_sigmoid: bool = False
    scale: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    task: str = CATEGORICAL.model
    trained_on: TrainedOn | None = field(default=None, compare=False, repr=False)
    sound_ranges: SoundRanges | None = field(default=None, compare=False, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> Task:
        """What the model was made to say of a clip."""
        return task_named(self.task)

    @property
    def facts(self) -> dict[str, Any]:
        """The contract in plain JSON types.

        What a run compares to tell whether it is the same one: parts that came later are left out
        where they say what every earlier version did, so that its runs go on.
        """
        usual = {"mask_marks": "valid", "layout": "batch samples", "one_output": False,
                 "adds_sigmoid": False, "scale": "", "task": CATEGORICAL.model}  # fmt: skip
        facts = asdict(replace(self, trained_on=None, sound_ranges=None))
        others = {"trained_on", "sound_ranges", "notes"}
        return {k: v for k, v in facts.items() if k not in others and usual.get(k, others) != v}

    @property
    def stated_outputs(self) -> Outputs | None:
        """What the graph gives, where the user or the file says so; else a trial shows it."""
        if self.sources.get("outputs", TRIAL) == TRIAL:
            return None
        return "logits" if self.adds_sigmoid else self.outputs

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence each on what was assumed, for want of anybody who states it."""
        return (*_assumptions(self), *self.notes)

    @property
    def may_pad(self) -> bool:
        """Whether clips of different lengths may share a batch."""
        return self.mask_name is not None and self.masks_padding


def cut_sentences(model: Mapping[str, Any], duration_s: NDArray[np.float64]) -> list[str]:
    """Return what was left unheard or filled up for a model of a fixed length, in a sentence.

    Args:
        model: `facts` of an opened model, or what a run stored of them.
        duration_s: `(N,)` of the clips that it answered.
    """
    contract = model.get("contract", {})
    if not contract.get("static_samples"):
        return []
    seconds = contract["static_samples"] / contract["sample_rate"]
    if "window" in model:
        return _filled_windows(seconds, model["window"]["seconds"])
    longer = int(np.count_nonzero(duration_s > seconds))
    rest = len(duration_s) - longer
    sentence = (
        f"The model takes exactly {seconds:g} s: of {counted(longer, 'longer clip')} the rest was "
        f"not heard, and {counted(rest, 'other was', 'others were')} filled up with silence where "
        "shorter."
    )
    return [sentence]


def _filled_windows(seconds: float, window_s: float) -> list[str]:
    """Return that windows shorter than what a model takes were filled up, if they were."""
    if window_s >= seconds:
        return []
    sentence = (
        f"The model takes exactly {seconds:g} s: each window of {window_s:g} s was filled up with "
        f"silence; hear it with --window {seconds:g}."
    )
    return [sentence]


def _assumptions(contract: Contract) -> Iterator[str]:
    said = contract.sources
    if said.get("labels") == "default":
        yield (
            f"Nothing names the model's labels: its outputs are taken for "
            f"{', '.join(contract.labels)}, in this order; name them with --labels."
        )
    if said.get("normalize") == "default":
        done = "divided by its peak" if contract.normalize == "peak" else "left as it is"
        yield (
            f"Nothing says how the model wants its waveform normalised: it was {done}; state "
            "--normalize peak, zscore or none."
        )
    if said.get("sample_rate") == "default":
        yield (
            f"Nothing states the model's sample rate: {contract.sample_rate} Hz was taken; state "
            "it with --sample-rate."
        )
    if said.get("outputs") == TRIAL:
        yield (
            "The model's outputs were between 0 and 1 on every trial, and nothing in its graph "
            "says why: they are taken for one independent score a label; if they are not, state "
            "--outputs logits."
        )
