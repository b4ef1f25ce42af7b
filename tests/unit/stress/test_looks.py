"""A perturbation is stopped when its verdict is sure, and seldom with the wrong one."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from build import encoded
from runs import run_of
from serval.errors import ConfigError, RunError
from serval.labels import LabelSet
from serval.models.contract import Contract
from serval.options import EvalOptions
from serval.records import Clip, Dataset
from serval.report.stressed import stressed
from serval.stress import StressOptions, findings_of, load_stress, stress_runs, write_stress
from serval.stress.panel import EARLY_ERROR, LOOK_LEVEL, LookPlan, early_verdict, shuffled
from serval.stress.suite import FULL

N, SPEAKERS = 200, 25
BY_NAME = {case.name: case for case in FULL}
SUITE = "gain_minus2db,crop_100,white_40db,white_20db,white_10db,silence_after"
CLIPS = 320


def test_each_part_has_the_shares_of_the_labels_and_lies_in_the_next():
    truth = np.repeat([0, 1, 2], [160, 80, 16])
    order = shuffled(truth, 3)
    assert sorted(order.tolist()) == list(range(256))
    for n in (32, 64, 128):
        counts = np.bincount(truth[order[:n]], minlength=3)
        assert np.abs(counts - np.array([160, 80, 16]) * n / 256).max() <= 1
    assert order.tolist() == shuffled(truth, 3).tolist()
    assert order.tolist() != shuffled(truth, 4).tolist()


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A run without a mistake: three labels, 25 speakers of 8 clips."""
    truth = np.arange(N) % 3
    speakers = [f"s{i % SPEAKERS}" for i in range(N)]
    return run_of(tmp_path_factory.mktemp("looks") / "clean", truth, truth, speakers=speakers)


def stopped_as(clean, case, flips):
    """The verdict of the first look that is sure where those clips get another answer."""
    predicted = np.where(flips, (clean.predicted + 1) % 3, clean.predicted)
    run = replace(clean, predicted=predicted)
    looks = (early_verdict(clean, run, case, LOOK_LEVEL, part)
             for part in LookPlan(clean, 0).of(case).parts)  # fmt: skip
    return next((found["outcome"] for found in looks if found["sure"]), None)


def test_a_truth_on_the_threshold_is_seldom_called_surely_kept_or_surely_missed(clean):
    """One of both is wrong wherever the truth lies beside it, so each may have its own error."""
    rng, room, times = np.random.default_rng(1), BY_NAME["room_small"], 60
    found = []
    for _ in range(times):
        of_speaker = rng.beta(4, 16, SPEAKERS)  # speakers differ; the mean flips 20 %
        flips = rng.random(N) < of_speaker[np.arange(N) % SPEAKERS]
        found.append(stopped_as(clean, room, flips))
    for wrong in ("pass", "fail"):
        assert found.count(wrong) / times <= EARLY_ERROR + 2 * np.sqrt(EARLY_ERROR / times)


def test_what_is_plain_is_decided_and_what_is_near_the_threshold_is_not(clean):
    rng, room = np.random.default_rng(0), BY_NAME["room_small"]
    assert stopped_as(clean, room, rng.random(N) < 0.6) == "fail"
    assert stopped_as(clean, room, rng.random(N) < 0.02) == "pass"
    assert stopped_as(clean, room, np.arange(N) % 5 == 0) is None


def test_a_change_of_uar_is_not_trusted_while_a_label_has_few_clips(tmp_path):
    """Of 12 clips of a label an eighth is two, which decide nothing; the answers do."""
    truth = np.repeat([0, 1, 2], [200, 188, 12])
    clean, case = run_of(tmp_path / "clean", truth, truth), BY_NAME["tilt_up"]
    half = LookPlan(clean, 0).of(case).parts[-1]
    same = early_verdict(clean, clean, case, LOOK_LEVEL, half)
    assert same == {"outcome": "pass", "sure": False}
    assert early_verdict(clean, clean, case, LOOK_LEVEL)["sure"]
    worse = replace(clean, predicted=np.where(np.arange(400) % 2 == 0, 1 - truth % 2, truth))
    assert early_verdict(clean, worse, case, LOOK_LEVEL, half) == {"outcome": "fail", "sure": True}


