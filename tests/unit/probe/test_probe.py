"""Probes of tiny encoders on tiny sets: features, folds, heads, runs and the file that is saved."""

import csv
import json
import pickle

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from build import classifier, labels_metadata, speech_set, write_manifest
from serval import distributed
from serval.audio import peak_normalized
from serval.datasets import load_dataset
from serval.distributed import Worker
from serval.errors import ConfigError, DatasetError, ModelError, RunError
from serval.evaluation import evaluate_named
from serval.labels import LabelSet
from serval.options import EvalOptions
from serval.probe import ProbeOptions, features, probe
from serval.probe.encoder import open_encoder
from serval.probe.features import FeatureStore, feature_rows
from serval.probe.folds import FoldClips, clips_tested, folds_as_asked, shared_by
from serval.probe.heads import KINDS, Trainer
from serval.probe.layers import wanted_levels
from serval.probe.options import refuse_unknown
from serval.probe.plan import planned, wanted_folds
from serval.report.card import card_text
from serval.run import load_run
from serval.wording import hundredths

LABELS = ("angry", "happy", "sad")
pytestmark = pytest.mark.xdist_group("probe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A set of 45 clips by 5 speakers, two encoders, and a probe with shared speakers beside."""
    folder = tmp_path_factory.mktemp("probe")
    classifier(folder / "encoder.onnx", k=8, metadata=labels_metadata(license="MIT"))
    speech_set(folder, 45, labels=LABELS, speakers=5, seconds=0.3)
    return folder


@pytest.fixture(scope="module")
def probed(folder):
    return probe(options(folder, shared_speakers=True, save=str(folder / "head.onnx")))


def options(folder, **more):
    usual = {"layer": "energy", "folds": "speaker:3", "output": str(folder / "probes")}
    return ProbeOptions(
        **{"model": str(folder / "encoder.onnx"), "dataset": str(folder / "set.csv")} | usual | more
    )


def test_more_failed_clips_than_allowed_end_with_exit_code_3(folder, tmp_path, serval):
    speech_set(tmp_path, 12, labels=LABELS, speakers=4, seconds=0.2)
    next(tmp_path.glob("**/*.wav")).write_bytes(b"")
    encoder, folds = folder / "encoder.onnx", ("--folds", "speaker:2", "--layer", "energy")
    command = ["probe", "-m", encoder, "-d", tmp_path / "set.csv", *folds, "-o", tmp_path, "-q"]
    done = serval(*command)
    assert done.returncode == 3
    assert "1 of 12 clips failed, more than --max-failures 0.01 allows; first: " in done.stderr
    assert serval(*command, "--max-failures", "0.1").returncode == 0
    odd = serval(*command, "--max-failures", "2")
    assert (odd.returncode, "--max-failures is 2.0; give a share" in odd.stderr) == (2, True)


def test_a_set_without_folds_is_told_how_to_get_some(folder, tmp_path):
    given = options(folder, folds="published", output=str(tmp_path / "p"))
    with pytest.raises(DatasetError, match=r"set\.csv has no folds of its own.*--folds speaker:5"):
        probe(given)


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"head": "ridge", "class_weight": "none"}, "--class-weight"),
        ({"head": "knn", "class_weight": "none"}, "--class-weight"),
        ({"head": "ridge", "model_scale": "0..1"}, "--model-scale"),
        ({"window": 3.0}, "--window"),
        ({"hop": 1.0, "provider": "xnnpack"}, "--provider and --hop"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(given, flag):
    with pytest.raises(ConfigError, match=f"{flag} would change nothing"):
        refuse_unknown(ProbeOptions(**given))


def features_of(folder, asked="energy", pooling="mean+std"):
    """The features of the set in order, from the store that the probe has filled."""
    encoder = open_encoder(str(folder / "encoder.onnx"), EvalOptions(), asked, pooling)
    clips = load_dataset(str(folder / "set.csv")).clips(0, None)
    place = folder / "probes" / "features" / encoder.key
    with FeatureStore(folder=place, width=len(encoder.model.labels)) as store:
        rows = list(feature_rows(store, encoder.model, clips, 1))
        return np.array(store.features()[rows])


def probed_key(folder):
    return open_encoder(str(folder / "encoder.onnx"), EvalOptions(), "energy", "mean+std").key


def rows_of(folder):
    with (folder / "set.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def independent(features, labels, speakers, folds):
    """Fifteen lines of scikit-learn: logits of each clip by a head of the other folds."""
    logits = np.zeros((len(labels), len(set(labels))))
    for fold in sorted(set(folds)):
        train, test = folds != fold, folds == fold
        x, y, who = features[train].astype(float), labels[train], speakers[train]
        scores = []
        for c in KINDS["logistic"].strengths:
            found = []
            for a, b in GroupKFold(3).split(x, groups=who):
                scaler = StandardScaler().fit(x[a])
                head = LogisticRegression(C=c, max_iter=2000, class_weight="balanced")
                head.fit(scaler.transform(x[a]), y[a])
                found.append(balanced_accuracy_score(y[b], head.predict(scaler.transform(x[b]))))
            scores.append(np.mean(found))
        c, scaler = KINDS["logistic"].strengths[int(np.argmax(scores))], StandardScaler().fit(x)
        head = LogisticRegression(C=c, max_iter=2000, class_weight="balanced")
        head.fit(scaler.transform(x), y)
        logits[test] = head.decision_function(scaler.transform(features[test]))
    return logits


@pytest.mark.parametrize("part", ["", "-shared"])
def test_predictions_are_those_of_an_independent_cross_validation(folder, probed, part):
    run = load_run(folder / "probes" / f"layer-energy{part}")
    assert run.complete
    assert list(run.index) == list(range(45))
    expected = independent(
        features_of(folder), run.truth, np.array(run.speakers), np.array(run.groups["fold"])
    )
    np.testing.assert_allclose(run.logits, expected, atol=1e-4)
    assert (run.predicted == expected.argmax(axis=1)).all()


@pytest.mark.parametrize("k", [2, 3])
def test_a_head_on_more_features_than_clips_is_the_one_of_scikit_learn(k):
    rng = np.random.default_rng(k)
    x, y = rng.normal(size=(40, 90)).astype(np.float32), np.arange(40) % k
    x[:, :4] += y[:, np.newaxis]
    trainer = Trainer(kind="logistic", labels=LabelSet("abc"[:k]))
    fitted, strength = trainer.fit(x, y, [str(i % 5) for i in range(40)])
    scaler = StandardScaler().fit(x.astype(float))
    head = LogisticRegression(C=strength, max_iter=5000, tol=1e-7, class_weight="balanced")
    expected = head.fit(scaler.transform(x), y).decision_function(scaler.transform(x))
    found = fitted.logits(x) if k > 2 else fitted.logits(x)[:, 1]
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=5e-3)  # of the solvers


def test_only_the_shared_folds_share_speakers(folder, probed):
    for part, crossing in (("", 0), ("-shared", 5)):
        run = load_run(folder / "probes" / f"layer-energy{part}")
        pairs = set(zip(run.speakers, run.groups["fold"], strict=True))
        assert sum(sum(who == own for who, _ in pairs) > 1 for own in set(run.speakers)) == crossing
    caveats = load_run(folder / "probes" / "layer-energy-shared").provenance.dataset["caveats"]
    assert "share speakers" in caveats[-1]


def test_scores_by_fold_and_the_leak_are_those_of_the_runs(folder, probed):
    (layer,) = probed.layers
    run = load_run(layer.apart.folder)
    of = np.array(run.groups["fold"])
    expected = [
        balanced_accuracy_score(run.truth[of == fold], run.predicted[of == fold])
        for fold in layer.apart.by_fold.folds
    ]
    assert list(layer.apart.by_fold.folds.values()) == pytest.approx(expected)
    assert layer.apart.by_fold.mean == pytest.approx(np.mean(expected))
    assert layer.apart.by_fold.deviation == pytest.approx(np.std(expected, ddof=1))
    assert layer.leak.value == pytest.approx(layer.shared.score.value - layer.apart.score.value)
    assert layer.leak.low < layer.leak.value < layer.leak.high
    document = json.loads((folder / "probes" / "probe.json").read_text(encoding="utf-8"))
    assert document["layers"][0]["apart"]["score"]["value"] == layer.apart.score.value


def test_the_saved_file_says_what_scikit_learn_says(folder, probed, tmp_path):
    done = evaluate_named(
        EvalOptions(
            model=str(folder / "head.onnx"),
            dataset=str(folder / "set.csv"),
            output=str(tmp_path / "run"),
            plots=False,
        )
    )
    features, run = features_of(folder).astype(float), done.run
    said = {e.key: e.value for e in onnx.load(folder / "head.onnx").metadata_props}
    strength = float(said["head"].split("C = ")[1].split(",")[0])
    scaler = StandardScaler().fit(features)
    head = LogisticRegression(C=strength, max_iter=2000, class_weight="balanced")
    head.fit(scaler.transform(features), run.truth)
    expected = head.decision_function(scaler.transform(features))
    np.testing.assert_allclose(run.logits, expected, atol=1e-4)
    assert list(run.labels) == list(LABELS)
    assert all("the model was trained on it" in notes for notes in run.notes)
    card, (layer,) = card_text(run), probed.layers
    score = hundredths(layer.apart.score.value)
    assert f"UAR {score} % on speakers that the head never heard" in card.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    for line in (
        f"- Encoder: encoder, {said['encoder_sha256'][:16]}",
        "- Licence of the encoder: MIT",
        "- Layer: energy (energy)",
        "- Pooling over time: mean+std",
        f"- Head: logistic, C = {strength:g}, class weights balanced",
        f"- Trained on: set.csv, 45 clips, {said['data_fingerprint'][:16]}",
        "- Folds: speaker:3, 3 folds, speakers apart",
    ):
        assert line in card


def test_the_saved_file_says_what_it_was_made_of(folder, probed):
    said = {e.key: e.value for e in onnx.load(folder / "head.onnx").metadata_props}
    assert json.loads(said["labels"]) == list(LABELS)
    assert said["sampling_rate"] == "16000"
    assert not {"normalize", "max_seconds"} & said.keys()  # nobody stated them of the encoder
    assert said["license"] == "MIT"
    assert said["layer"] == "energy (energy)"
    assert said["pooling"] == "mean+std"
    assert len(said["encoder_sha256"]) == len(said["data_fingerprint"]) == 64
    score = json.loads(said["cross_validated"])["uar"][0]
    assert score == probed.layers[0].apart.score.value
    assert said["folds"] == "speaker:3, 3 folds, speakers apart"


def test_features_of_known_clips_are_not_computed_again(folder, probed, tmp_path):
    encoder = open_encoder(str(folder / "encoder.onnx"), EvalOptions(), "energy", "mean+std")

    def rows(n, model):
        clips = load_dataset(str(folder / "set.csv")).clips(0, n)
        with FeatureStore(folder=tmp_path / "store", width=24) as store:
            found = list(feature_rows(store, model, clips, 1))
            return found, np.array(store.features())

    _, before = rows(5, encoder.model)
    with (tmp_path / "store" / "features.f32").open("ab") as file:
        file.write(b"what a kill left")
    with (tmp_path / "store" / "clips.jsonl").open("ab") as file:
        file.write(b'{"sha256": "12')
    found, after = rows(5, None)  # no model is asked
    assert found == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(before, after)
    found, after = rows(7, encoder.model)
    assert found == list(range(7))
    np.testing.assert_array_equal(after[:5], before)
    np.testing.assert_allclose(after, features_of(folder)[:7], atol=1e-6)
    facts = tmp_path / "store" / "clips.jsonl"
    first, _, *rest = facts.read_bytes().splitlines(keepends=True)
    facts.write_bytes(b"".join([first, b'{"sha256": "00", \n', *rest]))
    found, again = rows(7, encoder.model)  # from the damaged line on
    assert found == list(range(7))
    np.testing.assert_allclose(again, after, atol=1e-6)


def test_what_a_worker_of_a_cluster_computes_is_what_is_computed_here(
    folder, probed, tmp_path, monkeypatch
):
    sent = []

    def on_one_worker(job, wanted, *, workers, address):
        sent.append(list(wanted))
        yield from Worker(pickle.loads(pickle.dumps(job))).records(sent[-1])

    monkeypatch.setattr(features, "predict_on_ray", on_one_worker)
    monkeypatch.setattr(distributed, "imported_ray", lambda: None)
    clips = FeatureStore(folder=tmp_path / "p" / "features" / probed_key(folder), width=24)
    model = open_encoder(str(folder / "encoder.onnx"), EvalOptions(), "energy", "mean+std").model
    with clips as store:  # what an earlier probe had heard
        list(feature_rows(store, model, load_dataset(str(folder / "set.csv")).clips(0, 4), 1))
    found = probe(options(folder, engine="ray", output=str(tmp_path / "p")))
    assert sent == [list(range(4, 45))]
    one, two = (place / "features" / probed_key(folder) / "features.f32"
                for place in (folder / "probes", tmp_path / "p"))  # fmt: skip
    assert one.read_bytes() == two.read_bytes()
    assert found.layers[0].apart.score == probed.layers[0].apart.score


def test_pooling_is_the_mean_and_deviation_over_time(folder):
    encoder = open_encoder(str(folder / "encoder.onnx"), EvalOptions(), "energy", "mean+std")
    samples = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    found = encoder.model.logits(samples[np.newaxis], np.array([5000]))[0]
    graph = onnx.load(folder / "encoder.onnx").graph
    (kernel,) = (numpy_helper.to_array(t) for t in graph.initializer if t.name == "conv")
    wave = peak_normalized(samples)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::160]
    energy = np.maximum(frames @ kernel[:, 0].T, 0)
    expected = np.concatenate([energy.mean(axis=0), energy.std(axis=0)])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_fold_list_that_shares_speakers_is_refused(folder, tmp_path):
    rows = [{"path": r["path"], "fold": i // 3 % 2} for i, r in enumerate(rows_of(folder))]
    listed = write_manifest(tmp_path / "folds.csv", rows)
    with pytest.raises(ConfigError, match=r"2 of 2 folds share speakers.*s0, s1.*speaker:2"):
        probe(options(folder, folds=str(listed), layer="pooled", output=str(tmp_path / "p")))


def fold_clips(speakers, n=48):
    own = [speakers[i % len(speakers)] for i in range(n)]
    labels = [LABELS[i // 8 % 3] for i in range(n)]
    return FoldClips([f"{i}.wav" for i in range(n)], labels, own, [""] * n, [""] * n)


@pytest.mark.parametrize(("of", "apart"), [(2, True), (1, False)])
def test_folds_with_and_without_shared_speakers_deal_out_the_same_clips(tmp_path, of, apart):
    rows = [{"path": f"{i}.wav", "fold": i // of % 2} for i in range(12)]
    listed = write_manifest(tmp_path / "folds.csv", rows)
    given = ProbeOptions(folds=str(listed), shared_speakers=True)
    clips = fold_clips(["a", "a", "b", "b"])
    folds = wanted_folds(given, clips)
    for own in folds.values():
        assert list(clips_tested(own)) == list(range(12))
        assert [sorted([*f.train, *f.test]) for f in own] == [list(range(12))] * 2
    assert not shared_by(folds["speakers apart"], clips)
    assert bool(shared_by(folds_as_asked(str(listed), clips), clips)) is not apart


def test_folds_of_clips_without_a_speaker_are_refused_and_one_fold_is_not_compared(tmp_path):
    rows = [{"path": f"{i}.wav", "fold": 1, "split": "train" if i % 2 else "test"}
            for i in range(4)]  # fmt: skip
    one = str(write_manifest(tmp_path / "one.csv", rows))
    with pytest.raises(ConfigError, match=r"^2 of 4 clips name no speaker, .*--speaker-column"):
        wanted_folds(ProbeOptions(folds=one), fold_clips(["a", None]))
    with pytest.raises(ConfigError, match=r"^24 of 48 clips name no speaker, .*--speaker-column"):
        wanted_folds(ProbeOptions(folds="speaker:2"), fold_clips(["a", None]))
    with pytest.raises(ConfigError, match=r"1 of 1 folds share speakers.*; use --folds speaker:2$"):
        wanted_folds(ProbeOptions(folds=one), fold_clips(["a", "a", "b", "b"]))
    with pytest.raises(ConfigError, match=r"1 of 1 folds share speakers.*; no folds keep speakers"):
        wanted_folds(ProbeOptions(folds=one), fold_clips(["a"]))
    with pytest.raises(ConfigError, match=r"has one fold, .* give a list of two folds or more"):
        wanted_folds(ProbeOptions(folds=one, shared_speakers=True), fold_clips(["a", "b"]))


@pytest.mark.parametrize(
    ("speakers", "asked", "advice"),
    [
        (["a", "b", "c"], "published", "speaker:3$"),
        (["a", "b", "c"], "speaker:7", "cannot be made of 3 speakers; give 2 to 3$"),
        (["a"], "speaker:2", "of 1 speaker; no folds keep speakers apart without two of them"),
    ],
)
def test_advice_names_no_more_folds_than_there_are_speakers(speakers, asked, advice):
    with pytest.raises(ConfigError, match=advice):
        folds_as_asked(asked, fold_clips(speakers))


def test_a_fold_list_that_keeps_speakers_apart_is_followed(folder, tmp_path):
    rows = [{"path": r["path"], "fold": int(r["speaker"][1]) % 2} for r in rows_of(folder)[:-6]]
    listed = write_manifest(tmp_path / "folds.csv", rows)
    found = probe(options(folder, folds=str(listed), layer="pooled", output=str(tmp_path / "p")))
    run = load_run(found.layers[0].apart.folder)
    assert [int(who[1]) % 2 for who in run.speakers] == list(map(int, run.groups["fold"]))
    assert len(run) == found.clips == 39
    assert "6 clips in no fold" in found.notes[0]


def test_neighbours_and_the_folds_of_a_set(folder, tmp_path):
    rows = [r | {"fold": "ab"[int(r["speaker"][1]) % 2]} for r in rows_of(folder)]
    own = write_manifest(folder / "folded.csv", rows)
    given = options(folder, dataset=str(own), folds="published", head="knn", layer="pooled",
                    output=str(tmp_path / "p"))  # fmt: skip
    found = probe(given).layers[0].apart
    run = load_run(found.folder)
    of = np.array(run.groups["fold"])
    assert set(of) == {"a", "b"}
    np.testing.assert_allclose(run.probs.sum(axis=1), 1, atol=1e-5)
    features = features_of(folder, "pooled").astype(float)
    for fold, n in found.strengths.items():
        scaler = StandardScaler().fit(features[of != fold])
        head = KNeighborsClassifier(int(n)).fit(
            scaler.transform(features[of != fold]), run.truth[of != fold]
        )
        expected = head.predict(scaler.transform(features[of == fold]))
        assert (run.predicted[of == fold] == expected).all()


def test_ridge_gives_values_of_dimensions(folder, tmp_path):
    values = np.random.default_rng(0).uniform(1, 7, (45, 2)).round(2)
    rows = [r | {"arousal": a, "valence": v}
            for r, (a, v) in zip(rows_of(folder), values, strict=True)]  # fmt: skip
    own = write_manifest(folder / "rated.csv", rows)
    saved = tmp_path / "ridge.onnx"
    given = options(folder, dataset=str(own), head="ridge", scale="1..7", save=str(saved),
                    output=str(tmp_path / "p"))  # fmt: skip
    found = probe(given)
    run, features = load_run(found.layers[0].apart.folder), features_of(folder).astype(float)
    of = np.array(run.groups["fold"])
    for fold, alpha in found.layers[0].apart.strengths.items():
        scaler = StandardScaler().fit(features[of != fold])
        head = Ridge(alpha=alpha).fit(scaler.transform(features[of != fold]), values[of != fold])
        expected = head.predict(scaler.transform(features[of == fold]))
        np.testing.assert_allclose(run.logits[of == fold], expected, atol=1e-4)
    assert found.score == "ccc"
    said = {e.key: e.value for e in onnx.load(saved).metadata_props}
    assert (said["task"], said["scale"]) == ("dimensions", "1..7")


def test_the_dimensions_of_a_set_are_those_of_any_of_its_clips(folder, tmp_path):
    rows = [r | {"arousal": i or "", "valence": 3} for i, r in enumerate(rows_of(folder))]
    own = write_manifest(folder / "unrated.csv", rows)
    given = options(folder, dataset=str(own), head="ridge", scale="1..45")
    encoder = open_encoder(given.model, given, given.layer, given.pool)
    assert planned(given, encoder).model.labels == LabelSet(["arousal", "valence"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"folds": "speaker:7"}, ConfigError, "speaker:7 cannot be made of 5 speakers"),
        ({"folds": "published"}, DatasetError, "folds"),
        ({"layer": "mean", "save": "a.txt"}, ConfigError, r"must end in \.onnx"),
        ({"head": "knn", "save": "a.onnx"}, ConfigError, "save logistic or ridge"),
        ({"layer": "3"}, ModelError, "it has: pooled"),
        ({"layer": "wave", "pool": "mean"}, ConfigError, "gives 1 features a clip"),
        ({"head": "svm"}, ConfigError, "known: logistic, ridge, knn"),
        ({"multi_label": True}, ConfigError, "a head for one label a clip"),
        ({"head": "ridge"}, DatasetError, "--dimension-columns"),
        ({"head": "ridge", "layer": "weighted"}, ConfigError, "leave out --head ridge"),
        ({"layer": "weighted"}, ModelError, "no --layer weighted; it has: pooled"),
        ({"ray_address": "here:1"}, ConfigError, "of use with --engine ray only"),
    ],
)
def test_what_cannot_be_probed_is_refused(folder, tmp_path, given, error, message):
    with pytest.raises(error, match=message):
        probe(options(folder, output=str(tmp_path / "p"), **given))


@pytest.mark.parametrize("normed_behind", [False, True])
def test_the_levels_of_a_transformer_are_what_its_attentions_are_added_to(normed_behind):
    assert levels_of(blocks(3, normed_behind=normed_behind)) == (
        ["x", "n1", "n3", "n5"] if normed_behind else ["x", "add1", "add3", "add5"]
    )


def levels_of(nodes):
    head = [helper.make_node("ReduceMean", ["end"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "w"], ["logits"])]  # fmt: skip
    output = helper.make_tensor_value_info("logits", 1, ["b", 2])
    graph = helper.make_graph([*nodes, *head], "g", [], [output])
    found = wanted_levels(graph, "input", "all")
    assert (found[-1].name, found[-1].tensor) == ("pooled", "mean")
    assert wanted_levels(graph, "input", "last") == (found[-2],)
    return [one.tensor for one in found[:-1]]


def blocks(n, *, normed_behind):
    """Attention and feed-forward, each added; a layer norm in front of each or behind each."""
    nodes = [
        helper.make_node("Add", ["input", "positions"], ["x"]),
        helper.make_node("Shape", ["x"], ["shape"]),
    ]
    at = "x"
    for i in range(2 * n):
        kind = "Softmax" if i % 2 == 0 else "Erf"
        start = at
        if not normed_behind:
            nodes.append(helper.make_node("LayerNormalization", [at, "g"], [f"n{i}"]))
            start = f"n{i}"
        nodes += [
            helper.make_node(kind, [start], [f"a{i}"]),
            helper.make_node("Mul", [f"a{i}", start], [f"m{i}"]),
            helper.make_node("Reshape", [f"m{i}", "shape"], [f"r{i}"]),
            helper.make_node("Add", [f"r{i}", at], [f"add{i}"]),
        ]
        at = f"add{i}"
        if normed_behind:
            nodes.append(helper.make_node("LayerNormalization", [at, "g"], [f"n{i}"]))
            at = f"n{i}"
    return [*nodes, helper.make_node("Identity", [at], ["end"])]


def test_another_probe_in_the_same_folder_is_refused_before_a_clip_is_heard(folder, probed):
    with pytest.raises(RunError, match="holds another run: probe was"):
        probe(options(folder, pool="mean"), watch=lambda _step: pytest.fail("a clip was heard"))


def test_the_same_probe_again_is_only_read(folder, probed, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", lambda *_: pytest.fail("a head was trained"))
    assert probe(options(folder, shared_speakers=True)).layers == probed.layers
