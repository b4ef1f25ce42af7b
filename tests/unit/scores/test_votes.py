"""Scores against votes: equal to scikit-learn, scipy and krippendorff, and to drawing by hand."""

import json

import krippendorff
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from runs import run_of, softmax
from serval.errors import LabelError
from serval.results import write_results
from serval.scores.votes import (
    against_the_rest,
    ballot_of,
    is_votes,
    krippendorff_alpha,
    vote_scores,
    vote_sentences,
)

LABELS = ("angry", "happy", "sad")
N = 300


def cells(counts, names=LABELS):
    """What a set says of votes: `angry 4, sad 1`."""
    return [
        ", ".join(f"{name} {n}" for name, n in zip(names, row, strict=True) if n) for row in counts
    ]


@pytest.fixture(scope="module")
def counts():
    """Two to seven votes a clip, of listeners who follow one emotion seven times in ten."""
    rng = np.random.default_rng(11)
    meant = rng.integers(0, 3, N)
    share = np.full((N, 3), 0.15)
    share[np.arange(N), meant] = 0.7
    return np.array([rng.multinomial(rng.integers(2, 8), row) for row in share])


@pytest.fixture(scope="module")
def run(counts, tmp_path_factory):
    rng = np.random.default_rng(12)
    logits = counts * 0.6 + rng.normal(0, 1, counts.shape)
    return run_of(
        tmp_path_factory.mktemp("votes") / "run",
        counts.argmax(axis=1),
        logits=logits,
        labels=LABELS,
        speakers=[f"s{i % 30}" for i in range(N)],
        groups={"votes": cells(counts)},
    )


@pytest.fixture(scope="module")
def found(run):
    return vote_scores(run)


def test_distributions_are_compared_as_scipy_and_scikit_learn_do(found, run, counts):
    probs = softmax(run.logits)
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = np.array([jensenshannon(p, q, base=2) for p, q in zip(probs, shares, strict=True)])
    assert found.divergence.value == pytest.approx((distance**2).mean())
    one = np.repeat(np.arange(N), counts.sum(axis=1))
    votes = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
    weight = 1 / counts.sum(axis=1)[one]
    loss = log_loss(votes, probs[one], sample_weight=weight, labels=[0, 1, 2])
    assert found.cross_entropy.value == pytest.approx(loss)
    assert found.entropy.value < found.cross_entropy.low < found.cross_entropy.high


def test_ties_count_as_their_shares(found, run, counts):
    most = counts == counts.max(axis=1, keepdims=True)
    clip, truth = np.nonzero(most)
    weight = 1 / most.sum(axis=1)[clip]
    predicted = run.predicted[clip]
    uar = balanced_accuracy_score(truth, predicted, sample_weight=weight)
    macro = f1_score(truth, predicted, average="macro", sample_weight=weight)
    assert found.majority["uar"].value == pytest.approx(uar)
    assert found.majority["macro_f1"].value == pytest.approx(macro)
    right = (weight * (truth == predicted)).sum() / N
    assert found.majority["wa"].value == pytest.approx(right)
    assert found.majority["wa"].low < right < found.majority["wa"].high
    assert found.tied == (most.sum(axis=1) > 1).sum() > 0


def test_alpha_is_that_of_krippendorff():
    rng = np.random.default_rng(4)
    for _ in range(20):
        k = int(rng.integers(2, 6))
        counts = rng.poisson(rng.uniform(0.2, 3, k), (40, k))
        given = counts[counts.sum(axis=1) > 0]
        expected = krippendorff.alpha(value_counts=given, level_of_measurement="nominal")
        assert krippendorff_alpha(counts) == pytest.approx(expected)


def test_a_listener_and_the_model_are_judged_by_the_same_others(counts, run):
    """By drawing: one vote leaves, ties of the rest are broken at random."""
    rng = np.random.default_rng(5)
    listener, model = against_the_rest(counts, run.predicted)
    row, draws = counts[7], []
    votes = np.repeat(np.arange(3), row)
    for _ in range(4000):
        out = int(rng.integers(len(votes)))
        rest = np.bincount(np.delete(votes, out), minlength=3)
        reference = rng.choice(np.flatnonzero(rest == rest.max()))
        draws.append((votes[out] == reference, run.predicted[7] == reference))
    assert (listener[7], model[7]) == pytest.approx(np.mean(draws, axis=0), abs=0.03)


def test_the_way_to_a_listener_is_bounded(found):
    ceiling = found.ceiling
    part = (ceiling.model.value - 1 / 3) / (ceiling.listener.value - 1 / 3)
    assert ceiling.way.value == pytest.approx(part)
    assert ceiling.way.low < part < ceiling.way.high
    assert ceiling.alpha.low < ceiling.alpha.value < ceiling.alpha.high
    assert (ceiling.n, ceiling.chance) == (N, pytest.approx(1 / 3))
    sentence = vote_sentences(found)[0]
    assert sentence.startswith("A listener agrees with the others on ")
    assert "of the way from chance (33 %) to a listener" in sentence


