"""`serval predict --microphone`, with a microphone that hears what a test gives it."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from build import classifier, labels_metadata, voice
from serval.audio import microphone_windows, resampled
from serval.errors import AudioError, MissingExtraError
from serval.models.load import load_model

RATE = 48_000


class PortAudioError(Exception):
    pass


@pytest.fixture
def hears(monkeypatch):
    """Lets the microphone hear samples, `(T,) float32` at 48 kHz, in blocks, and then close."""

    def install(samples):
        class InputStream:
            def __init__(self, *, samplerate, channels, dtype, callback):
                assert (samplerate, channels, dtype) == (RATE, 1, "float32")
                self.callback = callback
                self.active = False

            def __enter__(self):
                for block in np.array_split(samples, max(1, len(samples) // 1024)):
                    self.callback(block[:, np.newaxis], len(block), None, None)

            def __exit__(self, *_):
                pass

        devices = {"default_samplerate": float(RATE)}
        fake = SimpleNamespace(
            InputStream=InputStream,
            PortAudioError=PortAudioError,
            query_devices=lambda kind: devices,
        )
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        return fake

    return install


def test_a_window_is_the_last_seconds_at_the_rate_of_the_model(hears):
    heard = voice(1, 4.0, RATE)
    hears(heard)
    (window,) = microphone_windows(16_000, 3.0, 0.5)
    np.testing.assert_array_equal(window, resampled(heard[-3 * RATE :], RATE, 16_000))


def test_nothing_is_said_of_less_than_a_second(hears):
    hears(voice(1, 0.9, RATE))
    assert list(microphone_windows(16_000, 3.0, 0.5)) == []


def test_it_says_what_the_model_says_of_that_window(hears, serval, model_file):
    heard = voice(1, 2.0, RATE)
    hears(heard)
    done = serval("predict", "--microphone", "-m", model_file)
    assert done.returncode == 0, done.stderr
    assert "microphone: the last 3 s, every 0.5 s" in done.stderr
    model = load_model(str(model_file))
    samples = resampled(heard, RATE, 16_000)
    logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
    share = np.exp(logits - logits.max()).max() / np.exp(logits - logits.max()).sum()
    (line,) = done.stdout.splitlines()
    found = re.search(r" s  (\w+) +(\d+) % +█* +\d+ ms$", line)
    assert found[1] == model.labels[logits.argmax()]
    assert int(found[2]) == round(100 * float(share))


def test_silence_has_no_emotion(hears, serval, model_file):
    hears(np.zeros(2 * RATE, dtype=np.float32))
    done = serval("predict", "--microphone", "-m", model_file)
    assert done.stdout.rstrip().endswith("too quiet")


@pytest.mark.parametrize("given", [(), ("a.wav", "--microphone"), ("--microphone", "--json")])
def test_it_hears_files_or_the_microphone(serval, model_file, given):
    done = serval("predict", *given, "-m", model_file)
    assert done.returncode == 2
    assert "--microphone" in done.stderr


def test_a_window_that_does_not_fit_the_model_is_told(hears, serval, model_file):
    hears(voice(1, 2.0, RATE))
    done = serval("predict", "--microphone", "--window", 500, "-m", model_file)
    assert done.returncode == 2
    assert "--window is 500 s, but the model hears 120 s at once" in done.stderr


def test_a_model_of_dimensions_is_told(hears, serval, tmp_path):
    hears(voice(1, 2.0, RATE))
    stated = labels_metadata(("arousal", "valence"), task="dimensions", scale="0..1")
    classifier(tmp_path / "dims.onnx", k=2, metadata=stated)
    done = serval("predict", "--microphone", "-m", "dims.onnx")
    assert done.returncode == 2
    assert "dims.onnx gives values of arousal, valence, and --microphone names" in done.stderr


def test_what_is_missing_is_one_line(hears, monkeypatch):
    def none(kind):
        raise PortAudioError("no default input device")

    hears(voice(1, 2.0, RATE)).query_devices = none
    with pytest.raises(AudioError, match="cannot be opened: no default input device; plug one in"):
        microphone_windows(16_000, 3.0, 0.5)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'serval-ser\[live\]'"):
        microphone_windows(16_000, 3.0, 0.5)


def test_nothing_is_announced_before_there_is_a_microphone(serval, model_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = serval("predict", "--microphone", "-m", model_file)
    assert done.returncode == 2
    assert done.stderr.startswith("serval: the microphone needs sounddevice")
