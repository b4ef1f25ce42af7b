"""The clips that a report lets people hear: small Ogg files with a picture of each."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from PIL import Image
from scipy.sparse import csr_array

from serval.audio import Waveform, decode, encoded_bytes, resampled
from serval.errors import AudioError, DatasetError
from serval.evaluation import Step, open_dataset
from serval.files import is_file
from serval.machine import available_cores
from serval.options import stored_options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serval.records import Clip
    from serval.run import Run


RATES = (8000, 12000, 16000)
"""Sample rates in Hz of the sounds: at most what the picture shows and most models are given."""

COMPRESSION = 0.95
"""libsndfile's scale from 0 (largest file) to 1: about 35 kbit/s for speech at 16 kHz.

libsndfile makes Vorbis in a fourteenth of the time that its Opus takes, and in half of that of MP3.
"""

SHORTEST_BLOCK = 64
"""Vorbis's blocks are multiples of it. A sound of whole blocks is made one sample longer.

Chromium 150 plays no file of one page whose last block is whole: "PTS is not defined".
"""

POINTS = 240
"""Columns of a waveform's outline."""

MEL_RATE, MEL_BANDS, MEL_WINDOW, MEL_STEP, MEL_COLUMNS = 16000, 56, 512, 256, 480
"""The picture: 0-8 kHz, 62.5 columns a second, at most 480 columns in a long clip."""

FLOOR_DB = -65.0
SHADES = 16
RAMP = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Dark to bright with even steps in lightness, so that the picture also reads in grey."""

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSound:
    """One clip, ready to be heard and seen.

    Attributes:
        ogg: Vorbis in Ogg, mono.
        outline: `POINTS` bytes: the largest magnitude in each part of the clip, 255 = full scale.
        mel: PNG of the mel spectrogram, time to the right, pitch upwards.
    """

    ogg: bytes
    outline: bytes
    mel: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """The sounds of a report by `Clip` sha256, and a sentence on each thing that is missing."""

    by_sha256: dict[str, PageSound]
    notes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counts clips whose sound is there or cannot be had, and says so.

    Attributes:
        total: Clips of all runs.
        show: Told of each step.
        done: Clips so far.
        failures: Of them, those that cannot be heard.
        resumed: Of them, those that an earlier page had.
    """

    total: int
    show: Callable[[Step], None]
    done: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    resumed: int = field(default=0, init=False)

    def kept(self, clips: int) -> None:
        """Count the clips that an earlier page had."""
        self.resumed += clips
        self.done += clips
        self._tell()

    def made(self, *, heard: bool) -> None:
        """Count one more clip."""
        self.done += 1
        self.failures += not heard
        self._tell()

    def _tell(self) -> None:
        self.show(
            Step(done=self.done, total=self.total, failures=self.failures, resumed=self.resumed)
        )


def sounds_of(
    run: Run,
    wanted: Collection[int],
    kept: Mapping[str, PageSound] | None = None,
    progress: Progress | None = None,
) -> Sounds:
    """Return the clips at the positions `wanted` of a run, fetched from its dataset again.

    A clip whose file is no longer the one that was evaluated is left out and counted. Where the
    whole dataset is out of reach, as on another machine, there are no sounds and a note says why.

    Args:
        run: The run.
        wanted: Positions in it.
        kept: Sounds that are there already, by sha256 of their clips.
        progress: Told of each clip.
    """
    if not wanted:
        return Sounds(by_sha256={})
    if reason := run.provenance.dataset.get("no_audio"):
        return Sounds(by_sha256={}, notes=(f"No clip can be heard: {reason}.",))
    expected = {int(run.index[i]): run.audio_sha256[i] for i in wanted}
    kept = kept or {}
    found = {sha256: kept[sha256] for sha256 in expected.values() if sha256 in kept}
    missing = {index: sha256 for index, sha256 in expected.items() if sha256 not in found}
    progress = progress or Progress(total=len(expected), show=lambda _step: None)
    progress.kept(len(expected) - len(missing))
    try:
        for sha256, sound in _fetched(run, missing) if missing else ():
            progress.made(heard=sound is not None)
            if sound is not None:
                found[sha256] = sound
    except DatasetError as error:
        return Sounds(by_sha256=found, notes=(f"No audio beyond this point: {error}.",))
    return Sounds(by_sha256=found, notes=not_the_file(len(set(expected.values()) - found.keys())))


