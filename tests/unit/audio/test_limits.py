"""No file makes the decoder allocate what its header says, nor fail in another way than by name."""

import os
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

from build import encoded, voice
from serval.audio import decode
from serval.audio.encoded import MOST_CHANNELS
from serval.errors import AudioError

NOT_IN_MEMORY = {"RAW", "SD2"}


def with_rate(whole, rate):
    return whole[:24] + rate.to_bytes(4, "little") + whole[28:]


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 738_000_000, 2**31 - 1])
@pytest.mark.parametrize("subtype", ["PCM_16", "GSM610"])
def test_an_absurd_sample_rate_is_refused(rate, subtype):
    with pytest.raises(AudioError, match=rf"{rate} Hz; sample rates from|not decodable"):
        decode(with_rate(encoded(voice(), subtype=subtype), rate), 16_000, max_seconds=30)


def test_unusual_sample_rates_are_read():
    for rate in (1_000, 6_000, 384_000, 768_000):
        assert decode(encoded(voice(rate=rate), rate), 16_000).duration_s == 1


@pytest.mark.parametrize(("form", "subtype"), [("WAV", "PCM_16"), ("OGG", "OPUS")])
def test_too_many_channels_are_refused(form, subtype):
    many = np.zeros((480, MOST_CHANNELS + 1), np.float32)
    with pytest.raises(AudioError, match="65 channels; files of up to 64 are read"):
        decode(encoded(many, 48_000, form, subtype), 16_000)
    assert decode(encoded(many[:, 1:], 48_000, "WAV"), 16_000).channels == MOST_CHANNELS


def test_what_decodes_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(import_module("serval.audio.decode"), "LARGEST_VALUES", 50_000)
    assert decode(encoded(voice(seconds=3)), 16_000).duration_s == 3
    with pytest.raises(AudioError, match="when decoded; cut it up"):
        decode(encoded(np.stack([voice(seconds=3)] * 2, axis=1)), 16_000)
    with pytest.raises(AudioError, match="48000 samples at 16000 Hz are too many at 48000 Hz"):
        decode(encoded(voice(seconds=3)), 48_000)


def seeds():
    voices = [voice(i, 0.3) for i in range(2)]
    for form in sorted(set(soundfile.available_formats()) - NOT_IN_MEMORY):
        for subtype in sorted(soundfile.available_subtypes(form)):
            for channels in (1, 2):
                samples = np.stack(voices[:channels], axis=1)
                try:
                    yield encoded(samples, 16_000, form, subtype)
                except soundfile.LibsndfileError:
                    continue  # a codec for other rates or channel counts


def mutations(rng):
    for whole in seeds():
        yield whole[: rng.integers(len(whole))]
        broken = bytearray(whole)
        at = int(rng.integers(min(len(whole), 120)))
        broken[at : at + 4] = [b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4)][rng.integers(3)]
        yield bytes(broken)
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 20):
            broken[at] = rng.integers(256)
        yield bytes(broken)


def outcome(content):
    """The name of what was raised, or `read`."""
    try:
        decode(content, 16_000, max_seconds=30)
    except AudioError as error:
        foreign = "NoneType" in str(error) or "MemoryError" in str(error) or "\n" in str(error)
        return str(error) if foreign else "refused"
    return "read"


def test_broken_files_of_every_format_are_read_or_refused():
    paths = os.pathsep.join((*sys.path, str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"PYTHONPATH": paths, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def survive_mutations():
    """Decode broken files in 2 GiB of memory; return what is wrong about the outcomes, if any."""
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    outcomes = [outcome(content) for content in mutations(np.random.default_rng(0))]
    others = set(outcomes) - {"read", "refused"}
    return sorted(others) or (outcomes.count("refused") < 100 and "hardly one was refused") or None


if __name__ == "__main__":
    sys.exit(survive_mutations())
