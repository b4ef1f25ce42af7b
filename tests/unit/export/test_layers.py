"""Front ends and masked layers against numpy and torch themselves."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from build import voice
from serval.checkpoints.front_ends import fourier_kernel
from serval.checkpoints.network import Frames, MaskedGroupNorm, MaskedInput, within


def test_the_fourier_kernel_is_the_transform_of_a_windowed_frame():
    window = np.hanning(400)
    kernel = fourier_kernel(window, 512, np.eye(400))[:, 0].numpy()
    frame = voice(seconds=1)[:400]
    real, imaginary = np.split(kernel @ frame, 2)
    expected = np.fft.rfft(frame * window, n=512)
    np.testing.assert_allclose(real + 1j * imaginary, expected, atol=1e-4)


def test_within_marks_the_first_places_of_each_row():
    assert within(3, torch.tensor([1, 3, 0])).tolist() == [
        [True, False, False],
        [True, True, True],
        [False, False, False],
    ]


def test_a_masked_group_norm_hears_only_the_clip():
    torch.manual_seed(0)
    conv, norm = nn.Conv1d(1, 6, 10, stride=5), nn.GroupNorm(6, 6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    frames = Frames(samples=torch.tensor([777, 1_000]))
    masked = MaskedGroupNorm(norm, conv, frames)
    clips = torch.randn(2, 1, 1_000) + 0.5
    clips[0, :, 777:] = 0
    with torch.no_grad():
        alone = norm(conv(clips[:1, :, :777]))
        together = masked(conv(clips))
        whole = norm(conv(clips[1:]))
    torch.testing.assert_close(together[:1, :, : alone.shape[-1]], alone)
    torch.testing.assert_close(together[1:], whole)


def test_a_masked_convolution_sees_zeros_behind_the_clip():
    torch.manual_seed(0)
    conv = nn.Conv1d(4, 4, 7, padding=3)
    masked = MaskedInput(conv, Frames(frames=torch.tensor([11])))
    hidden = torch.randn(1, 4, 20)
    with torch.no_grad():
        torch.testing.assert_close(masked(hidden)[..., :11], conv(hidden[..., :11]))
