import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from build import encoded, voice
from pages import evaluated, spoken_set
from serval.errors import AudioError
from serval.report.build import write_report
from serval.report.sound import (
    POINTS,
    RECIPE,
    Progress,
    kept_sounds,
    mel_picture,
    outline,
    sound_of,
    sounds_of,
)


def test_a_clip_becomes_vorbis_of_the_same_length_and_sound():
    samples = voice(3, seconds=1.5, rate=44_100)
    sound = sound_of(encoded(samples, 44_100), max_seconds=30)
    heard, rate = soundfile.read(io.BytesIO(sound.ogg))
    assert soundfile.info(io.BytesIO(sound.ogg)).subtype == "VORBIS"
    assert len(heard) / rate == pytest.approx(1.5, abs=0.01)
    spectra = [np.abs(np.fft.rfft(x, 8 * rate))[: 8 * 3000] for x in (heard,)]
    assert np.argmax(spectra[0]) / 8 < 3000
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.15)
    assert len(sound.ogg) < 16_000


@pytest.mark.parametrize("samples", [6_400, 12_800, 12_864])
def test_no_sound_ends_with_a_whole_block_which_chromium_150_would_not_play(samples):
    sound = sound_of(encoded(voice(3, seconds=samples / 16_000, rate=16_000), 16_000), 30)
    assert soundfile.info(io.BytesIO(sound.ogg)).frames == samples + 1


def test_a_clip_below_16_khz_is_not_blown_up():
    sound = sound_of(encoded(voice(1, rate=8000), 8000), max_seconds=30)
    assert len(sound.ogg) > 500


def test_what_is_no_audio_is_refused():
    with pytest.raises(AudioError, match="not decodable"):
        sound_of(b"nonsense", max_seconds=30)


def test_the_outline_shows_where_a_clip_is_loud():
    samples = np.concatenate([np.zeros(8000), 0.5 * np.ones(8000)]).astype(np.float32)
    shape = np.frombuffer(outline(samples), dtype=np.uint8)
    assert len(shape) == POINTS
    assert shape[: POINTS // 2].max() == 0
    assert shape[POINTS // 2 :].tolist() == [128] * (POINTS // 2)


def test_the_outline_of_a_clip_shorter_than_its_points():
    assert len(outline(np.float32([1.0]))) == POINTS
    assert len(outline(np.zeros(0, np.float32))) == POINTS


@pytest.mark.parametrize("hz", [300, 1000, 3000])
def test_the_picture_is_bright_where_the_tone_is(hz):
    tone = np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000).astype(np.float32)
    picture = Image.open(io.BytesIO(mel_picture(tone)))
    light = np.asarray(picture.convert("L"), dtype=float)
    row = light.shape[0] - 1 - int(light.mean(axis=1).argmax())
    mel = 2595 * np.log10(1 + np.array([hz, 8000]) / 700)
    assert row == pytest.approx(mel[0] / mel[1] * (light.shape[0] + 1) - 1, abs=1)


def test_the_picture_of_a_long_clip_stays_small():
    long = Image.open(io.BytesIO(mel_picture(voice(0, seconds=60))))
    assert long.size[0] <= 480
    short = Image.open(io.BytesIO(mel_picture(np.zeros(10, np.float32))))
    assert short.size == (1, 56)


def test_wanted_clips_are_fetched_from_the_dataset_again(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 6))
    sounds = sounds_of(run, [1, 4])
    assert set(sounds.by_sha256) == {run.audio_sha256[1], run.audio_sha256[4]}
    assert sounds.notes == ()
    assert sounds_of(run, []).by_sha256 == {}


def test_a_file_that_changed_since_is_left_out_and_counted(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 6))
    (tmp_path / "clips" / "clip0001.wav").write_bytes(encoded(voice(99, 0.7)))
    (tmp_path / "clips" / "clip0002.wav").write_bytes(b"")
    sounds = sounds_of(run, [0, 1, 2])
    assert set(sounds.by_sha256) == {run.audio_sha256[0]}
    assert sounds.notes == (
        "2 clips are not the files that were evaluated and cannot be heard here.",
    )


def test_without_the_dataset_there_is_no_sound_and_a_note_says_why(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 6))
    (tmp_path / "clips" / "set.csv").unlink()
    sounds = sounds_of(run, [0])
    assert sounds.by_sha256 == {}
    assert "set.csv" in sounds.notes[0]


def test_every_clip_is_told_of_and_which_cannot_be_heard(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 6))
    (tmp_path / "clips" / "clip0001.wav").write_bytes(b"")
    steps = []
    sounds_of(run, [0, 1, 2], progress=Progress(total=3, show=steps.append))
    assert [(step.done, step.total, step.failures) for step in steps] == [
        (0, 3, 0), (1, 3, 0), (2, 3, 1), (3, 3, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("most_mb", [40.0, 0.0])
def test_a_page_made_again_takes_its_sounds_from_the_one_that_is_there(
    tmp_path, monkeypatch, most_mb
):
    monkeypatch.setattr("serval.report.build.EMBED_MB", most_mb)
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 6))
    path = tmp_path / "page.html"
    made = write_report(run, path, audio="all")
    (tmp_path / "clips" / "set.csv").unlink()
    steps = []
    again = write_report(run, path, audio="all", show=steps.append)
    assert (again.sounds, again.notes) == (made.sounds, ()) == (6, ())
    assert [(step.done, step.resumed) for step in steps] == [(6, 6)]
    assert sounds_of(run, range(6), kept_sounds([path])).by_sha256 == kept_sounds([path])


OTHER = {"of": "a" * 64, "src": "x", "outline": "", "mel": ""}


@pytest.mark.parametrize(
    "block",
    [
        *("", "[", "{}", "[1]"),
        *(json.dumps([{"recipe": RECIPE - 1} | OTHER]), json.dumps([{"recipe": RECIPE}])),
        *(json.dumps([{"recipe": RECIPE} | OTHER | wrong])
          for wrong in ({}, {"of": "../../secret"}, {"src": "data:audio/ogg;base64,<"})),
    ],
)  # fmt: skip
def test_what_is_no_page_of_this_version_keeps_nothing(tmp_path, block):
    page = tmp_path / "page.html"
    page.write_text(f'<script type="application/json" id="sounds">{block}</script>')
    assert kept_sounds([page, tmp_path, tmp_path / "missing.html"]) == {}
