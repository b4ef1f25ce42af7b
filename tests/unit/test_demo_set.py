"""The built-in demo set is whole, small, and sounds the way its rules say."""

import csv
import hashlib
import json
import runpy
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serval.labels import EMOTIONS

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "src" / "serval" / "builtin" / "demo"
SPEAKERS = ("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4")
FRAME, HOP = 640, 160
LAGS = {"f": np.arange(28, 214), "m": np.arange(40, 290)}
"""Periods in samples: 75 to 570 Hz for the female voices, 55 to 400 Hz for the male."""


def manifest():
    with (DEMO / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def samples(label, speaker):
    return soundfile.read(DEMO / f"{label}_{speaker}.flac")[0]


def spoken(label, speaker):
    sound = samples(label, speaker)
    audible = np.flatnonzero(sound)
    return sound[audible[0] : audible[-1] + 1]


def duration(label, speaker):
    return spoken(label, speaker).size / 16_000


def level_db(label, speaker):
    return 20 * np.log10(np.sqrt(np.mean(spoken(label, speaker) ** 2)))


def brightness_db(label, speaker):
    power = np.abs(np.fft.rfft(spoken(label, speaker))) ** 2
    edge = int(1000 * power.size / 8000)
    return 10 * np.log10(power[edge:].sum() / power[:edge].sum())


@cache
def pitch_track(label, speaker):
    """F0 in Hz of the voiced frames, by the first high peak of the normalised autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(spoken(label, speaker), FRAME)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(FRAME)
    correlation = autocorrelation(frames * window) / autocorrelation(window[None])
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    lags = LAGS[speaker[0]]
    within = correlation[:, lags]
    # A period's double correlates as well as the period itself: the first good peak is the period.
    peaks = (within[:, 1:-1] >= within[:, :-2]) & (within[:, 1:-1] >= within[:, 2:])
    good = peaks & (within[:, 1:-1] > 0.9 * within.max(axis=1, keepdims=True))
    voiced = (within.max(axis=1) > 0.6) & (frames.std(axis=1) > 0.1 * frames.std(axis=1).max())
    found = voiced & good.any(axis=1)
    return 16_000 / lags[good[found].argmax(axis=1) + 1]


def autocorrelation(frames):
    power = np.abs(np.fft.rfft(frames, 2 * FRAME)) ** 2
    return np.fft.irfft(power)[:, : FRAME // 2]


def pitch_hz(label, speaker):
    return np.median(pitch_track(label, speaker))


def end_hz(label, speaker):
    track = pitch_track(label, speaker)
    return np.median(track[-track.size // 8 :])


def test_the_manifest_has_each_emotion_by_each_voice_once():
    rows = manifest()
    assert list(rows[0]) == ["path", "label", "speaker", "gender", "text"]
    assert Counter((row["label"], row["speaker"]) for row in rows) == Counter(
        (label, speaker) for label in EMOTIONS for speaker in SPEAKERS
    )


def test_the_manifest_names_the_files_that_are_there():
    assert [row["path"] for row in manifest()] == sorted(path.name for path in DEMO.glob("*.flac"))


def test_four_voices_are_female_and_four_male():
    genders = {row["speaker"]: row["gender"] for row in manifest()}
    assert Counter(genders.values()) == {"F": 4, "M": 4}


def test_a_voice_says_the_same_words_in_every_emotion():
    cast = json.loads((ROOT / "tools" / "demo_voices.json").read_text(encoding="utf-8"))["voices"]
    said = {(row["speaker"], row["text"]) for row in manifest()}
    assert said == {(speaker, voice["text"]) for speaker, voice in cast.items()}


@pytest.mark.parametrize("row", manifest(), ids=lambda row: row["path"])
def test_a_clip_is_short_16_khz_mono_speech(row):
    info = soundfile.info(DEMO / row["path"])
    assert (info.samplerate, info.channels, info.format) == (16_000, 1, "FLAC")
    assert 1.0 < info.duration < 4.0
    sound = samples(row["label"], row["speaker"])
    assert sound.size == info.frames
    assert 0.03 < np.abs(sound).max() < 0.99


def test_no_two_clips_are_the_same():
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in DEMO.glob("*.flac")}
    assert len(hashes) == 64


def test_the_set_stays_under_four_megabytes():
    assert sum(path.stat().st_size for path in DEMO.iterdir()) <= 4_000_000


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize(
    ("measure", "less", "more"),
    [
        (level_db, "sad", "calm"),
        (level_db, "calm", "neutral"),
        (level_db, "neutral", "happy"),
        (level_db, "happy", "angry"),
        (duration, "fearful", "angry"),
        (duration, "angry", "neutral"),
        (duration, "neutral", "calm"),
        (duration, "calm", "sad"),
        (brightness_db, "sad", "neutral"),
        (brightness_db, "neutral", "angry"),
        (pitch_hz, "sad", "neutral"),
        (pitch_hz, "disgust", "neutral"),
        (pitch_hz, "neutral", "angry"),
        (pitch_hz, "sad", "angry"),
        (pitch_hz, "neutral", "happy"),
        (pitch_hz, "neutral", "fearful"),
        (end_hz, "disgust", "neutral"),
        (end_hz, "neutral", "surprised"),
        (end_hz, "angry", "surprised"),
    ],
)
def test_the_audio_goes_where_the_rules_say(measure, less, more, speaker):
    assert measure(less, speaker) < measure(more, speaker)


def test_neutral_is_the_voice_as_it_is():
    rules = runpy.run_path(str(ROOT / "tools" / "demo_rules.py"))
    neutral = rules["Rule"](sources=rules["RULES"]["neutral"].sources)
    assert tuple(rules["RULES"]) == EMOTIONS
    assert rules["RULES"]["neutral"] == neutral


def test_the_card_shows_the_rules_and_says_that_the_speech_is_synthetic():
    card = (DEMO / "README.md").read_text(encoding="utf-8")
    rules = runpy.run_path(str(ROOT / "tools" / "demo_rules.py"))
    assert rules["rules_table"]() in card
    assert "synthetic" in card.splitlines()[0]
    assert all(f"| {voice} |" in card for voice in SPEAKERS)