def test_a_perturbation_without_an_answer_is_asked_on(clean):
    none = replace(clean, index=clean.index[:0], predicted=clean.predicted[:0], clip_ids=())
    none = replace(none, truth=none.predicted, logits=clean.logits[:0])
    found = early_verdict(clean, none, BY_NAME["room_small"], LOOK_LEVEL)
    assert found == {"outcome": "cannot tell", "sure": False}


def test_only_the_last_level_with_a_threshold_speaks_for_the_harsher_ones(clean):
    plan, half = LookPlan(clean, 0), LookPlan(clean, 0).of(BY_NAME["white_20db"]).parts[0]
    flips = np.isin(clean.index, list(half))
    wrong = replace(clean, predicted=np.where(flips, (clean.truth + 1) % 3, clean.truth))
    rows = np.flatnonzero(flips)
    part = {
        name: getattr(wrong, name)[rows] for name in ("index", "truth", "predicted", "logits")
    } | {name: tuple(getattr(wrong, name)[i] for i in rows)
         for name in ("clip_ids", "audio_sha256", "speakers")}  # fmt: skip
    failed = replace(wrong, duration_s=wrong.duration_s[rows], **part)
    assert plan.of(BY_NAME["white_10db"]) is None
    plan.note(BY_NAME["white_35db"], failed)
    assert plan.of(BY_NAME["white_10db"]).parts == (half,)
    assert plan.of(BY_NAME["babble_10db"]) is None
    plan.note(BY_NAME["white_20db"], clean)
    assert plan.of(BY_NAME["white_10db"]) is None


class Level:
    """Tells 0.1, 0.2 and 0.3 apart by the first sample alone, to a sixtieth."""

    labels = LabelSet(["one", "two", "three"])
    contract = Contract(labels=labels)
    sample_rate = 16_000
    max_seconds = 5.0
    facts = {"name": "level", "sha256": "0"}  # noqa: RUF012 - a fake

    def __init__(self):
        self.heard = 0

    def logits(self, samples, lengths):
        self.heard += 1
        level = round(30 * float(samples[0, 0]))
        return np.eye(3, dtype=np.float32)[[{3: 0, 6: 1, 9: 2}.get(level, (level + 1) % 3)]]


@pytest.fixture(scope="module")
def steady():
    """A set of steady clips; the first of each label fails."""
    clips = [
        Clip(id=f"c{i}", index=i, label=Level.labels[i % 3],
             audio=encoded(np.full(200, 0.1 * (1 + i % 3), np.float32)) if i >= 3 else b"broken")
        for i in range(CLIPS)
    ]  # fmt: skip
    read = lambda start, stop: iter(clips[start:stop])  # noqa: E731
    return Dataset(
        name="steady", location="", split="", fingerprint="f", clips=read, metadata=read,
        n_clips=CLIPS, n_rows=CLIPS,
    )  # fmt: skip


def asked(steady, folder, **more):
    evaluation = EvalOptions(output=str(folder), workers=1)
    return stress_runs(Level(), steady, StressOptions(evaluation=evaluation, suite=SUITE, **more))


@pytest.fixture(scope="module")
def sure(steady, tmp_path_factory):
    return asked(steady, tmp_path_factory.mktemp("sure"), stop_when_sure=True)


def test_each_perturbation_is_asked_as_many_clips_as_its_verdict_needs(sure):
    few = {case.name: len(sure.runs[case.name]) for case in sure.stopped}
    assert few == {
        "gain_minus2db": 40,  # a third of the answers moves
        "crop_100": 158,  # none does; that 95 % stay is sure of 133 and more
        "white_40db": 158,
        "white_20db": 40,
        "white_10db": 40,  # no threshold of its own, harsher than what failed
    }
    assert [case.name for case in sure.whole] == ["silence_after"]
    assert len(sure.runs["silence_after"]) == CLIPS - 3
    assert len(sure.runs["silence_after"].failures) == 3
    assert load_stress(sure.folder).stopped == sure.stopped


