from dataclasses import replace

import numpy as np
import pytest

from build import classifier, encoded, labels_metadata, voice, write_manifest
from runs import run_of
from serval.evaluation import evaluate_named
from serval.options import EvalOptions
from serval.records import Failure
from serval.report.emotions import shift_chart
from serval.results.document import warnings_of
from serval.results.domain_shift import domain_shift_part
from serval.trained_on import SoundRanges, TrainedOn

OWN = SoundRanges(
    of="calibration clips of studio train",
    clips=40,
    ranges={
        "duration_s": (1, 2, 3),
        "level_db": (-25, -20, -15),
        "bandwidth_hz": (7e3, 7.5e3, 8e3),
    },
)


FAILED = Failure(clip_id="x", index=9, truth="sad", stage="decode", reason="empty file")


def run_with(folder, **model):
    """Four clips of two labels, of which the model has a third; two are short, all soft."""
    logits = np.log([[0.5, 0.1, 0.4], [0.5, 0.2, 0.3], [0.7, 0.2, 0.1], [0.7, 0.1, 0.2]])
    run = run_of(folder, [0, 1, 1, 1], logits=logits, durations=[0.5, 0.5, 2, 2], model=model)
    sound = np.array([[8000, -40, 3900], [8000, -41, 3900], [8000, -42, 3900], [44100, -43, 7600]])
    return replace(run, sound=sound.astype(np.float64), dropped={"boredom": 2})


def test_everything_known_is_said_with_its_number(tmp_path):
    said = {"trained_on": {"corpora": ["RAVDESS"]}, "sound_ranges": OWN.facts()}
    run = run_with(tmp_path, **said, contract={"sample_rate": 16_000})
    part = domain_shift_part(run)
    text = " ".join(part["sentences"])
    assert "trained on RAVDESS, which this set is not known to be of" in text
    assert "no clip of the set has: sad; 25.0 % of the prediction mass is on them" in text
    assert "was not asked about: boredom, 2 of 6 clips" in text
    assert "60.0 % of it is on angry, which 25.0 % of the scored clips are" in text
    assert (
        "Sample rates of the files: 8,000 Hz (3), 44,100 Hz (1); the model takes 16,000 Hz" in text
    )
    assert "median -41.5 (5th to 95th percentile -42.9 to -40.1) dB, against -20.0" in text
    assert "in 40 calibration clips of studio train: 100 % of these clips lie below" in text
    shares = {one["name"]: (one["below"], one["above"]) for one in part["sound"]}
    assert shares == {"duration_s": (0.5, 0.0), "level_db": (1.0, 0.0), "bandwidth_hz": (0.75, 0.0)}
    row = shift_chart("m", run).rows[2]
    assert (row["here median"], row["own median"], row["below"]) == (3.9, 7.5, 0.75)


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ({}, "Nothing says what the model was trained on."),
        ({"trained_on": "odd", "sound_ranges": {"level_db": "x"}}, "Nothing says what"),
        (
            {"trained_on": {"corpora": 3}, "sound_ranges": {"level_db": [1, 2, 1e99]}},
            "Nothing says",
        ),
    ],
)
def test_what_the_model_does_not_say_is_not_compared(tmp_path, said, first):
    part = domain_shift_part(run_with(tmp_path, **said))
    assert part["sentences"][0].startswith(first)
    assert {one["own"] for one in part["sound"]} == {None}


def test_a_set_of_the_model_s_own_corpus_has_no_such_part(tmp_path):
    run = run_with(tmp_path, trained_on={"corpora": ["D"]})
    assert domain_shift_part(run) == {"trained_on": "this corpus", "sentences": []}
    assert shift_chart("m", run) is None


def test_a_run_of_an_earlier_version_says_what_it_can(tmp_path):
    part = domain_shift_part(replace(run_with(tmp_path), sound=None))
    assert [one["name"] for one in part["sound"]] == ["duration_s"]
    assert part["source_rates"] == {}


def test_an_evaluation_listens_and_says_so(tmp_path):
    rows = []
    for i in range(4):
        (tmp_path / f"c{i}.wav").write_bytes(encoded(0.1 * voice(i, 0.5, 8_000), 8_000))
        rows.append({"path": f"c{i}.wav", "label": ("sad", "happy")[i % 2]})
    manifest = write_manifest(tmp_path / "set.csv", rows)
    said = {"trained_on": TrainedOn(corpora=("X",)).metadata(), "sound_ranges": OWN.metadata()}
    model = classifier(tmp_path / "m.onnx", metadata=labels_metadata(**said))
    options = EvalOptions(
        model=str(model), dataset=str(manifest), output=str(tmp_path / "o"), plots=False
    )
    done = evaluate_named(options)
    assert done.run.sound[:, 0].tolist() == [8000.0] * 4
    assert (done.run.sound[:, 1] < -25).all()
    summary = (tmp_path / "o" / "summary.md").read_text(encoding="utf-8")
    assert "## How this set differs from the model's own" in summary
    assert "8,000 Hz (4)" in summary
    assert "in 40 calibration clips of studio train: 100 % of these clips lie below" in summary


def test_what_is_said_of_the_set_counts_the_clips_that_failed(tmp_path):
    run = run_with(tmp_path)
    failed = replace(run, failures=(replace(FAILED, truth="sad"), replace(FAILED, truth="happy")))
    text = " ".join(domain_shift_part(failed)["sentences"])
    assert "no clip of the set has" not in text, "the clip that failed has it"
    assert "was not asked about: boredom, 2 of 8 clips" in text
    one = run_of(tmp_path / "one", [0, 0], [0, 0])
    assert any(line.startswith("All clips are angry") for line in warnings_of(one))
    other = replace(one, failures=(replace(FAILED, truth="sad"),))
    assert not any(line.startswith("All clips are angry") for line in warnings_of(other))
