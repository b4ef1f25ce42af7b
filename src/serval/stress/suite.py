"""Every perturbation of the suite: names, parameters, and what is expected of a model under it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.audio import Waveform, decode, encoded_bytes
from serval.errors import AudioError, ConfigError
from serval.stress import channel, noise, waveform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serval.models.protocol import Model
    from serval.predict import Transform
    from serval.records import Clip, Dataset
    from serval.stress.kept import MadeOnce

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


WHOSE = "audEERING's published tests (Derington et al., 2023)"
"""Who asks for the thresholds, as people read it."""

DEAR = frozenset({"music", "environment"})
"""Kinds whose noise takes longer to make than to keep for their other levels."""

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


@dataclass(frozen=True, slots=True)
class Draws:
    """What a perturbation draws from.

    Attributes:
        seed: Of every random number.
        voices: The clips that babble may use.
        noise: Where the noise of a clip is kept for other levels of its kind, if anywhere.
    """

    seed: int = 0
    voices: Sequence[Voice] = ()
    noise: MadeOnce[NDArray[np.float64]] | None = None


def transform_of(case: Case, draws: Draws) -> Transform:
    """Return the case as a change to the waveform of any clip."""

    def transform(samples: Waveform, sample_rate: int, clip: Clip) -> Waveform:
        return perturbed(case, samples, sample_rate, clip, draws)

    return transform


def perturbed(
    case: Case,
    samples: Waveform,
    sample_rate: int,
    clip: Clip,
    draws: Draws,
) -> Waveform:
    """Return the samples after one case: a function of clip id, seed and parameters alone.

    Args:
        case: What is done.
        samples: `(T,) float32`.
        sample_rate: In Hz.
        clip: Whose id, with the seed, draws the random numbers.
        draws: What is drawn from.
    """
    key = hashlib.sha256(f"{draws.seed}|{case.kind}|{clip.id}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(key, dtype=np.uint32))
    parameters = dict(case.parameters)
    if case.kind == "babble":
        parameters["voices"] = _others(draws.voices, clip)
    if case.kind in DEAR and draws.noise is not None:
        parameters["again"] = partial(draws.noise.get, (key, len(samples), sample_rate))
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


FAMILIES = ("level", "noise", "spectrum", "time", "room", "codec")
SMALL, BACKGROUND = RULES["small change"], RULES["background noise"]
TILT, PHONE, ROOM = RULES["spectral tilt"], RULES["telephone"], RULES["room and recording"]

QUICK = (
    *("gain_minus2db", "clipping_3permille", "white_40db", "white_20db", "white_10db"),
    *("babble_20db", "music_20db", "environment_20db", "highpass_100hz", "lowpass_7000hz"),
    *("telephone_band", "tilt_up", "tilt_down", "prepend_500", "speed_plus10", "opus_12kbps"),
)
"""One of each kind that needs no extra: an eighth of the time, and most of what one wants."""


def suite_of(text: str) -> tuple[Case, ...]:
    """Return the cases that `--suite` names: `quick`, `full`, families and names, with commas.

    Raises:
        ConfigError: A name is unknown.
        MissingExtraError: A room is asked for, but the library that computes it is missing.
    """
    chosen: dict[str, Case] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        chosen |= {case.name: case for case in _named(word)}
    if not chosen:
        raise ConfigError("--suite is empty; give quick, full, or names with commas")
    if any(case.family == "room" for case in chosen.values()):
        channel.require_rooms()
    return tuple(case for case in FULL if case.name in chosen)


def _named(word: str) -> list[Case]:
    if word == "full":
        return list(FULL)
    if word == "quick":
        return [case for case in FULL if case.name in QUICK]
    found = [case for case in FULL if word in {case.name, case.kind, case.family}]
    if not found:
        kinds = ", ".join(dict.fromkeys(case.kind for case in FULL))
        raise ConfigError(
            f"unknown perturbation '{word}'; known: quick, full, {', '.join(FAMILIES)}, {kinds}"
        )
    return found


def _signed(value: float) -> str:
    return f"{'minus' if value < 0 else 'plus'}{abs(value):g}"


def _level_cases() -> Iterator[Case]:
    for db in (-2, -1, 1, 2):
        yield Case(name=f"gain_{_signed(db)}db", family="level", kind="gain", perturb=waveform.gain,
                   parameters={"gain_db": db}, level=db, unit="dB", rule=SMALL)  # fmt: skip
    for permille in (1, 2, 3):
        yield Case(name=f"clipping_{permille}permille", family="level", kind="clipping",
                   perturb=waveform.clipped, parameters={"percent": permille / 10},
                   level=permille / 10, unit="%", rule=SMALL)  # fmt: skip
    yield Case(name="dc_offset", family="level", kind="dc_offset", perturb=waveform.offset,
               parameters={"shift": 0.05}, rule=ROOM)  # fmt: skip
    yield Case(name="stereo_one_silent", family="level", kind="stereo_one_silent",
               perturb=waveform.one_channel_silent, rule=ROOM)  # fmt: skip
    yield Case(name="pcm_8bit", family="level", kind="pcm_8bit", perturb=waveform.quantized,
               parameters={"bits": 8}, rule=ROOM)  # fmt: skip


def _noise_cases() -> Iterator[Case]:
    for db in (45, 40, 35, 20, 10, 5, 0):
        rule = SMALL if db >= 35 else BACKGROUND if db == 20 else None
        yield Case(name=f"white_{db}db", family="noise", kind="white", perturb=noise.white,
                   parameters={"snr_db": db}, level=db, unit="dB SNR", rule=rule)  # fmt: skip
    for kind in (noise.babble, noise.music, noise.environment):
        for db in (20, 10, 5, 0):
            yield Case(name=f"{kind.__name__}_{db}db", family="noise", kind=kind.__name__,
                       perturb=kind, parameters={"snr_db": db}, level=db, unit="dB SNR",
                       rule=BACKGROUND if db == 20 else None)  # fmt: skip
    for sound in ("cough", "sneeze"):
        yield Case(name=f"{sound}_10db", family="noise", kind=sound, perturb=noise.burst,
                   parameters={"snr_db": 10, "kind": sound}, rule=BACKGROUND)  # fmt: skip
    for db in (50, 45, 40):
        yield Case(name=f"tone_{db}db", family="noise", kind="tone", perturb=noise.tone,
                   parameters={"snr_db": db}, level=db, unit="dB SNR", rule=SMALL)  # fmt: skip


def _spectrum_cases() -> Iterator[Case]:
    for hz in (50, 100, 150):
        yield Case(name=f"highpass_{hz}hz", family="spectrum", kind="highpass",
                   perturb=waveform.passed, parameters={"cutoff_hz": hz, "side": "highpass"},
                   level=hz, unit="Hz", rule=SMALL)  # fmt: skip
    for hz in (7500, 7000, 6500):
        yield Case(name=f"lowpass_{hz}hz", family="spectrum", kind="lowpass",
                   perturb=waveform.passed, parameters={"cutoff_hz": hz, "side": "lowpass"},
                   level=hz, unit="Hz", rule=SMALL)  # fmt: skip
    yield Case(name="telephone_band", family="spectrum", kind="telephone_band",
               perturb=waveform.telephone, rule=PHONE)  # fmt: skip
    for name, tilt in (("tilt_up", -0.9), ("tilt_down", 0.9)):
        yield Case(name=name, family="spectrum", kind=name, perturb=waveform.tilted,
                   parameters={"tilt": tilt}, rule=TILT)  # fmt: skip


def _time_cases() -> Iterator[Case]:
    edits = (("crop", waveform.cropped, "start"), ("append", waveform.padded, "end"),
             ("prepend", waveform.padded, "start"))  # fmt: skip
    for kind, edit, end in edits:
        for count in (100, 500, 1000):
            yield Case(name=f"{kind}_{count}", family="time", kind=kind, perturb=edit,
                       parameters={"count": count, "end": end}, level=count, unit="samples",
                       rule=SMALL)  # fmt: skip
    for name, end in (("silence_before", "start"), ("silence_after", "end")):
        yield Case(name=name, family="time", kind=name, perturb=waveform.silence,
                   parameters={"seconds": 1.0, "end": end})  # fmt: skip
    for change in (waveform.speed, waveform.pitch, waveform.tempo):
        for percent in (-10, -5, 5, 10):
            yield Case(name=f"{change.__name__}_{_signed(percent)}", family="time",
                       kind=change.__name__, perturb=change, parameters={"percent": percent},
                       level=percent, unit="%")  # fmt: skip


def _room_cases() -> Iterator[Case]:
    for name, metres in (("small", 1.0), ("medium", 1.5), ("large", 2.0)):
        yield Case(name=f"room_{name}", family="room", kind=f"room_{name}",
                   perturb=channel.reverberant, parameters={"room": name, "distance_m": metres},
                   rule=ROOM)  # fmt: skip
    for metres in (0.5, 1.0, 2.0, 3.0):
        yield Case(name=f"distance_{round(100 * metres)}cm", family="room", kind="distance",
                   perturb=channel.reverberant, parameters={"room": "medium", "distance_m": metres},
                   level=metres, unit="m", rule=ROOM)  # fmt: skip


def _codec_cases() -> Iterator[Case]:
    for kbps in (24, 12, 6):
        yield Case(name=f"opus_{kbps}kbps", family="codec", kind="opus", perturb=channel.opus,
                   parameters={"kbps": kbps}, level=kbps, unit="kbit/s", rule=ROOM)  # fmt: skip
    yield Case(name="mp3_32kbps", family="codec", kind="mp3", perturb=channel.mp3,
               parameters={"kbps": 32}, rule=ROOM)  # fmt: skip
    yield Case(name="gsm", family="codec", kind="gsm", perturb=channel.gsm, rule=PHONE)
    yield Case(name="poor_telephone", family="codec", kind="poor_telephone",
               perturb=channel.poor_telephone, rule=PHONE)  # fmt: skip
    yield Case(name="mulaw", family="codec", kind="mulaw", perturb=channel.mulaw, rule=ROOM)
    for percent in (5, 10, 20):
        yield Case(name=f"packet_loss_{percent}percent", family="codec", kind="packet_loss",
                   perturb=channel.packet_loss, parameters={"percent": percent}, level=percent,
                   unit="%")  # fmt: skip
    for rate in (8000, 44100):
        yield Case(name=f"rate_{rate}hz", family="codec", kind=f"rate_{rate}hz",
                   perturb=channel.rate_round_trip, parameters={"rate": rate},
                   rule=ROOM)  # fmt: skip


FULL = (
    *_level_cases(),
    *_noise_cases(),
    *_spectrum_cases(),
    *_time_cases(),
    *_room_cases(),
    *_codec_cases(),
)
"""Every case, families together, milder ones first."""
