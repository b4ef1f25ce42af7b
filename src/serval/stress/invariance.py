"""Whether a model file gives the same clip the same answer, whatever stands beside or around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.errors import AudioError, ModelError
from serval.probabilities import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Waveform
    from serval.models.protocol import Model
    from serval.records import Dataset

    Floats = NDArray[np.float64]

CLIPS = 32
"""Number of clips on which the model file is tried."""

EXACT = 1e-4
"""Probabilities that differ by less are the same answer: float32 sums in another order."""

LENGTHS_S = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Lengths of noise, in seconds, among which the shortest that the model takes is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvarianceCheck:
    """How a variation of the input changes the answers.

    Attributes:
        what: What is varied.
        exact: Whether the answer must be the very same, for the input says the same.
        n: Clips that could be tried; 0 where the model takes no such input.
        unchanged: Share of clips with the same label, in [0, 1]; NaN for none.
        largest: Largest change of a probability, in [0, 1]; NaN for none.
        passed: For an exact check, whether every label is the same and no probability moves by
            more than `EXACT`; else `None`.
        note: Why there are no clips, else an empty text.
    """

    what: str
    exact: bool
    n: int
    unchanged: float
    largest: float
    passed: bool | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariance:
    """Every check of a model file.

    Attributes:
        shortest_s: The shortest clip of `LENGTHS_S` that the model takes, in seconds; NaN if none.
        checks: By name.
    """

    shortest_s: float
    checks: Mapping[str, InvarianceCheck]


def clips_for_invariance(dataset: Dataset, model: Model, *, limit: int | None) -> list[Waveform]:
    """Return up to `CLIPS` decoded clips that the model hears at once, spread over the dataset."""
    indices = [clip.index for clip in dataset.metadata(0, limit)]
    chosen = {indices[i] for i in np.linspace(0, len(indices) - 1, CLIPS).astype(int)}
    longest_s = min(model.max_seconds, model.contract.max_seconds)  # windows take any length
    clips = []
    for index in sorted(chosen):
        for clip in dataset.clips(index, index + 1):
            try:
                encoded = encoded_bytes(clip.audio)
                audio = decode(encoded, model.sample_rate, max_seconds=longest_s)
            except AudioError:
                continue
            clips.append(audio.samples)
    return clips


def invariance_of(model: Model, clips: Sequence[Waveform]) -> Invariance:
    """Return how the answers change with batch, padding, place and length of the same clips."""
    taken = [clip for clip in clips if _takes(model, clip)]
    alone = [_alone(model, clip) for clip in taken]
    return Invariance(
        checks={name: _checked(model, taken, alone, varied) for name, varied in CHECKS.items()},
        shortest_s=next((s for s in LENGTHS_S if _takes(model, _noise(model, s))), float("nan")),
    )


def _alone(model: Model, clip: Waveform) -> Floats:
    logits = model.logits(clip[np.newaxis], np.array([len(clip)]))
    return np.asarray(probabilities_of(logits, model.contract.outputs)[0])


def _again(model: Model, clip: Waveform, _others: Sequence[Waveform]) -> Floats:
    return _alone(model, clip)


def _beside_others(model: Model, clip: Waveform, others: Sequence[Waveform]) -> Floats:
    """Return the answer to a clip in the midst of three others, all cut or looped to its length.

    Raises:
        AudioError: There is no other clip.
    """
    if not others:
        raise AudioError("not checked: there is no other clip")
    mates = [np.resize(other, len(clip)) for other in others[:3]]
    batch = np.stack([*mates[:1], clip, *mates[1:]])
    logits = model.logits(batch, np.full(len(batch), len(clip)))
    return np.asarray(probabilities_of(logits, model.contract.outputs)[1])


def _zero_padded(model: Model, clip: Waveform, others: Sequence[Waveform]) -> Floats:
    """Return the answer to a clip beside one that is twice as long, with zeros behind it."""
    longer = np.resize(others[0] if others else clip, 2 * len(clip))
    batch = np.stack([np.pad(clip, (0, len(clip))), longer])
    logits = model.logits(batch, np.array([len(clip), len(longer)]))
    return np.asarray(probabilities_of(logits, model.contract.outputs)[0])


def _changed(change: Callable[[Waveform, int], Waveform]) -> Vary:
    """Return the answer to a clip alone after a change of it at the model's sample rate."""
    return lambda model, clip, _others: _alone(model, change(clip, model.sample_rate))


def _starting(seconds: float) -> Vary:
    return _changed(lambda clip, rate: clip[max(1, round(seconds * rate)) :])


def _silent_first(seconds: float) -> Vary:
    return _changed(lambda clip, rate: np.pad(clip, (round(seconds * rate), 0)))


def _of_length(times: float) -> Vary:
    return _changed(lambda clip, _rate: np.resize(clip, max(1, round(times * len(clip)))))


Vary = Callable[["Model", "Waveform", "Sequence[Waveform]"], "Floats"]
"""`(model, clip, other clips)` -> probabilities `(K,)` of the clip given in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One way to give the same clip again.

    Attributes:
        what: In words, for tables.
        answer: The probabilities of the clip given so.
        exact: Whether they must be the very same.
    """

    what: str
    answer: Vary
    exact: bool = False


CHECKS = {
    "again": Variation(what="the same call again", answer=_again, exact=True),
    "batch_mates": Variation(what="other clips in the batch", answer=_beside_others, exact=True),
    "padding": Variation(
        what="zeros behind it, masked, beside a longer clip", answer=_zero_padded, exact=True
    ),
    "start_1_sample": Variation(what="starts 1 sample later", answer=_starting(0.0)),
    "start_5_ms": Variation(what="starts 5 ms later", answer=_starting(0.005)),
    "start_10_ms": Variation(what="starts 10 ms later", answer=_starting(0.01)),
    "silence_250_ms": Variation(what="0.25 s of silence first", answer=_silent_first(0.25)),
    "silence_1_s": Variation(what="1 s of silence first", answer=_silent_first(1.0)),
    "half": Variation(what="the first half alone", answer=_of_length(0.5)),
    "twice": Variation(what="said twice", answer=_of_length(2.0)),
}
"""Every check by name."""


def _checked(
    model: Model, clips: Sequence[Waveform], alone: Sequence[Floats], varied: Variation
) -> InvarianceCheck:
    same, moved, note = [], [], ""
    for i, (clip, before) in enumerate(zip(clips, alone, strict=True)):
        try:
            after = varied.answer(model, clip, [*clips[i + 1 :], *clips[:i]])
        except (AudioError, ModelError) as error:
            note = str(error)
            continue
        same.append(bool(before.argmax() == after.argmax()))
        moved.append(float(np.abs(before - after).max()))
    unchanged, largest = (float(np.mean(same)), max(moved)) if same else (float("nan"),) * 2
    return InvarianceCheck(
        what=varied.what,
        exact=varied.exact,
        n=len(same),
        unchanged=unchanged,
        largest=largest,
        passed=(unchanged == 1.0 and largest <= EXACT) if varied.exact and same else None,
        note="" if same else note or "there are no clips",
    )


def _takes(model: Model, clip: Waveform) -> bool:
    try:
        _alone(model, clip)
    except AudioError:
        return False
    return True


def _noise(model: Model, seconds: float) -> Waveform:
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * model.sample_rate))
    return np.asarray(noise, dtype=np.float32)
