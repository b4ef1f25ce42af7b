import json
from dataclasses import replace

import numpy as np
import pytest

from serval.errors import RunError, RunLockedError
from serval.labels import LabelSet
from serval.records import Failure, Prediction
from serval.run import JOURNAL, Journal, Provenance, load_run

LABELS = LabelSet(["angry", "happy", "sad"])


def provenance(**identity):
    return Provenance(
        labels=LABELS,
        model={"name": "m", "sha256": "00"},
        dataset={"name": "d", "split": "", "caveats": ()},
        options={"limit": None},
        platform={},
        identity={"model": "00", "limit": None} | identity,
    )


def prediction(index, **changes):
    logits = tuple(float(v) for v in np.float32([0.1 * index, 0.25, -1.5]))
    known = {
        "clip_id": f"c{index}",
        "index": index,
        "truth": "happy",
        "predicted": "sad",
        "logits": logits,
        "probs": (0.2, 0.3, 0.5),
        "duration_s": 1.5,
        "inference_s": 0.01,
        "audio_sha256": "ab",
        "speaker": "s1",
        "groups": {"gender": "F"},
    }
    return Prediction(**known | changes)


FAILURE = Failure(clip_id="c2", index=2, truth="sad", stage="decode", reason="empty file")


def write(folder, records, *, end=True, **identity):
    with Journal(folder=folder, provenance=provenance(**identity)) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, record in enumerate(records):
            journal.append(record, at_s=float(i + 1))
        if end:
            journal.finish(10.0, dropped={"OTH": 3}, peak_memory_mb=100.0)
    return folder


def test_what_was_written_comes_back_in_dataset_order(tmp_path):
    run = load_run(
        write(tmp_path, [prediction(3), FAILURE, prediction(0, speaker=None, groups={})])
    )
    assert run.clip_ids == ("c0", "c3")
    assert run.index.tolist() == [0, 3]
    assert run.truth.tolist() == [1, 1]
    assert run.predicted.tolist() == [2, 2]
    assert run.logits[1].tolist() == list(prediction(3).logits)
    np.testing.assert_allclose(run.probs.sum(axis=1), 1)
    assert run.speakers == (None, "s1")
    assert run.groups == {"gender": (None, "F")}
    assert run.failures == (FAILURE,)
    assert run.complete
    assert run.seconds == 10.0
    assert run.dropped == {"OTH": 3}
    assert run.labels == LABELS
    assert len(run) == 2


def test_an_empty_run_has_no_rows(tmp_path):
    run = load_run(write(tmp_path, [], end=False))
    assert len(run) == 0
    assert run.logits.shape == (0, 3)
    assert not run.complete


@pytest.mark.parametrize("cut", [1, 7, 150])
def test_a_torn_last_line_is_cut_and_the_run_goes_on(tmp_path, cut):
    write(tmp_path, [prediction(0), prediction(1)], end=False)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    assert load_run(tmp_path).clip_ids == ("c0",)
    with Journal(folder=tmp_path, provenance=provenance()) as journal:
        assert journal.done == {0}
        journal.begin("later")
        journal.append(prediction(1), 2.0)
        journal.finish(2.5, dropped={}, peak_memory_mb=1.0)
    run = load_run(tmp_path)
    assert run.clip_ids == ("c0", "c1")
    assert run.seconds == 1.0 + 2.5


def test_a_journal_torn_in_its_header_starts_over(tmp_path):
    (tmp_path / JOURNAL).write_text('{"kind": "hea')
    write(tmp_path, [prediction(0)])
    assert load_run(tmp_path).clip_ids == ("c0",)


def test_a_header_that_cannot_be_written_leaves_the_earlier_journal(tmp_path):
    write(tmp_path, [prediction(0)])
    unwritable = provenance(model=object())
    with pytest.raises(TypeError), Journal(folder=tmp_path, provenance=unwritable, fresh=True):
        pass
    assert load_run(tmp_path).clip_ids == ("c0",)
    assert [path.name for path in tmp_path.glob("*.jsonl")] == [JOURNAL]


