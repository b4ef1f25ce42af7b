import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from build import encoded, voice
from serval.errors import AudioError
from serval.labels import LabelSet
from serval.models.contract import Contract
from serval.predict import AHEAD, infer, predict
from serval.probabilities import softmax
from serval.records import Clip, Failure, Prediction


class Loudness:
    """Says `loud` where the waveform is loud."""

    labels = LabelSet(["quiet", "loud"])
    contract = Contract(labels=labels)
    sample_rate = 16_000
    max_seconds = 5.0
    facts = {"name": "loudness", "sha256": "0"}  # noqa: RUF012 - a fake

    def logits(self, samples, lengths):
        return np.float32([[0.1, np.abs(samples).max()]])


def clips(n=20):
    for i in range(n):
        audio = encoded(voice(i, 0.1 + 0.02 * (i % 7)) * (0.1 if i % 2 else 1))
        yield Clip(id=f"c{i}", index=i, label="loud", audio=audio, speaker="s", groups={"g": "x"})


def without_timing(record):
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return fields | {"inference_s": 0}


def test_records_come_in_order_whatever_the_workers():
    alone = [without_timing(r) for r in predict(Loudness(), clips(), workers=1)]
    assert [r["index"] for r in alone] == list(range(20))
    for workers in (2, 8):
        assert [without_timing(r) for r in predict(Loudness(), clips(), workers=workers)] == alone


def test_a_prediction_tells_all(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(voice(seconds=0.5)))
    clip = Clip(id="a", index=3, label="quiet", audio=path, speaker="s", groups={"sex": "F"})
    (record,) = predict(Loudness(), [clip])
    assert isinstance(record, Prediction)
    assert (record.clip_id, record.index, record.truth) == ("a", 3, "quiet")
    assert record.predicted == "loud"
    assert record.duration_s == 0.5
    assert sum(record.probs) == pytest.approx(1)
    assert len(record.audio_sha256) == 64
    assert record.groups == {"sex": "F"}


@pytest.mark.parametrize(
    ("audio", "stage", "reason"),
    [
        (Path("gone.wav"), "read", "cannot read gone.wav"),
        (b"", "read", "empty file"),
        (b"noise" * 100, "decode", "not decodable"),
        (encoded(voice(seconds=6)), "decode", "6 s long, but the limit is 5 s"),
    ],
)
def test_a_bad_clip_becomes_a_failure(audio, stage, reason):
    (record,) = predict(Loudness(), [Clip(id="a", index=0, label="loud", audio=audio, speaker="s")])
    assert isinstance(record, Failure)
    assert record.stage == stage
    assert reason in record.reason
    assert (record.clip_id, record.truth, record.speaker) == ("a", "loud", "s")


def test_clips_without_labels_are_inferred_and_a_failure_of_predict():
    unlabelled = [Clip(id="a", index=0, label="", audio=encoded(voice(seconds=0.5)))]
    (inferred,) = infer(Loudness(), unlabelled)
    (labelled,) = predict(Loudness(), [replace(unlabelled[0], label="quiet")])
    assert inferred.truth is None
    assert labelled.truth == "quiet"
    assert without_timing(inferred) | {"truth": "quiet"} == without_timing(labelled)
    (failed,) = predict(Loudness(), unlabelled)
    assert (failed.stage, failed.reason) == ("read", "the dataset gives no label")
    (broken,) = infer(Loudness(), [replace(unlabelled[0], audio=b"no sound" * 99)])
    assert (broken.stage, broken.truth) == ("decode", "")


def test_independent_scores_are_the_probabilities():
    class Scores(Loudness):
        contract = Contract(labels=Loudness.labels, outputs="sigmoid")

        def logits(self, samples, lengths):
            return np.float32([[np.log(9), np.log(4)]])

    (record,) = predict(Scores(), clips(1))
    assert record.probs == pytest.approx((0.9, 0.8))
    assert record.predicted == "quiet"


def test_what_the_model_refuses_is_a_failure_of_the_model():
    class Picky(Loudness):
        def logits(self, samples, lengths):
            raise AudioError("too short")

    (record,) = predict(Picky(), clips(1))
    assert (record.stage, record.reason) == ("model", "too short")


@pytest.mark.parametrize("error", [MemoryError("too much"), RuntimeError("shape\n of  X")])
def test_whatever_the_model_raises_is_a_failure_of_that_clip(error):
    class Brittle(Loudness):
        def logits(self, samples, lengths):
            if len(samples[0]) < 3_000:
                raise error
            return super().logits(samples, lengths)

    records = list(predict(Brittle(), clips(7)))
    failed = [record for record in records if isinstance(record, Failure)]
    assert [record.clip_id for record in failed] == ["c0", "c1", "c2", "c3", "c4"]
    assert {record.stage for record in failed} == {"model"}
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    assert {record.reason for record in failed} == {reason}


def test_whatever_a_decoder_raises_is_a_failure_of_that_clip(monkeypatch):
    def exhausted(*args, **options):
        raise MemoryError

    monkeypatch.setattr("serval.audio.waveform.soxr.resample", exhausted)
    audio = encoded(voice(), 8_000)
    (record,) = predict(Loudness(), [Clip(id="a", index=0, label="loud", audio=audio)])
    assert record.stage == "decode"
    assert "MemoryError" in record.reason


def test_a_stop_is_no_failure_of_a_clip():
    class Stopped(Loudness):
        def logits(self, samples, lengths):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(predict(Stopped(), clips(1)))


def test_what_was_done_to_the_sound_is_noted():
    stereo = encoded(np.stack([voice(), -voice()], axis=1))
    (record,) = predict(Loudness(), [Clip(id="a", index=0, label="loud", audio=stereo)])
    assert record.predicted == "loud"
    assert record.notes == ("its channels cancel out; the louder one was taken",)


def test_a_transform_changes_what_the_model_hears():
    records = list(predict(Loudness(), clips(4), transform=lambda x, rate, clip: 0 * x))
    assert {record.predicted for record in records} == {"quiet"}


def test_only_a_few_clips_are_read_ahead():
    taken = []
    records = predict(Loudness(), (taken.append(c.index) or c for c in clips(60)), workers=2)
    next(records)
    assert len(taken) <= 2 * AHEAD
    records.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("serval")]


def test_softmax_is_safe_for_large_logits():
    probs = softmax(np.float32([[1000.0, 0.0], [0.0, 0.0]]))
    assert probs.tolist() == [[1.0, 0.0], [0.5, 0.5]]
