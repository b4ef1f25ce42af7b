from dataclasses import replace

import numpy as np
import pytest

from runs import noisy, run_of
from serval.groups import (
    fairness_columns,
    fairness_of,
    group_columns,
    group_sentences,
    groups_of,
)

RNG = np.random.default_rng(8)
N = 400


def grouped_run(folder, right_by_group, rng, *, per_speaker=10, speakers=True):
    """Two genders, each with its own share of right answers; ten clips of each speaker."""
    truth = rng.integers(0, 3, N)
    gender = np.array([(i // per_speaker) % 2 for i in range(N)])
    shares = np.array(right_by_group)[gender]
    other = (truth + rng.integers(1, 3, N)) % 3
    predicted = np.where(rng.random(N) < shares, truth, other)
    return run_of(
        folder,
        truth,
        predicted,
        speakers=[f"s{i // per_speaker}" for i in range(N)] if speakers else None,
        groups={"gender": ["FM"[g] for g in gender], "text": [f"t{i}" for i in range(N)]},
        durations=rng.uniform(1, 5, N),
    )


def table_of(groups, column):
    return next(table for table in groups.tables if table.column == column)


@pytest.mark.usefixtures("all_permutations")
def test_a_real_gap_is_more_than_chance(tmp_path):
    groups = groups_of(grouped_run(tmp_path, (0.95, 0.6), np.random.default_rng(1)))
    table = table_of(groups, "gender")
    assert groups.better_than_chance
    assert {group.name: group.n for group in table.groups} == {"F": 200, "M": 200}
    assert table.permuted == "speakers"
    assert (table.accuracy_gap.best, table.accuracy_gap.worst) == ("F", "M")
    assert table.accuracy_gap.value == pytest.approx(0.35, abs=0.1)
    assert table.accuracy_gap.value > table.accuracy_gap.by_chance
    assert table.accuracy_gap.finding == table.uar_gap.finding == "more than chance"
    assert any("By gender, F is right" in line for line in group_sentences(groups))


@pytest.mark.weekly
def test_no_gap_is_found_where_there_is_none(tmp_path):
    """The whole way from stored runs; `test_gaps` holds the rate of the engine on 200 sets.

    At the 5 % that are meant, more would be found in 1 % of such tests; at 50 %, in all.
    """
    found = []
    for seed in range(40):
        run = grouped_run(tmp_path / str(seed), (0.8, 0.8), np.random.default_rng(100 + seed))
        found.append(table_of(groups_of(run), "gender").accuracy_gap.finding)
    assert found.count("more than chance") <= 5


def test_a_model_that_guesses_is_not_called_fair(tmp_path):
    groups = groups_of(grouped_run(tmp_path, (1 / 3, 1 / 3), np.random.default_rng(3)))
    assert not groups.better_than_chance
    assert table_of(groups, "gender").accuracy_gap.finding == "not judged"
    assert group_sentences(groups) == [
        "Groups are not judged: the model is not shown to be better than random labels."
    ]


def test_columns_that_are_no_grouping_are_left_out():
    clips = range(40)
    columns = group_columns(
        [f"s{i // 10}" for i in clips],
        {
            "speaker_id": [f"x{i // 10}" for i in clips],
            "file": [f"f{i}" for i in clips],
            "constant": ["a"] * 40,
            "gender": ["FM"[i % 2] for i in clips],
            "rare": [None] * 20 + ["u", "v"] * 10,
        },
        np.linspace(1, 4, 40),
    )
    assert list(columns) == ["speaker", "gender", "rare", "duration"]
    assert sorted(set(columns["duration"])) == ["1-1.8 s", "1.8-2.5 s", "2.5-3.2 s", "3.2-4 s"]


def test_a_column_duration_of_words_is_kept_and_one_of_numbers_is_cut():
    words, seconds = ["short", "long"] * 20, np.linspace(1, 4, 40)
    assert group_columns(["a"] * 40, {"duration": words}, seconds) == {"duration": words}
    cut = group_columns(["a"] * 40, {"duration": ["1.5"] * 40}, seconds)
    assert len(set(cut["duration"])) == 4


def test_a_column_that_splits_as_an_earlier_one_finds_the_table_of_that_one(tmp_path):
    run = grouped_run(tmp_path, (0.9, 0.9), np.random.default_rng(5))
    gender = run.groups["gender"]
    groups = groups_of(replace(run, groups={"studio": gender, "Sex": gender}))
    assert groups.twins == {"Sex": "studio"}
    for name in ("studio", "Sex", "gender"):
        assert [table.column for table in groups.named(name)] == ["studio"]


def test_genders_of_two_speakers_are_not_these_speakers(tmp_path):
    """How two speakers differ says nothing of how genders do."""
    speakers, gender = (["a", "b"] * 60, ["f", "m"] * 60)
    columns = group_columns(
        speakers, {"actor": speakers, "gender": gender, "sex": gender}, np.ones(120)
    )
    assert list(columns) == ["speaker", "gender"]
    truth = np.arange(120) // 2 % 3
    run = run_of(tmp_path, truth, truth, speakers=speakers,
                 groups={"gender": gender, "sex": gender})  # fmt: skip
    groups = groups_of(run)
    assert groups.twins == {"sex": "gender"}
    assert [table.column for table in groups.named("sex")] == ["gender"]
    assert list(fairness_columns(run)) == ["speaker", "gender"], "no group counts twice"


def test_clips_of_one_length_are_one_group():
    assert group_columns(["a", "b"] * 20, {}, np.ones(40)).keys() == {"speaker"}


def test_length_permutes_clips_of_the_same_speaker(tmp_path):
    groups = groups_of(grouped_run(tmp_path, (0.9, 0.9), np.random.default_rng(5)))
    table = table_of(groups, "duration")
    assert table.permuted == "clips"
    assert table.accuracy_gap.finding == "cannot tell", "four groups of 100 clips, three columns"
    assert table.accuracy_gap.reason.startswith("some groups are too small: ")
    assert 0.1 < table.accuracy_gap.detectable < 0.25
    assert len(table.groups) == 4


def test_without_speakers_clips_are_permuted(tmp_path):
    run = grouped_run(tmp_path, (0.95, 0.6), np.random.default_rng(6), speakers=False)
    table = table_of(groups_of(run), "gender")
    assert table.permuted == "clips"
    assert table.accuracy_gap.finding == "more than chance"


def test_a_speaker_who_is_not_understood_is_found(tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 300)
    predicted = noisy(truth, 0.9, np.random.default_rng(1))
    predicted[:30] = (truth[:30] + 1) % 3
    run = run_of(tmp_path, truth, predicted, speakers=[f"s{i // 30}" for i in range(300)])
    table = table_of(groups_of(run), "speaker")
    assert table.accuracy_gap.worst == "s0"
    assert table.accuracy_gap.finding == "more than chance"


def test_small_groups_are_listed_but_no_gap_is_measured_to_them(tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 60)
    group = ["big"] * 28 + ["other"] * 28 + ["tiny"] * 4
    predicted = truth.copy()
    predicted[-4:] = (truth[-4:] + 1) % 3
    run = run_of(tmp_path, truth, predicted, groups={"age": group})
    table = table_of(groups_of(run), "age")
    assert [g.name for g in table.groups] == ["big", "other", "tiny"]
    assert table.accuracy_gap.value == 0.0
    assert table.groups[-1].accuracy.value == 0.0


def test_one_group_of_enough_clips_has_no_gap(tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 40)
    run = run_of(tmp_path, truth, truth, groups={"age": ["big"] * 36 + ["tiny"] * 4})
    table = table_of(groups_of(run), "age")
    assert np.isnan(table.accuracy_gap.value)
    assert table.accuracy_gap.finding == "not judged"


def test_groups_without_a_common_emotion_have_no_uar_gap(tmp_path):
    truth = np.repeat([0, 1], 30)
    run = run_of(tmp_path, truth, truth, groups={"corpus": ["x"] * 30 + ["y"] * 30})
    table = table_of(groups_of(run), "corpus")
    assert np.isnan(table.uar_gap.value)
    assert table.accuracy_gap.value == 0.0


def test_no_clip_no_group(tmp_path):
    groups = groups_of(run_of(tmp_path, [], []))
    assert groups.tables == ()
    assert not groups.better_than_chance
    assert group_sentences(groups) == []
    assert groups.as_dict()["tables"] == []
    fairness = fairness_of(run_of(tmp_path, [], []))
    assert (fairness.judged, fairness.reason) == (False, "there is no clip with an answer")


def test_one_emotion_only_is_measured_against_all_labels(tmp_path):
    rng = np.random.default_rng(4)
    truth = np.zeros(200, dtype=int)
    run = run_of(
        tmp_path,
        truth,
        noisy(truth, 0.9, rng),
        groups={"gender": ["FM"[i % 2] for i in range(200)]},
    )
    assert groups_of(run).better_than_chance


def corpora_run(folder, shares, rng):
    """Two corpora of many speakers with few clips, and one of two speakers with many: as SSI."""
    sizes = np.r_[np.full(60, 10), np.full(60, 10), np.full(2, 200)]
    speaker = np.repeat(np.arange(122), sizes)
    corpus = np.repeat([0, 1, 2], [600, 600, 400])
    truth = rng.integers(0, 3, len(speaker))
    right = rng.random(len(speaker)) < np.array(shares)[corpus]
    predicted = np.where(right, truth, (truth + rng.integers(1, 3, len(speaker))) % 3)
    groups = {"corpus": ["CRT"[c] for c in corpus]}
    return run_of(folder, truth, predicted, speakers=[f"s{s}" for s in speaker], groups=groups)


def test_a_gap_between_many_speakers_is_found_beside_a_corpus_of_two(tmp_path):
    run = corpora_run(tmp_path, (0.75, 0.88, 1.0), np.random.default_rng(1))
    gap = table_of(groups_of(run), "corpus").accuracy_gap
    assert (gap.best, gap.worst, gap.finding) == ("R", "C", "more than chance")
    assert gap.by_chance < gap.value < gap.reach <= 1


def test_of_several_gaps_beyond_chance_the_largest_is_named(tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 900)
    shares = np.repeat([0.95, 0.7, 0.4], 300)
    right = np.random.default_rng(1).random(900) < shares
    run = run_of(
        tmp_path,
        truth,
        np.where(right, truth, (truth + 1) % 3),
        groups={"age": ["old"] * 300 + ["adult"] * 300 + ["child"] * 300},
    )
    gap = table_of(groups_of(run), "age").accuracy_gap
    assert (gap.best, gap.worst, gap.finding) == ("old", "child", "more than chance")
    assert gap.reach == gap.value


@pytest.mark.parametrize(("clips", "finding"), [(50, "cannot tell"), (300, "no more than chance")])
def test_groups_that_are_all_right_have_no_gap_and_two_names(clips, finding, tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 2 * clips)
    run = run_of(tmp_path, truth, truth, groups={"gender": ["F"] * clips + ["M"] * clips})
    gap = table_of(groups_of(run), "gender").accuracy_gap
    assert (gap.value, gap.by_chance, gap.p) == (0, 0, 1)
    assert gap.best != gap.worst
    assert gap.finding == finding, "of 50 clips with 10 % wrong, none is one time in 200"
    assert (gap.reach <= 0.1) == (clips == 300)


def like_ssi(folder, shares):
    """CREMA-D's 91 speakers with 13 clips each, and TESS's two with 250, as in the public set."""
    speaker = np.r_[np.repeat(np.arange(91), 13), np.repeat([91, 92], 252)]
    dataset = np.where(speaker < 91, "CREMA-D", "TESS")
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, len(speaker))
    right = rng.random(len(speaker)) < np.where(speaker < 91, *shares)
    return run_of(
        folder,
        truth,
        np.where(right, truth, (truth + 1) % 3),
        speakers=[f"s{s}" for s in speaker],
        groups={"dataset": dataset.tolist()},
    )


@pytest.mark.parametrize("shares", [(0.775, 0.998), (0.9, 0.9)])
def test_of_two_speakers_nothing_can_be_told_however_many_clips_they_have(shares, tmp_path):
    groups = groups_of(like_ssi(tmp_path, shares))
    table = table_of(groups, "dataset")
    for gap in (table.accuracy_gap, table.uar_gap):
        assert gap.finding == "cannot tell"
        assert gap.reason == "some groups are too small: TESS has 2 speakers"
        assert gap.detectable == gap.reach == 1, "two speakers may differ by anything"
    (said,) = (line for line in group_sentences(groups) if "dataset" in line)
    assert said.startswith("Cannot tell whether accuracy differs by ")
    assert len(said) < 200, "of all columns together, in three lines of 60"
    assert "no more than chance" not in " ".join(group_sentences(groups))


@pytest.mark.usefixtures("all_permutations")
def test_no_more_than_chance_is_said_where_ten_points_would_have_been_found(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    speaker = np.arange(3000) // 9  # too few clips each for speakers to be groups of their own
    run = run_of(
        tmp_path,
        truth,
        noisy(truth, 0.8, rng),
        speakers=[f"s{s}" for s in speaker],
        groups={"gender": ["FM"[s % 2] for s in speaker]},
    )
    groups = groups_of(run)
    table = table_of(groups, "gender")
    for gap in (table.accuracy_gap, table.uar_gap):
        assert (gap.finding, gap.reason) == ("no more than chance", "")
        assert gap.by_chance < gap.detectable <= gap.reach <= 0.1
    assert any(
        line.startswith("By gender, gaps in accuracy are no more than chance makes; one of 10")
        for line in group_sentences(groups)
    )


def test_values_that_mean_one_gender_are_one_group_by_the_spelling_of_most():
    values = ["female"] * 12 + ["F"] * 9 + ["Male", "m", "male"] * 7 + ["divers"] * 10 + [None] * 3
    columns = group_columns(["a"] * 55, {"Sex": values}, np.ones(55))
    counts = {value: columns["Sex"].count(value) for value in set(columns["Sex"])}
    assert counts == {"female": 21, "Male": 21, "divers": 10, None: 3}


def test_a_column_is_found_by_its_own_name_and_by_synonyms(tmp_path):
    groups = groups_of(grouped_run(tmp_path, (0.9, 0.9), np.random.default_rng(1)))
    for name in ("gender", "sex", "Gender", "SEX"):
        assert [table.column for table in groups.named(name)] == ["gender"]
    assert groups.named("age") == []


def test_fairness_and_groups_call_a_column_and_its_groups_by_one_name(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    sex = rng.choice(["M", "male", "female"], 400, p=[0.3, 0.2, 0.5]).tolist()
    run = run_of(tmp_path, truth, noisy(truth, 0.8, rng), groups={"Sex": sex})
    table = table_of(groups_of(run), "Sex")
    assert {group.name for group in table.groups} == {"M", "female"}
    assert {gap.group for gap in fairness_of(run).columns["Sex"]} == {"M", "female"}
    assert fairness_columns(run).keys() == {"Sex"}


@pytest.mark.parametrize("share", [0.4, 0.55, 0.9])
def test_both_ways_to_set_a_threshold_agree_on_what_is_better_than_chance(share, tmp_path):
    """Four of eight labels occur: a random model has one in four, not one in eight."""
    rng = np.random.default_rng(0)
    labels = tuple("abcdefgh")
    truth = np.arange(80) % 4
    run = run_of(
        tmp_path,
        truth,
        np.where(rng.random(80) < share, truth, 7),
        labels=labels,
        groups={"gender": ["FM"[i // 40] for i in range(80)]},
    )
    groups, fairness = groups_of(run), fairness_of(run)
    assert groups.better_than_chance == fairness.judged
    if not fairness.judged:
        assert "a random model has 25.0 %" in fairness.reason


@pytest.mark.usefixtures("all_permutations")
def test_stored_groups_keep_their_keys(tmp_path):
    groups = groups_of(grouped_run(tmp_path, (0.9, 0.9), np.random.default_rng(1))).as_dict()
    table = next(table for table in groups["tables"] if table["column"] == "gender")
    assert table["regrouped"] == "speakers"
    known = {"value", "best", "worst", "by_chance", "reach", "p", "p_corrected", "finding"}
    assert known <= table["accuracy_gap"].keys()


def test_a_gap_of_uar_is_told_where_its_verdict_is_another_than_that_of_accuracy(tmp_path):
    """Men's rare emotions are missed: a gap of UAR, hidden in the accuracy by the common one."""
    truth = np.tile(np.r_[np.zeros(18, dtype=int), 1, 2], 200)
    speaker = np.arange(len(truth)) // 20
    predicted = np.where((truth > 0) & (speaker % 2 == 1), 0, truth)
    rng = np.random.default_rng(0)
    predicted = np.where((truth == 0) & (rng.random(len(truth)) < 0.1), 1, predicted)
    women = (speaker % 2 == 0) & (truth == 0)
    predicted = np.where(women & (rng.random(len(truth)) < 0.125), 2, predicted)
    run = run_of(
        tmp_path,
        truth,
        predicted,
        speakers=[f"s{s}" for s in speaker],
        groups={"gender": ["FM"[s % 2] for s in speaker]},
    )
    groups = groups_of(run)
    table = table_of(groups, "gender")
    assert table.accuracy_gap.finding == "no more than chance"
    assert table.uar_gap.finding == "more than chance"
    said = group_sentences(groups)
    assert any(line.startswith("By gender, the UAR of F is 6") for line in said)
    (rest,) = (line for line in said if "gaps in accuracy are no more than chance" in line)
    assert "gender" in rest