def test_a_torn_line_longer_than_one_read_is_cut(tmp_path):
    write(tmp_path, [prediction(0)], end=False)
    with (tmp_path / JOURNAL).open("a") as file:
        file.write("x" * 200_000)
    write(tmp_path, [prediction(1)])
    assert load_run(tmp_path).clip_ids == ("c0", "c1")


def test_a_complete_run_is_known_from_its_journal(tmp_path):
    write(tmp_path, [prediction(0)])
    with Journal(folder=tmp_path, provenance=provenance()) as journal:
        assert journal.complete


def test_another_run_is_refused_with_what_differs(tmp_path):
    write(tmp_path, [prediction(0)])
    with (
        pytest.raises(RunError, match=r"model was \"00\" and is now \"11\".*--fresh"),
        Journal(folder=tmp_path, provenance=provenance(model="11")),
    ):
        pass
    assert load_run(tmp_path).clip_ids == ("c0",)


def test_a_long_difference_is_shortened(tmp_path):
    write(tmp_path, [prediction(0)])
    with (
        pytest.raises(RunError, match=r"x{40,60}\.\.\."),
        Journal(folder=tmp_path, provenance=provenance(model="x" * 500)),
    ):
        pass


def test_a_long_difference_is_shown_where_it_is(tmp_path):
    labels = [f"emotion {i}" for i in range(20)]
    write(tmp_path, [prediction(0)], labels=[*labels, "surprised"])
    with (
        pytest.raises(RunError, match=r'"surprised"\] and is now \.\.\..*"surprise"\];'),
        Journal(folder=tmp_path, provenance=provenance(labels=[*labels, "surprise"])),
    ):
        pass


def test_fresh_starts_over(tmp_path):
    write(tmp_path, [prediction(0)])
    with Journal(folder=tmp_path, provenance=provenance(model="11"), fresh=True) as journal:
        assert not journal.done
    assert len(load_run(tmp_path)) == 0


def test_a_second_writer_is_refused(tmp_path):
    with (
        Journal(folder=tmp_path, provenance=provenance()),
        pytest.raises(RunLockedError, match="in use by another"),
        Journal(folder=tmp_path, provenance=provenance()),
    ):
        pass
    write(tmp_path, [prediction(0)])
    assert len(load_run(tmp_path)) == 1


def test_no_run_is_one_line(tmp_path):
    with pytest.raises(RunError, match=r"no run in .*journal\.jsonl is missing"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json\n", "line 1 is not JSON"),
        ('{"kind": "end"}\n', "does not begin with a header"),
        ("", "does not begin with a header"),
        ('{"kind": "header", "schema_version": 99}\n', "schema 99, this serval reads 1"),
    ],
)
def test_a_spoilt_journal_is_one_line(tmp_path, text, reason):
    (tmp_path / JOURNAL).write_text(text)
    with pytest.raises(RunError, match=reason):
        load_run(tmp_path)


def test_a_closed_journal_takes_nothing(tmp_path):
    journal = Journal(folder=tmp_path, provenance=provenance())
    with pytest.raises(RunError, match="not open"):
        journal.append(prediction(0), 0.0)
    journal.__exit__()


def test_float32_survives_the_journal_bit_by_bit(tmp_path):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 5, 3).astype(np.float32)
    exact = tuple(float(str(v)) for v in logits)
    run = load_run(write(tmp_path, [replace(prediction(0), logits=exact)]))
    assert run.logits[0].tobytes() == logits.tobytes()


def test_the_journal_is_one_json_object_a_line(tmp_path):
    write(tmp_path, [prediction(0, clip_id="a\nb,ü")])
    lines = (tmp_path / JOURNAL).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [
        "header",
        "session",
        "prediction",
        "end",
    ]
