import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax
from scipy.stats import entropy
from statsmodels.stats.contingency_tables import mcnemar

from runs import noisy, run_of
from serval.comparison import PairOptions, compare, sentences, write_comparison
from serval.comparison.compare import comparison_document
from serval.comparison.flips import jensen_shannon, kullback_leibler, total_variation
from serval.comparison.words import pair_verdict
from serval.errors import ConfigError, LabelError
from serval.run import columns, load_run
from serval.scores import clusters
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.metrics import confusion_matrix, uar

N = 600
TRUTH = np.random.default_rng(0).integers(0, 3, N)
SPEAKERS = [f"s{i // 20}" for i in range(N)]
GENDER = {"gender": ["FM"[(i // 20) % 2] for i in range(N)]}


def changed(predicted, share, rng):
    """The same answers, but for a share of the clips where they are drawn anew."""
    other = rng.integers(0, 3, len(predicted))
    return np.where(rng.random(len(predicted)) < share, other, predicted)


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(1)
    first = noisy(TRUTH, 0.8, rng)
    return {"a": first, "near": changed(first, 0.01, rng), "far": changed(first, 0.6, rng)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: run_of(folder / name, TRUTH, predicted, speakers=SPEAKERS, groups=GENDER)
        for name, predicted in answers.items()
    }


def test_a_small_change_is_not_worse_and_a_large_one_is(runs):
    comparison = compare([runs["a"], runs["near"], runs["far"]], PairOptions(margin=0.02))
    near, far = (against.scores.overall for against in comparison.against)
    assert near["wa"].verdict == near["uar"].verdict == "not worse"
    assert far["wa"].verdict == far["uar"].verdict == far["macro_f1"].verdict == "worse"


def test_a_small_set_cannot_tell(tmp_path):
    truth = TRUTH[:60]
    broken, fixed = truth.copy(), truth.copy()
    fixed[:3], broken[3:6] = (truth[:3] + 1) % 3, (truth[3:6] + 1) % 3
    comparison = compare(
        [run_of(tmp_path / "a", truth, fixed), run_of(tmp_path / "b", truth, broken)]
    )
    change = comparison.against[0].scores.overall["wa"]
    assert change.verdict == "cannot tell"
    assert change.difference.detectable > 0.01
    assert "cannot tell: the difference may lie" in sentences(comparison, comparison.against[0])[0]


def test_differences_are_those_of_the_scores(runs, answers):
    change = compare([runs["a"], runs["far"]]).against[0].scores.overall["uar"]
    a, b = (uar(confusion_matrix(TRUTH, answers[n], runs["a"].labels)) for n in ("a", "far"))
    assert (change.a, change.b) == (pytest.approx(a), pytest.approx(b))
    assert change.difference.value == pytest.approx(b - a)
    assert change.difference.low < b - a < change.difference.high


def test_mcnemar_is_that_of_statsmodels(runs, answers):
    test = compare([runs["a"], runs["far"]]).against[0].scores.mcnemar
    right_a, right_b = answers["a"] == TRUTH, answers["far"] == TRUTH
    table = [[0, (right_a & ~right_b).sum()], [(right_b & ~right_a).sum(), 0]]
    assert (test.only_a, test.only_b) == (table[0][1], table[1][0])
    assert test.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert 0 < test.smallest_significant < 0.2


def test_flips_say_what_became_of_each_clip(runs, answers):
    flips = compare([runs["a"], runs["far"]]).against[0].flips
    assert len(flips) == (answers["a"] != answers["far"]).sum()
    kinds = {flip.kind for flip in flips}
    assert kinds == {"broken", "fixed", "other"}
    for flip in flips:
        assert flip.a != flip.b
        assert (flip.kind == "broken") == (flip.a == flip.truth)
        assert (flip.kind == "fixed") == (flip.b == flip.truth)
        assert flip.confidence_a > flip.b_in_a
    assert [f.confidence_a for f in flips] == sorted((f.confidence_a for f in flips), reverse=True)


def test_broken_and_fixed_clips_are_counted_per_class_and_group(runs):
    against = compare([runs["a"], runs["far"]]).against[0]
    test = against.scores.mcnemar
    assert sum(row.broken for row in against.scores.per_class.values()) == test.only_a
    assert sum(row.support for row in against.scores.per_class.values()) == N
    for column, names in (("speaker", 30), ("gender", 2)):
        groups = [group for group in against.groups if group.column == column]
        assert len(groups) == names
        assert sum(group.fixed for group in groups) == test.only_b
        assert sum(group.n for group in groups) == N
        for group in groups:
            assert group.difference.value == pytest.approx(group.b - group.a)


def test_identical_runs_do_not_differ(tmp_path, answers):
    a, b = (run_of(tmp_path / n, TRUTH, answers["a"], speakers=SPEAKERS) for n in "ab")
    against = compare([a, b]).against[0]
    assert against.flips == ()
    assert against.scores.agreement.value == 1.0
    assert against.scores.mcnemar.p == 1.0
    assert math.isnan(against.scores.mcnemar.smallest_significant)
    assert against.scores.overall["wa"].difference.value == 0.0
    assert against.scores.overall["wa"].verdict == "not worse"
    assert against.divergence.kl.value == pytest.approx(0.0, abs=1e-9)
    assert "Both give every clip the same probabilities" in pair_verdict(compare([a, b]), against)


def test_one_clip_is_no_clips(tmp_path):
    found = compare([run_of(tmp_path / n, [0], [0]) for n in "ab"])
    assert "of 1 clip is right, " in pair_verdict(found, found.against[0])
    said = " ".join(sentences(found, found.against[0]))
    assert "Same label on 100.00 % of the clips; " in said, "of one clip there is no interval"


def test_divergences_equal_scipys():
    rng = np.random.default_rng(3)
    a, b = (log_softmax(rng.normal(0, 2, (50, 5)), axis=1) for _ in range(2))
    p, q = np.exp(a), np.exp(b)
    np.testing.assert_allclose(kullback_leibler(a, b), entropy(p, q, axis=1), atol=1e-12)
    np.testing.assert_allclose(jensen_shannon(a, b), jensenshannon(p, q, axis=1) ** 2, atol=1e-12)
    np.testing.assert_allclose(total_variation(a, b), np.abs(p - q).sum(axis=1) / 2)


def test_clips_are_matched_by_id_and_the_others_listed(tmp_path):
    a = run_of(tmp_path / "a", [0, 1, 2, 0], [0, 1, 2, 0], ids=["w", "x", "y", "z"])
    b = run_of(tmp_path / "b", [2, 1, 0], [2, 0, 0], ids=["y", "x", "new"],
               shas={0: "0002", 1: "0001"}, failures=1)  # fmt: skip
    comparison = compare([a, b])
    assert comparison.n == 2
    assert comparison.only_in == {"a": ("w", "z"), "b": ("new",)}
    assert [flip.clip_id for flip in comparison.against[0].flips] == ["x"]
    assert not any("other audio" in line for line in comparison.warnings)


def test_labels_in_another_order_are_put_in_order(tmp_path):
    a = run_of(tmp_path / "a", [0, 1, 2], [0, 1, 1])
    b = run_of(tmp_path / "b", [2, 1, 0], [2, 1, 1], labels=("sad", "happy", "angry"))
    against = compare([a, b]).against[0]
    assert against.flips == ()
    assert against.divergence.tv.value == pytest.approx(0.0, abs=1e-9)


def test_what_cannot_be_compared_is_refused(tmp_path):
    a = run_of(tmp_path / "a", [0, 1], [0, 1])
    with pytest.raises(ConfigError, match="at least 2 runs, got 1"):
        compare([a])
    with pytest.raises(ConfigError, match="margin of 0 points"):
        compare([a, a], PairOptions(margin=0.0))
    other = run_of(tmp_path / "b", [0, 1], [0, 1], labels=("angry", "happy", "calm"))
    with pytest.raises(LabelError, match=r"different labels \(calm, sad in one only\)"):
        compare([a, other])
    shas = {0: "p", 1: "q"}
    elsewhere = run_of(tmp_path / "c", [0, 1], [0, 1], ids=["p", "q"], shas=shas)
    with pytest.raises(ConfigError, match=r"no clip in common.*such as 'p'"):
        compare([a, elsewhere])
    empty = run_of(tmp_path / "d", [], [])
    with pytest.raises(ConfigError, match="d has no clips"):
        compare([a, empty])
    relabelled = run_of(tmp_path / "e", [0, 2], [0, 1])
    with pytest.raises(LabelError, match=r"truth of clip 'clip1' is happy in .* and sad in"):
        compare([a, relabelled])


def test_it_warns_of_unfinished_runs_and_of_other_audio(tmp_path):
    a = run_of(tmp_path / "a", [0, 1], [0, 1])
    b = run_of(tmp_path / "b", [0, 1], [0, 1], end=False, shas={0: "other"})
    warnings = compare([a, b]).warnings
    assert any("b is not finished: 2 clips" in line for line in warnings)
    assert any(line.startswith("1 clip has the same id but other audio") for line in warnings)


def test_runs_of_one_name_are_told_apart(tmp_path):
    facts = {"name": "model"}
    a = run_of(tmp_path / "x" / "run", [0, 1], [0, 1], model=facts)
    b = run_of(tmp_path / "y" / "run", [0, 1], [0, 1], model=facts)
    assert list(compare([a, b]).runs) == [str(tmp_path / "x" / "run"), str(tmp_path / "y" / "run")]
    assert list(compare([a, a]).runs) == [f"{a.folder} #1", f"{a.folder} #2"]


def test_runs_are_ranked_once_their_number_is_paid_for(runs):
    comparison = compare([runs["a"], runs["near"], runs["far"]])
    by_accuracy = {r.name: (r.best, r.worst) for r in comparison.ranks if r.score == "wa"}
    assert by_accuracy == {"a": (1, 2), "near": (1, 2), "far": (3, 3)}
    assert len(comparison.tests) == 9
    for test in comparison.tests:
        assert test.p <= test.p_corrected <= 1
        assert test.mcnemar_p <= test.mcnemar_p_corrected <= 1


def test_same_seed_same_comparison(runs):
    pair = [runs["a"], runs["far"]]
    assert compare(pair) == compare(pair)
    assert compare(pair) != compare(pair, PairOptions(seed=1))


def test_logits_that_are_not_numbers_leave_the_rest(tmp_path):
    a = run_of(tmp_path / "a", [0, 0], logits=[[2.0, 0, 0], [1.0, 0, 0]])
    a = replace(a, logits=np.float32([[2.0, 0, 0], [np.nan, 0, 0]]))
    b = run_of(tmp_path / "b", [0, 0], logits=[[1.0, 0, 0], [1.0, 0, 0]])
    assert compare([a, b]).against[0].divergence.tv.value > 0
    nothing = replace(b, folder=tmp_path / "c", logits=np.full((2, 3), np.nan, np.float32))
    assert math.isnan(compare([a, nothing]).against[0].divergence.kl.value)


def test_sentences_for_every_verdict(runs):
    comparison = compare([runs["a"], runs["near"], runs["far"]], PairOptions(margin=0.02))
    near, far = (sentences(comparison, against) for against in comparison.against)
    assert "a loss of more than 2 points is ruled out" in near[0]
    assert far[0] == "accuracy (WA): worse."
    assert any("detectable effect at 80 % power" in line for line in near)
    assert any("Exact McNemar" in line for line in near)
    back = compare([runs["far"], runs["a"]], PairOptions(margin=0.3))
    assert sentences(back, back.against[0])[0].endswith("; it is better.")
    wide = compare([runs["a"], runs["far"]], PairOptions(margin=0.40))
    assert wide.against[0].scores.overall["wa"].verdict in {"not worse", "worse"}
    lenient = compare([runs["a"], runs["far"]], PairOptions(margin=0.9))
    assert sentences(lenient, lenient.against[0])[0].endswith("ruled out; it is worse by less.")


def test_files_hold_the_comparison(runs, tmp_path):
    comparison = compare([runs["a"], runs["near"], runs["far"]], PairOptions(margin=0.02))
    files = write_comparison(comparison, tmp_path / "out")
    content = json.loads(files["comparison"].read_text(encoding="utf-8"))
    assert content["n"] == N
    assert content["schema_version"] == 1
    assert content["against"][0]["scores"]["overall"]["wa"]["verdict"] == "not worse"
    assert len(content["against"][1]["sentences"]) == 6
    assert content == comparison_document(comparison)
    with files["flips"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(against.flips) for against in comparison.against)
    assert {row["run"] for row in rows} == {"near", "far"}
    assert files["picture"].read_bytes().startswith(b"\x89PNG")


def test_cells_that_a_spreadsheet_would_run_are_made_harmless(tmp_path):
    a = run_of(tmp_path / "a", [0, 1], [0, 1], ids=["=A1", "b"])
    b = run_of(tmp_path / "b", [0, 1], [1, 1], ids=["=A1", "b"])
    files = write_comparison(compare([a, b]), tmp_path / "out")
    assert "'=A1" in files["flips"].read_text(encoding="utf-8")


def test_same_runs_same_bytes(runs, tmp_path):
    comparison = compare([runs["a"], runs["far"]])
    first, second = (write_comparison(comparison, tmp_path / name) for name in ("x", "y"))
    for kind, path in first.items():
        assert path.read_bytes() == second[kind].read_bytes()


def test_a_set_that_can_show_nothing_says_so(tmp_path):
    runs = [
        run_of(tmp_path / name, [0, 1], [0, answer]) for name, answer in {"a": 1, "b": 0}.items()
    ]
    comparison = compare(runs)
    text = " ".join(sentences(comparison, comparison.against[0]))
    assert "This set can show no difference at all: 2 clips are too few." in text
    assert "nan" not in text


def test_runs_that_are_called_alike_go_by_their_folders_and_named_ones_by_their_names(tmp_path):
    made = [
        run_of(tmp_path / folder, TRUTH[:60], TRUTH[:60], model={"name": "tiny"})
        for folder in ("a", "b", "c")
    ]
    facts = made[2].provenance
    smooth = replace(made[2], provenance=replace(facts, options={"name": "int8 smooth"}))
    assert list(compare([made[0], made[1], smooth]).runs) == ["a", "b", "int8 smooth"]


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks where a run of a million clips has several."""
    monkeypatch.setattr(columns, "AT_ONCE", 300)
    monkeypatch.setattr(clusters, "ROWS", 128)


def test_runs_read_for_a_comparison_say_the_same_with_what_they_share(runs, small_blocks):
    whole = comparison_document(compare(list(runs.values())))
    read = []
    for run in runs.values():
        read.append(load_run(run.folder, beside=read))
    first, *others = read
    assert comparison_document(compare(read)) == whole
    for run in others:
        assert run.clip_ids is first.clip_ids
        assert run.audio_sha256 is first.audio_sha256
        assert run.groups["gender"] is first.groups["gender"]
        assert np.shares_memory(run.truth, first.truth)
        assert not np.shares_memory(run.predicted, first.predicted)
    assert not any(len(run.probs) or len(run.notes) or len(run.inference_s) for run in read)


def test_runs_of_other_clips_in_another_order_say_the_same_read_for_a_comparison(tmp_path, answers):
    order = np.random.default_rng(3).permutation(N)[: N - 50]
    ids = [f"clip{i}" for i in order]
    first = run_of(tmp_path / "a", TRUTH, answers["a"], speakers=SPEAKERS, groups=GENDER)
    other = run_of(
        tmp_path / "b",
        TRUTH[order],
        answers["far"][order],
        ids=ids,
        speakers=[SPEAKERS[i] for i in order],
        shas={place: f"{i:04x}" for place, i in enumerate(order)},
    )
    whole = comparison_document(compare([first, other]))
    read = [load_run(first.folder, beside=[])]
    read.append(load_run(other.folder, beside=read))
    assert comparison_document(compare(read)) == whole
    assert whole["n"] == N - 50
    assert len(whole["only_in"]["a"]) == 50


def test_the_kinds_of_clips_are_counted_over_all_blocks(small_blocks):
    cells = np.random.default_rng(0).integers(0, 3, (1000, 2))
    kinds, times = np.unique(cells, axis=0, return_counts=True)
    tables = cluster_tables(cells, 3, clustering_of([None] * 1000))
    expected = [[(kind == cell).sum() for cell in range(3)] for kind in kinds]
    assert tables.tables.toarray().tolist() == expected
    assert tables.times.tolist() == times.tolist()


def test_scores_of_a_sigmoid_are_no_shares_of_one(tmp_path):
    sigmoid = {"model": {"contract": {"outputs": "sigmoid"}}}
    a = run_of(tmp_path / "a", [0, 1], logits=[[2.0, 1.0, -9.0], [1.0, 3.0, -9.0]], **sigmoid)
    b = run_of(tmp_path / "b", [0, 1], logits=[[0.0, 1.0, -9.0], [1.0, 3.0, -9.0]], **sigmoid)
    (against,) = compare([a, b]).against
    (flip,) = against.flips
    assert flip.confidence_a == pytest.approx(1 / (1 + math.exp(-2)))
    for found in (against.divergence.kl, against.divergence.js, against.divergence.tv):
        assert found.value > 0
    (same,) = compare([a, a]).against
    assert same.divergence.kl.value == pytest.approx(0.0, abs=1e-9)