def test_their_records_are_those_of_a_test_without_looks(sure, steady, tmp_path):
    whole = asked(steady, tmp_path)
    for name, run in sure.runs.items():
        rows = np.searchsorted(whole.runs[name].index, run.index)
        assert whole.runs[name].logits[rows].tolist() == run.logits.tolist()


def test_a_test_that_was_cut_in_a_part_goes_on_to_the_same_end(sure, steady, tmp_path):
    path = tmp_path / "crop_100" / "journal.jsonl"
    path.parent.mkdir()
    lines = (sure.folder / "crop_100" / "journal.jsonl").read_text("utf-8").splitlines(True)
    path.write_text("".join(lines[: 2 + 60]), "utf-8")  # a look and a half
    again = asked(steady, tmp_path, stop_when_sure=True)
    assert again.runs["crop_100"].clip_ids == sure.runs["crop_100"].clip_ids


def test_a_finished_test_is_only_read_and_not_taken_for_a_whole_one(sure, steady):
    model = Level()
    evaluation = EvalOptions(output=str(sure.folder), workers=1)
    options = StressOptions(evaluation=evaluation, suite=SUITE, stop_when_sure=True)
    assert len(stress_runs(model, steady, options).runs) == 6
    assert model.heard == 0
    with pytest.raises(RunError, match=r"looks was .* and is now not given"):
        stress_runs(model, steady, replace(options, stop_when_sure=False))


def test_what_was_stopped_is_stated_everywhere(sure, tmp_path):
    written = write_stress(findings_of(sure), tmp_path)
    cases = written.document["cases"]
    assert {name: case.get("stopped_after") for name, case in cases.items()} == {
        "gain_minus2db": 40, "crop_100": 158, "white_40db": 158, "white_20db": 40,
        "white_10db": 40, "silence_after": None,
    }  # fmt: skip
    assert cases["gain_minus2db"]["unchanged"]["value"] == 26 / 40
    assert [cases[name]["verdict"] for name in SUITE.split(",")] == [
        "fail", "pass", "pass", "fail", None, None,
    ]  # fmt: skip
    sentence = next(line for line in written.document["warnings"] if line.startswith("Stopped"))
    assert "gain_minus2db (40 clips)" in sentence
    assert "2.5 %" in sentence
    said = (tmp_path / "stress.md").read_text("utf-8")
    assert "`white_20db` (40 clips)" in said
    assert "`silence_after` |" in said
    with (tmp_path / "stress.csv").open(encoding="utf-8") as file:
        rows = {row["perturbation"]: row["clips"] for row in csv.DictReader(file)}
    assert rows["crop_100"] == "158"
    assert rows["silence_after"] == str(CLIPS - 3)
    curve = next(c for c in stressed(sure, "m", audio=False).charts if c.id == "stress-white")
    assert [(row["clips"], row["few"]) for row in curve.rows] == [(40, 1), (40, 1), (158, 1)]
    assert curve.note.endswith("they are of fewer clips than the dashed line.")
    families = written.document["families"]
    assert families["noise"]["unchanged"]["value"] is None, "all of them were stopped"
    assert (families["noise"]["cases"], families["all"]["judged"]) == (3, 4)
    assert (
        families["all"]["change"]["uar"]["value"]
        == cases["silence_after"]["change"]["uar"]["value"]
    )


def test_two_models_are_compared_where_both_heard_all_clips(sure):
    found = findings_of(sure, other=sure)
    assert list(found.against.cases) == ["silence_after"]
    runs = {"crop_100": sure.runs["crop_100"]}
    with pytest.raises(ConfigError, match="without --stop-when-sure"):
        findings_of(sure, other=replace(sure, runs=runs))


def test_a_suite_of_which_all_were_stopped_has_verdicts_and_no_means(sure):
    runs = {name: sure.runs[name] for name in ("gain_minus2db", "crop_100")}
    found = findings_of(replace(sure, runs=runs))
    assert (found.effects.n, found.effects.families["all"].judged) == (CLIPS - 3, 2)
    assert np.isnan(found.effects.families["all"].change["uar"].value)