def test_a_model_that_is_a_listener_is_all_the_way(tmp_path):
    """An answer drawn from the same votes misses the others exactly as often as a listener."""
    rng = np.random.default_rng(6)
    share = rng.dirichlet([0.4, 0.4, 0.4], 3000)
    counts = np.array([rng.multinomial(5, row) for row in share])
    answer = np.array([rng.choice(3, p=row) for row in share])
    run = run_of(tmp_path / "run", answer, answer, labels=LABELS, groups={"votes": cells(counts)})
    way = vote_scores(run).ceiling.way
    assert way.low < 1 < way.high
    assert way.high - way.low < 0.15


def test_agreement_bands_hold_every_clip_once(found, counts):
    agreement = counts.max(axis=1) / counts.sum(axis=1)
    assert sum(band.n for band in found.bands) == N
    assert found.bands[-1].n == (agreement == 1).sum()
    assert found.bands[-1].accuracy.value > found.bands[0].accuracy.value


def test_confidence_is_held_against_the_share_of_votes(found, run, counts):
    sure = softmax(run.logits).max(axis=1)
    share = counts[np.arange(N), run.predicted] / counts.sum(axis=1)
    assert found.overconfidence.value == pytest.approx((sure - share).mean())
    assert 0 < found.ece < 1
    assert sum(part.n for part in found.bins) == N


def test_one_column_for_each_label_says_the_same(counts, run, tmp_path):
    columns = {
        f"votes_{name}": [str(n) for n in row]
        for name, row in zip(("anger", "happiness", "sadness"), counts.T, strict=True)
    }
    columns["votes_other"] = ["1"] + ["0"] * (N - 1)
    other = run_of(
        tmp_path / "run",
        run.truth,
        logits=run.logits,
        labels=LABELS,
        speakers=run.speakers,
        groups=columns,
    )
    ballot = ballot_of(other)
    np.testing.assert_array_equal(ballot.counts, counts)
    assert ballot.unknown == {"other": 1}
    assert (
        "none of the model's labels are in no score: other 1."
        in vote_sentences(vote_scores(other))[-1]
    )


def test_results_have_the_votes_and_no_group_of_them(run, tmp_path):
    written = write_results(run, tmp_path, plots=False)
    document = json.loads(written.files["results"].read_text())
    assert document["votes"]["n"] == N
    assert {table["column"] for table in document["groups"]["tables"]} == {"speaker"}
    assert "## Listeners" in written.files["summary"].read_text()


def test_a_set_without_votes_has_no_part(tmp_path):
    run = run_of(tmp_path / "run", [0, 1, 2], [0, 1, 2])
    assert vote_scores(run) is None
    assert write_results(run, plots=False).document["votes"] == {"sentences": []}


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("votes", "angry four", "'votes' of clip0 is 'angry four'; write angry 4, sad 1"),
        ("votes_angry", "0.5", "'votes_angry' of clip0 is '0.5'; write a whole number"),
    ],
)
def test_what_is_no_count_is_one_line(tmp_path, column, cell, said):
    run = run_of(tmp_path / "run", [0, 1], [0, 1], groups={column: [cell, "1"]})
    with pytest.raises(LabelError, match=said):
        vote_scores(run)


def test_a_column_of_something_else_costs_nobody_the_scores(tmp_path):
    run = run_of(tmp_path / "run", [0, 1], [0, 1], groups={"votes": ["12", "7"]})
    votes = write_results(run, plots=False).document["votes"]
    assert votes["sentences"] == [
        "Votes are in no score: 'votes' of clip0 is '12'; write angry 4, sad 1."
    ]


def test_votes_are_known_by_their_names():
    assert [is_votes(name) for name in ("votes", "votes_angry", "voice_vote")] == [
        True,
        True,
        False,
    ]


def test_whole_numbers_may_be_written_as_pandas_writes_them(tmp_path):
    groups = {"votes_angry": ["4.0", None], "votes_sad": ["1.", "2"]}
    run = run_of(tmp_path / "run", [0, 2], [0, 2], labels=LABELS, groups=groups)
    assert ballot_of(run).counts.tolist() == [[4, 0, 1], [0, 0, 2]]
    half = run_of(tmp_path / "half", [0], [0], labels=LABELS, groups={"votes_sad": ["1.5"]})
    with pytest.raises(LabelError, match=r"'votes_sad' of .* is '1.5'; write a whole number"):
        ballot_of(half)


def test_the_alpha_of_one_answer_is_not_defined_and_not_said_to_be(tmp_path):
    """Where all listeners say the same of everything, agreement by chance is whole too."""
    run = run_of(tmp_path, [0, 0], [0, 0], groups={"votes": ["angry 2", "angry 3"]})
    said = " ".join(vote_sentences(vote_scores(run)))
    assert "Krippendorff's alpha of the listeners n/a)" in said