def not_the_file(clips: int) -> tuple[str, ...]:
    """Return what is said of clips whose files are others now; nothing if there are none."""
    said = (
        "1 clip is not the file that was evaluated"
        if clips == 1
        else f"{clips:,} clips are not the files that were evaluated"
    )
    return (f"{said} and cannot be heard here.",) if clips else ()


def sound_of(encoded: bytes, max_seconds: float) -> PageSound:
    """Return one encoded clip as a sound.

    Raises:
        AudioError: It cannot be decoded.
    """
    audio = decode(encoded, RATES[-1], max_seconds=max_seconds)
    rate = next((r for r in RATES if r >= audio.source_rate), RATES[-1])
    return sound_of_samples(audio.samples, audio.sample_rate, rate)


def sound_of_samples(samples: Waveform, sample_rate: int, rate: int = MEL_RATE) -> PageSound:
    """Return samples, `(T,) float32`, as a sound that is kept at `rate`, one of `RATES`."""
    heard = resampled(samples, sample_rate, rate)
    return PageSound(
        ogg=_vorbis(heard, rate),
        outline=outline(heard),
        mel=mel_picture(resampled(samples, sample_rate, MEL_RATE)),
    )


def outline(samples: Waveform) -> bytes:
    """Return `POINTS` bytes: the largest magnitude of each part, 255 = full scale.

    Examples:
        >>> outline(np.float32([0.0] * 240 + [1.0] * 240))[::60].hex()
        '0000ffff'
    """
    starts = np.linspace(0, len(samples), POINTS + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(np.append(np.abs(samples), 0.0), starts)
    return bytes((np.clip(peaks, 0, 1) * 255).round().astype(np.uint8))


def mel_picture(samples: Waveform) -> bytes:
    """Return the mel spectrogram of samples at 16 kHz as a PNG of 16 shades."""
    power = np.asarray(_mel_filters() @ _spectrum(samples).T).T
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    level = np.clip(1 - (decibels - decibels.max()) / FLOOR_DB, 0, 1)
    shades = (level.T[::-1] * (SHADES - 1)).round().astype(np.uint8)
    picture = Image.fromarray(shades, "P")
    picture.putpalette(_palette())
    file = io.BytesIO()
    picture.save(file, "PNG", bits=4, compress_level=6)
    return file.getvalue()


def _fetched(run: Run, expected: dict[int, str]) -> Iterator[tuple[str, PageSound | None]]:
    """Yield sha256 and sound of the wanted clips, `None` of a file that is another one now."""
    contract = run.provenance.model.get("contract", {})
    max_seconds = float(contract.get("max_seconds", 120.0))
    with ThreadPoolExecutor(max_workers=available_cores(), thread_name_prefix="serval") as pool:
        clips = _clips(run, expected)
        while batch := list(islice(clips, BATCH)):
            jobs = [(clip, expected[clip.index], max_seconds) for clip in batch]
            yield from pool.map(_checked, jobs)


def _checked(job: tuple[Clip, str, float]) -> tuple[str, PageSound | None]:
    clip, sha256, max_seconds = job
    try:
        encoded = encoded_bytes(clip.audio)
        if hashlib.sha256(encoded).hexdigest() != sha256:
            return sha256, None
        return sha256, sound_of(encoded, max_seconds)
    except AudioError:
        return sha256, None


def _clips(run: Run, expected: dict[int, str]) -> Iterator[Clip]:
    dataset = open_dataset(stored_options(run))
    for clip in dataset.clips(min(expected), max(expected) + 1):
        if clip.index in expected:
            yield clip


def _vorbis(samples: Waveform, rate: int) -> bytes:
    file = io.BytesIO()
    whole = len(samples) % SHORTEST_BLOCK == 0
    soundfile.write(
        file, np.pad(samples, (0, int(whole))), rate, format="OGG", subtype="VORBIS",
        compression_level=COMPRESSION,
    )  # fmt: skip
    return file.getvalue()


def _spectrum(samples: Waveform) -> NDArray[np.float64]:
    """Return `(frames, bins)` power of windowed frames, at most `MEL_COLUMNS` of them."""
    padded = np.pad(samples, (0, max(0, MEL_WINDOW - len(samples))))
    step = max(MEL_STEP, -(-len(padded) // MEL_COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_WINDOW)[::step]
    return np.asarray(np.abs(np.fft.rfft(frames * _window())) ** 2)


@cache
def _window() -> NDArray[np.float64]:
    """Return a periodic Hann window, which `scipy.signal.get_window` gives too."""
    turns = np.arange(MEL_WINDOW) / MEL_WINDOW
    return 0.5 - 0.5 * np.cos(2 * np.pi * turns)


@cache
def _mel_filters() -> csr_array[np.float64]:
    """Return `(bands, bins)` triangles that are evenly spaced on the mel scale.

    Sparse, as nearly all of it is zero; and a small product of dense matrices costs the time of all
    cores, whose threads wait for each other busily.

    Source: mel = 2595 log10(1 + f / 700), O'Shaughnessy (1987), Speech Communication.
    """
    top = 2595 * np.log10(1 + MEL_RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(MEL_WINDOW, 1 / MEL_RATE)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return csr_array(np.maximum(0, np.minimum(rising, falling)))


@cache
def _palette() -> list[int]:
    places = np.linspace(0, len(RAMP) - 1, SHADES)
    channels = [np.interp(places, range(len(RAMP)), channel) for channel in np.transpose(RAMP)]
    return [int(value) for value in np.stack(channels, axis=1).round().ravel()]


RECIPE = 2
"""Raised when sounds are made in another way: those of earlier pages are then made again."""

BLOCK = re.compile(r'<script type="application/json" id="sounds">(.*?)</script>', re.DOTALL)


def audio_folder(page: Path) -> Path:
    """Return where the audio of a page lies that has too much of it."""
    return page.with_name(f"{page.stem}-audio")


def audio_file(sha256: str) -> str:
    """Return the name of a sound in that folder; `sha256` is of the clip that was evaluated."""
    return f"{sha256[:20]}.ogg"


def sound_block(sha256: str, sound: PageSound, src: str) -> dict[str, Any]:
    """Return a sound as a page holds it, in plain JSON types."""
    pictures = {"outline": _text(sound.outline), "mel": _text(sound.mel)}
    return {"src": src, **pictures, "of": sha256, "recipe": RECIPE}


def kept_sounds(pages: Iterable[Path]) -> dict[str, PageSound]:
    """Return the sounds of earlier pages by the sha256 of their clips.

    What cannot be read, as of a page that somebody changed, is left out: it is made again.
    """
    kept: dict[str, PageSound] = {}
    for page in dict.fromkeys(pages):
        for block in _blocks(page):
            with suppress(KeyError, TypeError, ValueError, OSError):
                kept[_clip_of(block)] = _sound(block, page)
    return kept


def _blocks(page: Path) -> list[Any]:
    if not is_file(page):
        return []
    try:
        found = BLOCK.search(page.read_text(encoding="utf-8"))
        blocks = json.loads(found[1]) if found else []
    except (OSError, ValueError, RecursionError):
        return []
    return blocks if isinstance(blocks, list) else []


def _clip_of(block: Mapping[str, Any]) -> str:
    if block["recipe"] != RECIPE or not re.fullmatch("[0-9a-f]{64}", block["of"]):
        raise ValueError(block["recipe"])
    return str(block["of"])


def _sound(block: Mapping[str, Any], page: Path) -> PageSound:
    inside, _, text = block["src"].partition("base64,")
    ogg = (
        _bytes(text)
        if inside.startswith("data:")
        else (audio_folder(page) / audio_file(block["of"])).read_bytes()
    )
    return PageSound(ogg=ogg, outline=_bytes(block["outline"]), mel=_bytes(block["mel"]))


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
