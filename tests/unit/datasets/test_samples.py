"""Samples as a file."""

import numpy as np
import pytest

from serval.audio import decode
from serval.datasets.samples import wav_of


@pytest.mark.parametrize(
    ("samples", "heard"),
    [
        (np.array([0, 128, 192], np.uint8), [-1.0, 0.0, 0.5]),
        (np.array([-128, 0, 64], np.int8), [-1.0, 0.0, 0.5]),
        (np.array([-32768, 0, 16384], np.int16), [-1.0, 0.0, 0.5]),
        (np.array([-1.0, 0.0, 0.5], np.float16), [-1.0, 0.0, 0.5]),
    ],
)
@pytest.mark.parametrize("rate", [8000, np.int64(8000), np.float32(8000)])
def test_samples_of_each_kind_keep_their_full_scale(samples, heard, rate):
    audio = decode(wav_of(samples, rate))
    assert (audio.samples.tolist(), audio.sample_rate) == (heard, 8000)


@pytest.mark.parametrize("rate", [True, np.bool_(True), 16000.5, "16000", None, 2**31, np.nan])
def test_what_is_no_rate_makes_no_file(rate):
    assert wav_of([0.5], rate) == b""


def test_a_type_without_a_known_full_scale_makes_no_file():
    assert wav_of(np.ones(3, np.uint16), 16000) == b""
