from dataclasses import replace

import numpy as np
import pytest

from runs import noisy, run_of
from serval.sweep.leaderboard import verdict_of
from serval.sweep.standings import MAJORITY, answers_of, of_one_task, standings_of, together


def answered(folder, truth, predicted, **more):
    return answers_of(run_of(folder, truth, predicted, **more))


def test_models_with_other_names_of_labels_meet_on_emotions(tmp_path):
    first = answered(tmp_path / "a", [0, 1, 0], [0, 0, 0], labels=("anger", "joy"))
    second = answered(tmp_path / "b", [1, 0, 1], [1, 0, 0], labels=("hap", "ANG"))
    clips = together([first, second])
    assert clips.labels == ("angry", "happy", "no answer")
    assert clips.truth.tolist() == [0, 1, 0]
    assert clips.predicted.tolist() == [[0, 0, 0], [0, 1, 1]]


def test_a_clip_that_failed_or_was_left_out_is_no_answer(tmp_path):
    few = answered(tmp_path / "a", [0, 1], [0, 1], failures=1)
    many = answered(tmp_path / "b", [0, 1, 0, 2], [0, 1, 0, 2])
    clips = together([few, many])
    assert clips.predicted[0].tolist() == [0, 1, 3, 3]
    assert clips.truth.tolist() == [0, 1, 0, 2]
    found = standings_of(["few", "many"], clips)
    value = {(rank.score, rank.name): rank.value.value for rank in found.ranks}
    assert value["uar", "few"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert value["wa", "few"] == 0.5
    assert value["uar", "many"] == 1.0
    assert (found.majority, value["uar", MAJORITY]) == ("angry", pytest.approx(1 / 3))


def test_runs_that_disagree_on_a_truth_are_not_of_one_task(tmp_path):
    calm = answered(tmp_path / "a", [0, 1], [0, 1], labels=("calm", "sad"))
    neutral = answered(tmp_path / "b", [0, 1], [0, 1], labels=("neutral", "sad"))
    again = answered(tmp_path / "c", [1, 0], [0, 1], labels=("sadness", "CALM"))
    assert of_one_task([calm, neutral, again]) == [[0, 2], [1]]
    other = replace(calm, clip_ids=tuple(f"other-{name}" for name in calm.clip_ids))
    assert of_one_task([calm, other]) == [[0], [1]]


def test_what_cannot_be_told_apart_shares_ranks_and_what_can_does_not(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.tile([0, 1, 2], 120)
    speakers = [f"s{i % 30}" for i in range(360)]
    good = noisy(truth, 0.8, rng)
    alike = np.where(np.arange(360) % 90 == 0, (good + 1) % 3, good)
    poor = noisy(truth, 0.5, rng)
    runs = [
        answered(tmp_path / name, truth, predicted, speakers=speakers)
        for name, predicted in (("good", good), ("alike", alike), ("poor", poor))
    ]
    found = standings_of(["good", "alike", "poor"], together(runs))
    ranges = {rank.name: (rank.best, rank.worst) for rank in found.ranks if rank.score == "uar"}
    assert ranges == {"good": (1, 2), "alike": (1, 2), "poor": (3, 3), MAJORITY: (4, 4)}
    assert (found.clips, found.by, found.clusters) == (360, "speaker", 30)
    assert len(found.tests) == 3 * 6


def row(name, value):
    scores = {"uar": {"value": value, "low": 0.4, "high": 0.9}}
    return {"model": name, "baseline": False, "of": 2, "scores": scores}


def pair(a, b, p):
    return {"score": "uar", "a": a, "b": b, "p_corrected": p}


def test_the_verdict_names_the_first_and_what_nothing_tells_from_it():
    tasks = [
        {"dataset": "x", "tests": [pair("a", "b", 0.3), pair("a", "c", 0.3), pair("b", "c", 0.01)]},
        {"dataset": "y", "tests": [pair("a", "b", None), pair("a", "c", 0.04)]},
    ]
    averages = [row("a", 0.8), row("b", 0.7), row("c", 0.6)]
    said = verdict_of({"ranked_by": "uar", "averages": averages, "tasks": tasks, "rows": []})
    assert said == [
        "a has the highest UAR: 80.0 %, the mean over 2 corpora.",
        "It cannot be told apart on any of the sets from: b.",
        (
            "Over other corpora of this kind the mean may lie from 40 to 90 % (95 % interval over "
            "2 corpora)."
        ),
    ]
