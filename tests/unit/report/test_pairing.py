import numpy as np
import pytest

from pages import evaluated, spoken_set
from serval.errors import LabelError
from serval.labels import LabelSet
from serval.report.build import write_report
from serval.report.pairing import relabelled

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
