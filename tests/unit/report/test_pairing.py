import numpy as np
import pytest

from pages import evaluated, spoken_set
from runs import run_of, run_of_dimensions
from serval.errors import ConfigError, LabelError
from serval.labels import LabelSet
from serval.report.build import write_report
from serval.report.pairing import relabelled
from serval.report.values import value_parts
from serval.run import load_run

from .test_page import blocks


def test_two_runs_side_by_side(tmp_path):
    manifest = spoken_set(tmp_path / "clips", 24)
    a = evaluated(tmp_path / "a", manifest, name="one")
    b = evaluated(tmp_path / "b", manifest, seed=1, name="two")
    content = blocks(write_report(b, tmp_path / "page.html", baseline=a).path)["content"]
    assert [run["name"] for run in content["runs"]] == ["one", "two"]
    gap = content["pair"]["tiles"][0]
    right = [(run.truth == run.predicted).mean() for run in (a, b)]
    assert gap["value"] == pytest.approx(right[1] - right[0], abs=1e-6)
    assert gap["low"] <= gap["value"] <= gap["high"]
    assert "two (B)" in content["verdict"]
    chart = content["sections"][0]["charts"][0]
    assert [row["label"] for row in chart["rows"]][:2] == ["accuracy (WA)", "UAR"]
    assert len(chart["rows"]) == 4 + 8


def test_runs_of_other_labels_are_refused(tmp_path):
    a = evaluated(tmp_path / "a", spoken_set(tmp_path / "clips", 8))
    labels = ("angry", "happy", "sad")
    other = spoken_set(tmp_path / "other", 6, labels=labels)
    b = evaluated(tmp_path / "b", other, labels=labels)
    with pytest.raises(LabelError, match="different labels"):
        write_report(b, tmp_path / "page.html", baseline=a)
    with pytest.raises(ConfigError, match="no clip in common"):
        write_report(
            a, tmp_path / "page.html", baseline=run_of(tmp_path / "c", [], [], labels=a.labels)
        )
    assert not (tmp_path / "page.html").exists()


def test_labels_in_another_order_are_put_into_the_same(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 16))
    turned = LabelSet(reversed(run.labels))
    other = relabelled(run, turned)
    assert other.labels == turned
    for name in ("truth", "predicted"):
        before = [run.labels[i] for i in getattr(run, name)]
        assert [other.labels[i] for i in getattr(other, name)] == before
    assert np.array_equal(other.probs[:, ::-1], run.probs)
    assert other.probs.argmax(axis=1).tolist() == other.predicted.tolist()
    assert relabelled(run, run.labels) is run


def test_scores_and_difference_are_of_the_clips_that_both_answered(tmp_path):
    data = {"fingerprint": "0" * 64}
    a = run_of(tmp_path / "a", [0, 1, 2] * 4, [0, 1, 1] * 4, dataset=data)
    b = run_of(tmp_path / "b", [0, 1, 2] * 2, [0, 1, 2] * 2, dataset=data)
    content = blocks(write_report(b, tmp_path / "p.html", baseline=a, audio="none").path)["content"]
    tile = content["pair"]["tiles"][0]
    assert (content["pair"]["clips"], tile["a"], tile["b"]) == (6, 2 / 3, 1.0)
    first, second = content["sentences"]
    assert first.startswith(
        "A loss of up to 1 point counts as none; the interval of the difference"
    )
    assert second == (
        "The scores of A and B here, and what changed, are of the 6 clips that both answered; "
        "every other chart is of all clips that its run answered: 12 of A, 6 of B."
    )


def test_what_is_said_of_groups_names_its_run(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 7, (40, 2))
    for name, off in (("a", 0.0), ("b", np.where(np.arange(40) % 2, 3.0, 0.0)[:, None])):
        run_of_dimensions(tmp_path / name, truth, truth + off, names=["arousal", "valence"],
                          groups={"gender": ["f", "m"] * 20})  # fmt: skip
    runs = [load_run(tmp_path / name) for name in "ab"]
    sections = {one["id"]: one["charts"] for one in value_parts(runs).sections}
    (note,) = (chart["note"] for chart in sections["who"] if chart["id"] == "by-gender")
    assert note.startswith("A: ")
    assert " B: " in note
