"""One perturbation with its parameters, what is expected under it, and the voices of its babble."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.audio import Waveform, decode, encoded_bytes
from serval.errors import AudioError

if TYPE_CHECKING:
    from serval.models.protocol import Model
    from serval.predict import Transform
    from serval.records import Clip, Dataset

__all__ = ["POOL", "RULES", "Case", "Rule", "Voice", "perturbed", "transform_of", "voices_of"]


Perturb = Callable[..., Waveform]
"""`(samples, sample_rate, rng, **parameters)` -> other samples, the same for the same arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is expected of a model under a kind of perturbation.

    Attributes:
        name: `small change`, `background noise` ...
        unchanged: Least share of predictions that stay as they are, in [0, 1].
        uar_change: Least change of UAR, in [-1, 0], or `None` where nothing is asked of it.
    """

    name: str
    unchanged: float
    uar_change: float | None = None

    def is_kept(self, unchanged: float, uar_change: float) -> bool:
        """Return whether a share of unchanged predictions and a change of UAR keep the rule."""
        enough = self.uar_change is None or uar_change >= self.uar_change
        return unchanged >= self.unchanged and enough


RULES = {
    rule.name: rule
    for rule in (
        Rule(name="small change", unchanged=0.95),
        Rule(name="background noise", unchanged=0.90, uar_change=-0.05),
        Rule(name="spectral tilt", unchanged=0.80, uar_change=-0.02),
        Rule(name="telephone", unchanged=0.50, uar_change=-0.05),
        Rule(name="room and recording", unchanged=0.80),
    )
}
"""The thresholds that are published for emotion models.

Source: audeering ser-tests, test/emotion/*.yaml; Derington et al. (2023), Testing speech emotion
recognition machine learning models.
"""


STORED_AS = {"time": "tempo"}
"""Families that runs store under another name: that of the file that their functions stood in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One perturbation with its parameters.

    Attributes:
        name: In files, folders and paths of bounds: `white_20db`.
        family: `noise`, `level`, `spectrum`, `time`, `room` or `codec`.
        kind: Cases of one kind differ by their level only, and draw the same random numbers.
        perturb: The pure function.
        parameters: What it is given.
        level: The parameter that makes it harsher or milder, if there is one.
        unit: `dB`, `dB SNR`, `Hz`, `%` ...: what the level is in, or an empty text.
        rule: What is expected, or `None` where no threshold is published.
    """

    name: str
    family: str
    kind: str
    perturb: Perturb
    parameters: Mapping[str, Any] = field(default_factory=dict)
    level: float | None = None
    unit: str = ""
    rule: Rule | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What identifies the perturbation, in plain JSON types."""
        function = f"{STORED_AS.get(self.family, self.family)}.{self.perturb.__name__}"
        return {"name": self.name, "function": function, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A clip that may talk in the babble behind another clip.

    Attributes:
        clip_id: Never behind itself.
        speaker: Not behind clips of the same speaker, if others are known.
        samples: `(T,) float32` at the model's sample rate.
    """

    clip_id: str
    speaker: str | None
    samples: Waveform


def transform_of(case: Case, seed: int, voices: Sequence[Voice] = ()) -> Transform:
    """Return the case as a change to the waveform of any clip."""

    def transform(samples: Waveform, sample_rate: int, clip: Clip) -> Waveform:
        return perturbed(case, samples, sample_rate, clip, (seed, voices))

    return transform


def perturbed(
    case: Case,
    samples: Waveform,
    sample_rate: int,
    clip: Clip,
    drawn: tuple[int, Sequence[Voice]] = (0, ()),
) -> Waveform:
    """Return the samples after one case: a function of clip id, seed and parameters alone.

    Args:
        case: What is done.
        samples: `(T,) float32`.
        sample_rate: In Hz.
        clip: Whose id, with the seed, draws the random numbers.
        drawn: The seed, and the clips that babble may use.
    """
    seed, voices = drawn
    key = hashlib.sha256(f"{seed}|{case.kind}|{clip.id}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(key, dtype=np.uint32))
    parameters = dict(case.parameters)
    if case.kind == "babble":
        parameters["voices"] = _others(voices, clip)
    return case.perturb(samples, sample_rate, rng, **parameters)


def _others(voices: Sequence[Voice], clip: Clip) -> list[Waveform]:
    """Return the voices of other speakers, or of other clips where there are no other speakers."""
    clips = [voice for voice in voices if voice.clip_id != clip.id]
    strangers = [voice for voice in clips if voice.speaker != clip.speaker or clip.speaker is None]
    return [voice.samples for voice in strangers or clips]


POOL = 32
"""Number of clips in the pool from which babble is made."""

LONGEST_S = 10.0
"""Seconds of each clip that are kept in memory: 20 MB for the whole pool at 16 kHz."""


def voices_of(
    dataset: Dataset, model: Model, *, limit: int | None = None, seed: int = 0
) -> tuple[Voice, ...]:
    """Return up to `POOL` clips of a set, chosen by their ids and the seed, decoded.

    A clip that cannot be decoded is left out.
    """
    chosen = sorted(
        dataset.metadata(0, limit),
        key=lambda clip: hashlib.sha256(f"{seed}|voice|{clip.id}".encode()).digest(),
    )[:POOL]
    voices = (
        _voice(clip, model)
        for index in sorted(clip.index for clip in chosen)
        for clip in dataset.clips(index, index + 1)
    )
    return tuple(voice for voice in voices if voice is not None)


def _voice(clip: Clip, model: Model) -> Voice | None:
    try:
        audio = decode(encoded_bytes(clip.audio), model.sample_rate, max_seconds=model.max_seconds)
    except AudioError:
        return None
    kept = audio.samples[: round(LONGEST_S * model.sample_rate)].copy()
    return Voice(clip_id=clip.id, speaker=clip.speaker, samples=kept) if kept.any() else None
