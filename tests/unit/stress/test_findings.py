"""From stored runs to numbers: planted predictions have known effects."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from runs import noisy, run_of, run_of_dimensions, sha256_of
from serval.comparison import compare
from serval.errors import ConfigError
from serval.groups import fairness_of
from serval.labels import LabelSet
from serval.records import Failure, Prediction
from serval.run import Journal, Provenance
from serval.scores.metrics import confusion_matrix, macro_f1, uar, wa
from serval.stress import StressRuns, findings_of, load_stress, write_stress
from serval.stress.dimensions import HEAD, dimension_findings, dimension_stress_cells
from serval.stress.effects import random_baseline_of

LABELS = LabelSet(["angry", "happy", "sad"])
N = 240


def stored(folder, predicted, *, model="m", dataset="d", skip=(), failing=(), change=None):
    """A run with those predictions on disk; speakers of 12 clips each, two genders, three texts."""
    provenance = Provenance(
        labels=LABELS,
        model={"name": model, "sha256": model},
        dataset={"name": "set.csv", "caveats": []},
        options={},
        platform={},
        identity={"dataset": dataset, "split": "", "limit": None} | (change or {}),
    )
    with Journal(folder=folder, provenance=provenance) as journal:
        journal.begin("2026-01-01T00:00:00+00:00")
        for i, label in enumerate(predicted):
            if i in skip:
                continue
            if i in failing:
                journal.append(
                    Failure(clip_id=f"c{i}", index=i, truth=LABELS[i % 3], stage="model",
                            reason="it broke", speaker=f"s{i // 12}", groups={}),
                    0.1 * i,
                )  # fmt: skip
                continue
            logits = np.where(np.arange(3) == label, 2.0, 0.0)
            journal.append(
                Prediction(
                    clip_id=f"c{i}",
                    index=i,
                    truth=LABELS[i % 3],
                    predicted=LABELS[label],
                    logits=tuple(logits),
                    probs=tuple(np.exp(logits) / np.exp(logits).sum()),
                    duration_s=1.0,
                    inference_s=0.01,
                    audio_sha256=sha256_of(str(i)),
                    speaker=f"s{i // 12}",
                    groups={"gender": "FM"[i % 2], "text": f"t{i % 4}"},
                ),
                0.1 * i,
            )
        journal.finish(24.0, dropped={}, peak_memory_mb=1.0)


def truth():
    return np.arange(N) % 3


def with_errors(every, shift=1):
    """The truth with every so-manieth prediction wrong."""
    predicted = truth()
    predicted[::every] = (predicted[::every] + shift) % 3
    return predicted


def suite(folder, *, model="m", clean=20, noisy=4, **more):
    stored(folder / "clean", with_errors(clean), model=model, **more)
    stored(folder / "white_40db", with_errors(clean), model=model, **more)
    stored(folder / "white_20db", with_errors(noisy), model=model, **more)
    stored(folder / "white_10db", with_errors(2), model=model, **more)
    stored(folder / "gain_minus2db", with_errors(clean), model=model, **more)
    return load_stress(folder)


def test_scores_changes_and_shares_are_those_of_the_matrices(tmp_path):
    found = findings_of(suite(tmp_path))
    clean, noisy = with_errors(20), with_errors(4)
    a, b = (confusion_matrix(truth(), p, LABELS) for p in (clean, noisy))
    effect = found.effects.effects["white_20db"]
    for name, metric in (("wa", wa), ("uar", uar), ("macro_f1", macro_f1)):
        assert found.effects.clean[name].value == pytest.approx(metric(a))
        assert effect.scores[name].value == pytest.approx(metric(b))
        assert effect.change[name].value == pytest.approx(metric(b) - metric(a))
        assert effect.change[name].low < effect.change[name].value < effect.change[name].high
    assert effect.unchanged.value == pytest.approx(np.mean(clean == noisy))
    assert effect.change["uar"].p < 0.001
    assert effect.p_corrected >= effect.change["uar"].p


def test_rules_pass_fail_or_are_not_published(tmp_path):
    effects = findings_of(suite(tmp_path)).effects.effects
    outcomes = {name: (effect.outcome, effect.sure) for name, effect in effects.items()}
    assert outcomes["white_40db"] == ("pass", False), "20 speakers cannot be sure of 95 %"
    assert outcomes["white_20db"] == ("fail", True)
    assert outcomes["white_10db"] == ("no threshold", False)
    assert [effect.verdict for effect in effects.values()][1:] == ["cannot tell", "fail", None]
    assert effects["gain_minus2db"].unchanged.value == 1.0


def test_families_are_means_over_their_perturbations(tmp_path):
    effects = findings_of(suite(tmp_path)).effects
    noise = [effects.effects[name] for name in ("white_40db", "white_20db", "white_10db")]
    family = effects.families["noise"]
    assert family.change["uar"].value == pytest.approx(
        np.mean([effect.change["uar"].value for effect in noise])
    )
    assert (family.cases, family.judged, family.passed, family.sure) == (3, 2, 1, 1)
    assert effects.families["all"].cases == 4


def test_a_clip_that_failed_under_one_perturbation_is_in_no_number(tmp_path):
    stored(tmp_path / "clean", with_errors(20))
    stored(tmp_path / "white_20db", with_errors(4), skip={3, 4})
    found = findings_of(load_stress(tmp_path))
    assert found.effects.n == N - 2
    assert 3 not in found.effects.panel.index


def test_a_kept_rule_cannot_be_told_where_clips_newly_fail(tmp_path):
    stored(tmp_path / "clean", with_errors(20), failing={3})
    stored(tmp_path / "white_40db", with_errors(20), failing={3})
    stored(tmp_path / "white_20db", with_errors(20), failing={3, 4})
    effects = findings_of(load_stress(tmp_path)).effects
    outcomes = {name: (one.outcome, one.sure) for name, one in effects.effects.items()}
    assert outcomes["white_40db"][0] == "pass", "what fails clean too is not lost under it"
    assert outcomes["white_20db"] == ("cannot tell", False)
    assert (effects.families["all"].passed, effects.families["all"].cannot_tell) == (1, 1)


def test_a_verdict_that_cannot_be_told_says_why(tmp_path):
    stored(tmp_path / "clean", with_errors(20))
    stored(tmp_path / "white_20db", with_errors(20), failing={4})
    stored(tmp_path / "white_10db", with_errors(4))
    stored(tmp_path / "babble_20db", with_errors(8))
    written = write_stress(findings_of(load_stress(tmp_path)), tmp_path / "out")
    cases = written.document["cases"]
    assert {name: case["reason"] for name, case in cases.items()} == {
        "white_10db": "",
        "white_20db": "clips fail under it that have an answer when clean",
        "babble_20db": "the interval reaches over the threshold",
    }
    assert cases["babble_20db"]["outcome"] != cases["babble_20db"]["verdict"] == "cannot tell"
    summary = written.files["summary"].read_text("utf-8")
    assert "background noise: cannot tell, since clips newly fail |" in summary
    assert "Of 1 more it cannot be told: clips fail that have an answer when clean." in summary
    assert "no emotion has" not in summary


def test_a_mean_over_runs_that_change_nothing_is_no_surer_than_one_of_them(tmp_path):
    for name in ("clean", "gain_minus2db", "gain_plus2db", "gain_plus1db"):
        stored(tmp_path / name, with_errors(20))
    effects = findings_of(load_stress(tmp_path)).effects
    one, all_ = (of.change["uar"] for of in (effects.effects["gain_plus1db"],
                                             effects.families["all"]))  # fmt: skip
    assert (all_.low, all_.high) == pytest.approx((one.low, one.high))
    assert one.high > 0
    document = write_stress(findings_of(load_stress(tmp_path)), tmp_path / "out").document
    assert "most under" not in " ".join(document["verdict"]), "nothing fell"


def test_clips_that_only_the_perturbation_breaks_are_told(tmp_path):
    stored(tmp_path / "clean", with_errors(20), failing={3})
    stored(tmp_path / "white_20db", with_errors(4), failing={3, 4, 5})
    document = write_stress(findings_of(load_stress(tmp_path)), tmp_path / "out").document
    told = (
        "none under 1 of 1 perturbations (most, 2, under white_20db); every number is over the 237"
    )
    assert [line for line in document["warnings"] if told in line]


def test_a_clip_that_failed_when_clean_too_is_no_fault_of_the_perturbation(tmp_path):
    stored(tmp_path / "clean", with_errors(20), failing={3, 4})
    stored(tmp_path / "white_20db", with_errors(4), failing={3, 4})
    document = write_stress(findings_of(load_stress(tmp_path)), tmp_path / "out").document
    assert document["cases"]["white_20db"]["failed"] == 2
    assert not [line for line in document["warnings"] if "perturbations" in line]


def test_a_perturbation_that_never_reaches_the_model_is_told(tmp_path):
    document = write_stress(findings_of(suite(tmp_path / "a")), tmp_path / "out").document
    (told,) = (line for line in document["warnings"] if line.startswith("No probability moves"))
    assert "under gain_minus2db, white_40db: the model's sample rate or" in told
    assert "white_20db" not in told


def test_where_no_clip_has_all_answers_the_perturbation_at_fault_is_named(tmp_path):
    stored(tmp_path / "clean", with_errors(20))
    stored(tmp_path / "white_40db", with_errors(20))
    stored(tmp_path / "white_20db", with_errors(4), failing=set(range(N)))
    with pytest.raises(ConfigError, match="under white_20db, the first with: it broke; leave"):
        findings_of(load_stress(tmp_path))


def test_a_random_model_scores_one_in_k_and_keeps_no_rule_of_unchanged_predictions():
    random = random_baseline_of(truth(), 3)
    assert random.scores["uar"].value == pytest.approx(1 / 3, abs=0.01)
    assert random.unchanged.value == pytest.approx(1 / 3, abs=0.01)
    assert random.change["uar"].low < 0 < random.change["uar"].high
    assert random.passes["small change"] == 0
    assert random == random_baseline_of(truth(), 3)


def test_fairness_finds_a_group_that_is_served_worse_and_no_other(tmp_path):
    predicted = truth()
    women = np.arange(N) % 2 == 0
    predicted[women & (np.arange(N) % 3 != 1)] = 1
    stored(tmp_path / "run", predicted)
    fairness = fairness_of(load_run_of(tmp_path / "run"))
    assert fairness.judged
    gaps = {gap.group: gap for gap in fairness.columns["gender"]}
    assert gaps["F"].gaps["uar"] < -gaps["F"].thresholds["uar"]
    assert gaps["F"].findings["uar"] == "beyond"
    assert {"gender", "speaker", "text"} == set(fairness.columns)
    assert 0 < gaps["M"].random["uar"] < gaps["M"].thresholds["uar"]


def test_a_label_that_a_group_is_never_given_is_no_difference_of_precision(tmp_path):
    predicted = truth()
    men = np.arange(N) % 2 == 1
    predicted[men & (predicted == 2)] = 0
    stored(tmp_path / "run", predicted)
    columns = fairness_of(load_run_of(tmp_path / "run")).columns
    (gap,) = (gap for gap in columns["gender"] if gap.group == "M")
    right, everyone = 0.5, 2 / 3  # of what is called 0: half among men, two thirds in all
    assert gap.gaps["precision"] == pytest.approx(everyone - right, abs=0.02)


def test_a_model_that_treats_all_alike_is_within_its_thresholds_where_ten_points_would_show(
    tmp_path,
):
    rng = np.random.default_rng(0)
    for n, finding in ((240, "cannot tell"), (9000, "within")):
        clips = np.arange(n) % 3
        run = run_of(
            tmp_path / str(n),
            clips,
            noisy(clips, 0.85, rng),
            groups={"gender": ["FM"[i // 3 % 2] for i in range(n)]},
        )
        gaps = fairness_of(run).columns["gender"]
        assert {found for gap in gaps for found in gap.findings.values()} == {finding}
        for gap in gaps:
            for measure, size in gap.detectable.items():
                assert gap.thresholds[measure] < size
                assert (size <= 0.1) == (finding == "within")


def test_a_random_model_draws_among_the_labels_that_occur():
    """As in groups: on a set of two of three emotions it has one half, not one third."""
    random = random_baseline_of(np.arange(N) % 2, 3)
    assert random.scores["uar"].value == pytest.approx(1 / 2, abs=0.01)
    assert random.unchanged.value == pytest.approx(1 / 2, abs=0.01)


def few_sad(folder, *, lost=0, sad=5, noisy=()):
    """A suite on 200 clips, of which few are sad and so many are lost under noise."""
    clips = np.r_[np.arange(200 - sad) % 2, np.full(sad, 2)]
    heard = clips.copy()
    heard[len(clips) - lost :] = 0
    heard[list(noisy)] = 1 - clips[list(noisy)]
    for name, predicted in (("clean", clips), ("white_40db", heard), ("white_20db", heard)):
        run_of(
            folder / name,
            clips,
            predicted,
            model={"name": "m", "sha256": "m"},
            speakers=[f"s{i}" for i in range(len(clips))],
        )
    return load_stress(folder)


def test_a_label_of_under_ten_clips_decides_no_verdict(tmp_path):
    """Four of five sad clips are lost: 27 points of UAR, and 2 % of all clips."""
    found = findings_of(few_sad(tmp_path, lost=4))
    effect = found.effects.effects["white_20db"]
    assert effect.change["uar"].value == pytest.approx(-0.8 / 3), "the number itself stays"
    assert (effect.outcome, effect.sure) == ("pass", True)
    assert found.effects.judged_labels == ("angry", "happy")
    document = write_stress(found, tmp_path / "out").document
    assert document["labels_judged"] == ["angry", "happy"]
    assert document["cases"]["white_20db"]["verdict"] == "pass"
    assert (
        "Emotions of fewer than 10 clips decide no threshold (sad (5)); the clips of angry, happy "
        "do."
    ) in document["warnings"]


def test_its_clips_decide_no_share_of_unchanged_answers_either(tmp_path):
    """Nine sad clips of 200 are lost, then 1.6 % of the others: 94 % of all, 98.4 % of these."""
    effect = findings_of(few_sad(tmp_path, lost=9, sad=9, noisy=(0, 1, 2))).effects.effects
    assert effect["white_40db"].unchanged.value == pytest.approx(188 / 200)
    assert effect["white_40db"].outcome == "pass"


def test_a_label_of_ten_clips_counts(tmp_path):
    found = findings_of(few_sad(tmp_path, lost=8, sad=10))
    assert found.effects.effects["white_20db"].outcome == "fail"
    assert found.effects.judged_labels == ("angry", "happy", "sad")
    document = write_stress(found, tmp_path / "out").document
    assert not [line for line in document["warnings"] if "decide no threshold" in line]


def test_where_every_label_has_few_clips_no_threshold_can_be_told(tmp_path):
    for name in ("clean", "white_20db", "white_10db"):
        run_of(tmp_path / name, np.arange(27) % 3, np.arange(27) % 3)
    found = findings_of(load_stress(tmp_path))
    outcomes = {name: effect.outcome for name, effect in found.effects.effects.items()}
    assert outcomes == {"white_20db": "cannot tell", "white_10db": "no threshold"}
    everything = found.effects.families["all"]
    assert (everything.judged, everything.passed, everything.sure) == (0, 0, 0)
    assert everything.cannot_tell == 1
    written = write_stress(found, tmp_path / "out")
    case = written.document["cases"]["white_20db"]
    assert (case["passed"], case["verdict"]) == (None, "cannot tell")
    summary = written.files["summary"].read_text("utf-8")
    assert "background noise: cannot tell |" in summary
    assert "(Derington et al., 2023) are kept cannot be told: no emotion has 10 clips, " in summary


def test_fairness_is_not_judged_where_the_model_guesses(tmp_path):
    stored(tmp_path / "run", np.random.default_rng(0).integers(3, size=N))
    fairness = fairness_of(load_run_of(tmp_path / "run"))
    assert (fairness.judged, fairness.columns) == (False, {})
    assert "not better than chance: its 95 % interval begins at " in fairness.reason
    assert "a random model has 33.3 %" in fairness.reason


def load_run_of(folder):
    from serval.run import load_run

    return load_run(folder)


def test_against_is_this_minus_the_other_and_sees_what_only_stress_shows(tmp_path):
    this = suite(tmp_path / "int8", model="int8", noisy=3)
    other = suite(tmp_path / "fp32", model="fp32", noisy=10)
    against = findings_of(this, other=other).against
    assert against.model == "fp32"
    assert against.clean["uar"].value == 0
    gap = against.cases["white_20db"]
    mine, its = (uar(confusion_matrix(truth(), with_errors(n), LABELS)) for n in (3, 10))
    assert gap.scores["uar"].value == pytest.approx(mine - its)
    assert gap.extra["uar"].value == pytest.approx(mine - its)
    assert gap.extra["uar"].high < 0
    assert gap.agreement.value == pytest.approx(np.mean(with_errors(3) == with_errors(10)))
    mean = np.mean([case.scores["uar"].value for case in against.cases.values()])
    assert against.families["all"].scores["uar"].value == pytest.approx(mean)


@pytest.mark.parametrize(
    ("other", "fault"),
    [({"dataset": "e"}, "another dataset"), ({}, "no perturbation in common")],
)
def test_another_set_or_suite_cannot_be_compared(other, fault, tmp_path):
    this = suite(tmp_path / "this")
    stored(tmp_path / "other" / "clean", truth(), **other)
    stored(tmp_path / "other" / "tilt_up", truth(), **other)
    with pytest.raises(ConfigError, match=fault):
        findings_of(this, other=load_stress(tmp_path / "other"))


def test_other_draws_of_the_same_noise_cannot_be_compared(tmp_path):
    one, two = (
        suite(tmp_path / str(seed), change={"change": {"name": "white", "seed": seed}})
        for seed in (0, 1)
    )
    with pytest.raises(ConfigError, match=r"not the same as in .* run both with one --seed"):
        findings_of(one, other=two)
    assert findings_of(one, other=one).against.families["all"].extra["uar"].value == 0


def test_a_folder_without_a_stress_test_says_what_to_give(tmp_path):
    with pytest.raises(ConfigError, match="serval stress -o"):
        load_stress(tmp_path)
    stored(tmp_path / "clean", truth())
    with pytest.raises(ConfigError, match="no finished perturbation"):
        findings_of(load_stress(tmp_path))


def test_files_hold_every_perturbation_and_json_has_no_nan_and_no_dotted_key(tmp_path):
    this = suite(tmp_path / "a", model="int8")
    found = findings_of(this, other=suite(tmp_path / "b", model="fp32"))
    written = write_stress(found, tmp_path / "out")
    text = written.files["stress"].read_text(encoding="utf-8")
    document = json.loads(text)
    assert "NaN" not in text
    assert document["cases"]["white_20db"]["unchanged"]["value"] < 0.9
    assert document["families"]["all"]["passed"] == 2
    assert not [key for key in _keys(document) if "." in key]
    lines = written.files["table"].read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 4
    assert {"uar_random", "unchanged_random", "uar_against_value"} <= set(lines[0].split(","))
    verdicts = {row["perturbation"]: (row["outcome"], row["sure"]) for row in csv.DictReader(lines)}
    assert verdicts["white_40db"] == ("pass", "False")
    assert verdicts["white_10db"] == ("no threshold", "")
    summary = written.files["summary"].read_text(encoding="utf-8")
    assert "*a random model*" in summary
    assert "## Against fp32" in summary
    for picture in ("heat map", "curves"):
        assert written.files[picture].read_bytes()[:4] == b"\x89PNG"


def test_same_runs_same_seed_same_numbers(tmp_path):
    this = suite(tmp_path)
    one, two = (write_stress(findings_of(this), tmp_path / name).files["stress"].read_bytes()
                for name in ("one", "two"))  # fmt: skip
    assert one == two


def _keys(value):
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _keys(part)


def test_stress_runs_keep_the_order_of_the_suite(tmp_path):
    this = suite(tmp_path)
    assert isinstance(this, StressRuns)
    assert this.folder == Path(tmp_path)
    assert list(this.runs) == ["gain_minus2db", "white_40db", "white_20db", "white_10db"]
    assert this.seconds == pytest.approx(5 * 24.0)


def test_the_clean_row_against_another_model_is_what_compare_says(tmp_path):
    this = suite(tmp_path / "int8", model="int8", clean=11, noisy=3)
    other = suite(tmp_path / "fp32", model="fp32", clean=20, noisy=10)
    against = findings_of(this, other=other).against
    compared = compare([other.clean, this.clean]).against[0].scores
    assert against.clean == {
        name: compared.overall[name].difference for name in ("wa", "uar", "macro_f1")
    }
    assert against.clean["uar"].value < 0
    assert against.agreement == compared.agreement


def test_the_verdict_tells_the_mean_change_and_the_worst(tmp_path):
    document = write_stress(findings_of(suite(tmp_path / "a")), tmp_path / "out").document
    (said,) = document["verdict"]
    mean = document["families"]["all"]["change"]["uar"]
    changes = {name: case["change"]["uar"]["value"] for name, case in document["cases"].items()}
    worst = min(changes, key=changes.get)
    assert f"changes by {100 * mean['value']:+.2f} points on average (95 % interval " in said
    assert f"most under {worst} ({100 * changes[worst]:+.2f}). " in said
    assert said.endswith(" are sure.") or "cannot be told" in said


def test_dimensions_tell_of_clips_that_only_the_perturbation_breaks(tmp_path):
    stored(tmp_path / "clean", with_errors(20), failing={3})
    stored(tmp_path / "white_20db", with_errors(20), failing={3, 4, 5})
    stored(tmp_path / "white_40db", with_errors(20), failing={3})
    (said,) = load_stress(tmp_path).lost_warnings("its numbers are over the rest")
    assert "none under 1 of 2 perturbations (most, 2, under white_20db)" in said


def rated(folder, **more):
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 7, (30, 2))
    values = truth + rng.normal(size=truth.shape)
    return run_of_dimensions(folder, truth, values, names=("arousal", "valence"), **more)


def test_dimensions_all_of_whose_clips_fail_name_the_perturbation_at_fault(tmp_path):
    rated(tmp_path / "clean", failing={3})
    rated(tmp_path / "white_40db")
    rated(tmp_path / "white_20db", failing=set(range(30)))
    said = "has an answer under white_20db, the first with: it broke; leave white_20db out"
    with pytest.raises(ConfigError, match=said):
        dimension_findings(load_stress(tmp_path))


def test_dimensions_without_a_finished_perturbation_say_so(tmp_path):
    rated(tmp_path / "clean")
    with pytest.raises(ConfigError, match="has no finished perturbation; run serval stress again"):
        dimension_findings(load_stress(tmp_path))


def test_dimensions_tell_of_perturbations_that_were_begun_only(tmp_path):
    rated(tmp_path / "clean")
    rated(tmp_path / "white_40db")
    rated(tmp_path / "white_20db")
    path = tmp_path / "white_20db" / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    document = write_stress(dimension_findings(load_stress(tmp_path)), tmp_path / "out").document
    assert list(document["cases"]) == ["white_40db"]
    assert "Not finished, and in no number: white_20db; the" in " ".join(document["warnings"])


def test_the_table_of_dimensions_counts_the_clips_that_failed(tmp_path):
    rated(tmp_path / "clean")
    rated(tmp_path / "white_20db", failing={3, 4})
    document = write_stress(dimension_findings(load_stress(tmp_path)), tmp_path / "out").document
    cells = dict(
        zip(HEAD[1:], dimension_stress_cells(document["cases"]["white_20db"]), strict=True)
    )
    assert cells["failed"] == "2"


def test_dimensions_of_three_clips_miss_no_threshold_surely(tmp_path):
    truth = np.array([[1.0, 2.0], [2.0, 4.0], [5.0, 1.0]])
    for name in ("clean", "white_20db"):
        run_of_dimensions(tmp_path / name, truth, truth[::-1], names=("arousal", "valence"))
    found = dimension_findings(load_stress(tmp_path))
    scores = found.effects["white_20db"].scores.per_dimension
    assert scores["arousal"]["ccc"].value < 0.5
    assert np.isnan(scores["arousal"]["ccc"].high)
    assert (found.thresholds.kept, found.thresholds.sure) == (False, False)
