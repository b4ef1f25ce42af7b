import math

import numpy as np
import pytest

from build import classifier, labels_metadata, voice
from serval.errors import AudioError
from serval.labels import LabelSet
from serval.models.contract import Contract
from serval.models.onnx import load_onnx
from serval.stress.invariance import invariance_of


@pytest.fixture
def clips():
    return [voice(i, 0.4 + 0.1 * (i % 3)) for i in range(5)]


def test_a_sound_file_gives_the_same_answer_in_a_batch_and_none_to_padding_without_a_mask(
    tmp_path, clips
):
    model = load_onnx(classifier(tmp_path / "m.onnx", metadata=labels_metadata()))
    found = invariance_of(model, clips)
    assert found.checks["again"].passed is True
    assert found.checks["batch_mates"].passed is True
    assert found.checks["batch_mates"].n == 5
    padding = found.checks["padding"]
    assert (padding.n, padding.passed) == (0, None)
    assert "no attention mask" in padding.note
    assert math.isnan(padding.unchanged)
    assert found.checks["start_1_sample"].largest > 0
    assert found.shortest_s == 0.05


def test_a_single_clip_has_nothing_to_stand_beside(tmp_path, clips):
    model = load_onnx(classifier(tmp_path / "m.onnx", metadata=labels_metadata()))
    found = invariance_of(model, clips[:1]).checks
    assert (found["again"].n, found["again"].passed) == (1, True)
    assert (found["batch_mates"].n, found["batch_mates"].passed) == (0, None)
    assert found["batch_mates"].note == "not checked: there is no other clip"


def test_a_mask_that_the_mean_ignores_is_found_out(tmp_path, clips):
    model = load_onnx(classifier(tmp_path / "m.onnx", metadata=labels_metadata(), mask=True))
    padding = invariance_of(model, clips).checks["padding"]
    assert (padding.n, padding.passed) == (5, False)
    assert padding.largest > 1e-4


class Fussy:
    """A model that refuses clips under 0.3 s and answers by what else is in the batch."""

    labels = LabelSet(["a", "b"])
    contract = Contract(labels=labels)
    sample_rate = 16_000
    max_seconds = 10.0
    facts = {}  # noqa: RUF012

    def logits(self, samples, lengths):
        if samples.shape[1] < 4800:
            raise AudioError("too short")
        first = np.full(len(samples), np.abs(samples).sum() % 7 - 3.0)
        return np.stack([first, np.zeros(len(samples))], axis=1).astype(np.float32)


def test_batch_mates_that_leak_and_short_clips_are_reported(clips):
    found = invariance_of(Fussy(), [*clips, voice(9, 0.1)])
    assert found.checks["again"].n == 5
    assert found.checks["again"].passed is True
    assert found.checks["batch_mates"].passed is False
    assert found.checks["half"].n < 5
    assert found.shortest_s == 0.5
