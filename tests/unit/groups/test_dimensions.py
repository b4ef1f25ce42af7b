"""Gaps of CCC and bias between groups, and the mean CCC of folds, where the answer is known."""

import audmetric
import numpy as np
import pytest

from runs import run_of_dimensions
from serval.dimensions import dimension_run
from serval.groups.dimensions import (
    averaged_cccs,
    averaged_sentences,
    dimension_group_sentences,
    dimension_groups,
)

NAMES = ("arousal", "valence")
N = 600
FEMALE = np.arange(N) % 60 < 30
FOLD = np.arange(N) % 3


def ccc(truth, predicted):
    return audmetric.concordance_cc(truth, predicted)


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """Sixty speakers; women's arousal is heard one point too high, their valence not at all."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(1.5, 6.0, (N, 2)).round(2)
    said = truth + rng.normal(0, 0.4, (N, 2))
    said[FEMALE, 0] += 1
    said[FEMALE, 1] = 4 + rng.normal(0, 0.4, FEMALE.sum())
    truth[5, 1] = np.nan
    run = run_of_dimensions(
        tmp_path_factory.mktemp("runs") / "run",
        truth,
        said,
        names=NAMES,
        speakers=[f"s{i % 60}" for i in range(N)],
        groups={
            "sex": ["F" if one else "M" for one in FEMALE],
            "fold": [f"f{one}" for one in FOLD],
        },
    )
    return dimension_run(run)


def test_gaps_are_differences_of_the_groups_and_judged(values):
    (table,) = [one for one in dimension_groups(values) if one.column == "sex"]
    truth, said = values.truth[:, 0], values.predicted[:, 0]
    gap = table.gaps["arousal"]["bias"]
    assert (gap.high_group, gap.low_group, gap.finding) == ("F", "M", "more than chance")
    biases = [(said - truth)[FEMALE].mean(), (said - truth)[~FEMALE].mean()]
    assert gap.difference.value == pytest.approx(biases[0] - biases[1])
    assert gap.difference.low < 1 < gap.difference.high
    gap = table.gaps["valence"]["ccc"]
    known = ~np.isnan(values.truth[:, 1])
    cccs = {
        sex: ccc(values.truth[of & known, 1], values.predicted[of & known, 1])
        for sex, of in (("F", FEMALE), ("M", ~FEMALE))
    }
    assert gap.difference.value == pytest.approx(cccs["M"] - cccs["F"])
    assert (gap.high_group, gap.finding) == ("M", "more than chance")
    # Of eight tests or more together: 2.73 + 0.84 standard errors, of one alone 2.80.
    assert gap.difference.detectable > 3.57 * gap.difference.standard_error
    own = {group.name: group.scores.per_dimension["valence"]["ccc"] for group in table.groups}
    assert own["F"].value == pytest.approx(cccs["F"])


def test_the_error_of_a_gap_is_that_of_many_sets_of_speakers(tmp_path):
    """Speakers have a bias of their own: the standard error says how far a gap strays by that."""
    rng = np.random.default_rng(8)
    gaps, errors = [], []
    sex = np.arange(216) % 24 < 12  # with nine clips each the speakers are no groups of their own
    for i in range(25):
        truth = rng.uniform(2, 6, (216, 2)).round(2)
        own = rng.normal(0, 0.5, 24)[np.arange(216) % 24]
        run = run_of_dimensions(
            tmp_path / f"{i}",
            truth,
            truth + own[:, None] + rng.normal(0, 0.3, (216, 2)),
            names=NAMES,
            speakers=[f"s{j % 24}" for j in range(216)],
            groups={"sex": ["F" if one else "M" for one in sex]},
        )
        (table,) = [one for one in dimension_groups(dimension_run(run)) if one.column == "sex"]
        gap = table.gaps["arousal"]["bias"]
        sign = 1 if gap.high_group == "F" else -1
        gaps.append(sign * gap.difference.value)
        errors.append(gap.difference.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.35)


def test_sentences_name_the_gap_and_ratings_are_no_groups(values):
    tables = dimension_groups(values)
    assert {table.column for table in tables} == {"speaker", "sex", "fold"}
    said = dimension_group_sentences(tables)
    (bias,) = [line for line in said if line.startswith("By sex, the bias of arousal is ")]
    assert "higher for F than for M (95 % interval 0.9" in bias
    assert said[-1].startswith("Cannot tell whether gaps in CCC and bias by fold are more")


def test_the_mean_of_folds_stands_beside_the_pooled_ccc(values):
    found = averaged_cccs(values)[0]
    parts = [
        ccc(values.truth[fold == FOLD, 0], values.predicted[fold == FOLD, 0]) for fold in range(3)
    ]
    assert found.mean.value == pytest.approx(np.mean(parts))
    assert found.mean.low < found.mean.value < found.mean.high
    assert found.pooled == pytest.approx(ccc(values.truth[:, 0], values.predicted[:, 0]))
    assert (found.column, found.dimension, found.parts, found.left_out) == ("fold", "arousal", 3, 0)
    assert "mean of the 3 folds" in averaged_sentences([found])[0]
