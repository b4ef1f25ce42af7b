from dataclasses import replace

import pytest

from pages import evaluated, spoken_set
from serval.report.columns import clip_columns, heard, listed
from serval.report.content import _listen
from serval.report.emotions import answer_columns, confidences, emotion_parts, is_wrong
from serval.report.sound import Sounds

SILENT = Sounds(by_sha256={})
FIRST = range(16)


@pytest.fixture
def manifest(tmp_path):
    return spoken_set(tmp_path / "clips", 16)


def test_the_columns_hold_what_the_run_holds(tmp_path, manifest):
    run = evaluated(tmp_path, manifest)
    clips = listed([run])
    columns = clip_columns(clips, SILENT)
    truth, (answers,) = answer_columns(clips)
    assert columns["id"] == list(run.clip_ids)
    assert truth == {"truth": run.truth.tolist()}
    assert answers["predicted"] == run.predicted.tolist()
    k = len(run.labels)
    probs = answers["probs"]
    assert len(probs) == len(run) * k
    assert probs[k : 2 * k] == pytest.approx(run.probs[1] * 10_000, abs=0.5)
    assert [columns["speakers"][code] for code in columns["speaker"]] == list(run.speakers)
    assert columns["text"][3] == "Say the word number 3."
    gender = next(group for group in columns["groups"] if group["name"] == "gender")
    assert gender["values"] == ["F", "M"]
    assert gender["few"]
    assert set(columns["sound"]) == {-1}


def test_two_runs_list_each_clip_once(tmp_path, manifest):
    a = evaluated(tmp_path / "a", manifest, limit=12)
    b = evaluated(tmp_path / "b", manifest, seed=1)
    clips = listed([a, b])
    assert clip_columns(clips, SILENT)["id"] == list(b.clip_ids)
    _, (of_a, of_b) = answer_columns(clips)
    assert of_a["predicted"] == [*a.predicted.tolist(), -1, -1, -1, -1]
    assert of_a["probs"][12 * 8 :] == [0] * 32
    assert of_b["predicted"] == b.predicted.tolist()


def test_which_clips_get_audio(tmp_path, manifest):
    a = evaluated(tmp_path / "a", manifest, limit=12)
    b = evaluated(tmp_path / "b", manifest, seed=1)
    clips = listed([a, b])
    wrong_a = set((a.predicted != a.truth).nonzero()[0].tolist())
    wrong_b = set((b.predicted != b.truth).nonzero()[0].tolist())
    wrong = is_wrong(clips)
    chosen = heard(clips, "wrong", wrong, FIRST)
    assert set(chosen[0]) == {i for i in range(12) if i in wrong_a | wrong_b}
    assert set(chosen[1]) == {i for i in range(12, 16) if i in wrong_b}
    assert heard(clips, "none", wrong, FIRST) == {0: [], 1: []}
    every = heard(clips, "all", wrong, FIRST).values()
    assert sum(len(positions) for positions in every) == 16


def test_of_many_clips_a_page_lists_a_sample_and_says_so(tmp_path, manifest, monkeypatch):
    monkeypatch.setattr("serval.report.columns.MOST_HEARD", 2)
    run = evaluated(tmp_path, manifest)
    clips = listed([run], most=10)
    assert (len(clips), clips.n, len(clip_columns(clips, SILENT)["id"])) == (10, 16, 10)
    assert listed([run], most=10) == clips
    places = clips.positions[0]
    assert list(places) == sorted(set(places))
    wrong = [i for i in places if run.predicted[i] != run.truth[i]]
    surest = sorted(wrong, key=lambda i: -run.probs[i].max())[:2]
    assert heard(clips, "wrong", is_wrong(clips), confidences(clips)) == {0: sorted(surest)}
    parts = emotion_parts([run])
    assert "sample" not in _listen(parts, SILENT)
    said = _listen(replace(parts, clips=clips), SILENT)
    assert "These are a random sample of 10 of the 16 clips, and so are the dots" in said
