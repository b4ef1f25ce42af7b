"""What the caller may say about a model beside its name, as text and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from serval.errors import ConfigError
from serval.models.contract import NORMALIZATIONS, Overrides
from serval.tasks import FORMS

T = TypeVar("T", bound=str)


# Without slots, so that the options of a verb can be those of a model and of a set at once.
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What is stated about a model's contract; what is not is left to the model file.

    Attributes:
        labels: Label names in the order of the model's outputs, separated by commas.
        sample_rate: What the model wants, in Hz; by default what the model file says, else 16000.
        normalize: `auto` (what the model file says), `peak`, `zscore` or `none`.
        max_seconds: Longest clip in seconds; by default what the model file says, else 120.
        output_name: The output of the model file with the scores, of several that it has.
        model_scale: Of a model of dimensions, such as `0..1`; by default what the file says.
        multi_label: The outputs are for each emotion alone, of which the model may hear several at
            once; by default what the file says.
        outputs: What they are: `logits`, `probabilities` that sum to 1, or `sigmoid`, a score in
            [0, 1] of each label; `auto` is what the file says, else what a trial shows.
    """

    labels: str | None = None
    sample_rate: int | None = None
    normalize: str = "auto"
    max_seconds: float | None = None
    output_name: str | None = None
    model_scale: str | None = None
    multi_label: bool = False
    outputs: str = "auto"


@dataclass(frozen=True, kw_only=True)
class InferenceOptions(ModelOptions):
    """How a model is run on clips, beside what is stated about its contract.

    Attributes:
        runtime: What runs the model: `auto` (what its kind of file calls for), or one of
            `serval.models.load.RUNTIMES`.
        provider: What ONNX Runtime runs it on: `cpu`, or another that the installed one has.
        window: Seconds of the windows in which a longer clip is heard; by default it is not cut.
        hop: Seconds from the beginning of a window to that of the next; by default `window`.
        window_mean: What is averaged over the windows: `probabilities` or `logits`.
    """

    runtime: str = "auto"
    provider: str = "cpu"
    window: float | None = None
    hop: float | None = None
    window_mean: str = "probabilities"


def overrides_of(options: ModelOptions) -> Overrides:
    """Return what the options state about the model's contract."""
    labels = options.labels and tuple(name.strip() for name in options.labels.split(","))
    return Overrides(
        labels=labels or None,
        sample_rate=options.sample_rate,
        normalize=_one_of("--normalize", options.normalize, NORMALIZATIONS),
        max_seconds=options.max_seconds,
        output_name=options.output_name,
        scale=options.model_scale,
        multi_label=options.multi_label,
        outputs=_one_of("--outputs", options.outputs, FORMS),
    )


def _one_of(flag: str, stated: str, known: tuple[T, ...]) -> T | None:
    """Return the stated one of the known values, or `None` of `auto`."""
    if stated not in {"auto", *known}:
        raise ConfigError(f"unknown {flag} '{stated}'; known: auto, {', '.join(map(str, known))}")
    return next((one for one in known if one == stated), None)
