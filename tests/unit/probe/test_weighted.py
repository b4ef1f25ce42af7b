"""A weighted sum of levels against plain searches, and a whole probe of it."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from build import encoder, labels_metadata, speech_set
from serval.datasets import load_dataset
from serval.evaluation import evaluate_named
from serval.labels import LabelSet
from serval.options import EvalOptions
from serval.probe import ProbeOptions, probe
from serval.probe import encoder as probe_encoder
from serval.probe.encoder import open_encoder
from serval.probe.features import FeatureStore, feature_rows
from serval.probe.heads import Trainer, weighted_sum
from serval.run import load_run

LABELS = ("angry", "happy", "sad")


def plain_loss(point, x, y, c, k):
    """The formula of the docs, clip by clip."""
    n_levels, width = x.shape[1:]
    a, w = point[:n_levels], point[n_levels:-k].reshape(width, k)
    shares, b = np.exp(a) / np.exp(a).sum(), point[-k:]
    loss = (w**2).sum() / 2
    for clip, label in zip(x, y, strict=True):
        scores = sum(shares[i] * clip[i] for i in range(n_levels)) @ w + b
        weight = len(y) / (k * (y == label).sum())
        loss += c * weight * (np.log(np.exp(scores).sum()) - scores[label])
    return loss


def test_shares_and_head_are_those_of_a_plain_search():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3, 2)), np.arange(24) % 3
    x[:, 1] += y[:, np.newaxis]  # the level that knows something
    found = weighted_sum(x, y, 0.3, k=3, balanced=True)
    start = np.zeros(3 + 2 * 3 + 3)
    plain = minimize(plain_loss, start, args=(x, y, 0.3, 3), options={"gtol": 1e-6})
    shares = np.exp(plain.x[:3]) / np.exp(plain.x[:3]).sum()
    np.testing.assert_allclose(found.shares, shares, atol=1e-3)
    np.testing.assert_allclose(found.weight.ravel(), plain.x[3:-3], atol=2e-3)
    assert found.shares.argmax() == 1
    assert found.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("balanced", [True, False])
def test_of_equal_levels_it_is_the_head_of_scikit_learn(k, balanced):
    rng = np.random.default_rng(k)
    x, y = rng.normal(size=(40, 4)), np.minimum(np.arange(40) % 4, k - 1)
    x[:, 0] += y
    found = weighted_sum(np.stack([x, x], axis=1), y, 0.1, k=k, balanced=balanced)
    np.testing.assert_allclose(found.shares, 0.5)
    head = LogisticRegression(C=0.1, tol=1e-8, class_weight="balanced" if balanced else None)
    scores = x @ found.weight + found.bias
    expected = head.fit(x, y).predict_log_proba(x)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(logs, expected, atol=1e-4)


def test_a_label_that_a_train_part_has_not_is_never_said():
    x, y = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32), np.arange(12) % 2 * 2
    trainer = Trainer(kind="logistic", labels=LabelSet("abc"), levels=2)
    head, _ = trainer.fit(x, y, [str(i % 3) for i in range(12)])
    assert (head.logits(x)[:, 1] == -30).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weighted")
    encoder(folder / "encoder.onnx", metadata=labels_metadata())
    speech_set(folder, 24, labels=LABELS, speakers=4, seconds=0.3)
    return folder


def options(folder, **more):
    usual = {"model": str(folder / "encoder.onnx"), "dataset": str(folder / "set.csv"),
             "layer": "weighted", "folds": "speaker:2", "workers": 1}  # fmt: skip
    return ProbeOptions(**usual | {"output": str(folder / "probes")} | more)


@pytest.fixture(scope="module")
def probed(folder):
    return probe(options(folder, save=str(folder / "head.onnx"), cost=True))


def features_of(folder):
    """`(N, L, F)` of the set in order, from the store that the probe has filled."""
    own = open_encoder(str(folder / "encoder.onnx"), EvalOptions(), "weighted", "mean+std")
    clips = load_dataset(str(folder / "set.csv")).clips(0, None)
    place = folder / "probes" / "features" / own.key
    with FeatureStore(folder=place, width=len(own.model.labels)) as store:
        rows = list(feature_rows(store, own.model, clips, 1))
        return np.array(store.features()[rows], dtype=float).reshape(24, 2, -1)


def summed(features, train, shares):
    """Standardised on the train part, and summed with these weights."""
    flat = features.reshape(len(features), -1)
    scaled = StandardScaler().fit(flat[train]).transform(flat).reshape(features.shape)
    return np.einsum("l,nlf->nf", shares, scaled)


def test_given_its_weights_the_head_is_the_one_of_scikit_learn(folder, probed):
    (layer,) = probed.layers
    run, features = load_run(layer.apart.folder), features_of(folder)
    of = np.array(run.groups["fold"])
    assert layer.features == 24
    for fold, shares in layer.apart.shares.items():
        train = of != fold
        x = summed(features, train, shares)
        head = LogisticRegression(
            C=layer.apart.strengths[fold], tol=1e-8, max_iter=5000, class_weight="balanced"
        )
        expected = head.fit(x[train], run.truth[train]).decision_function(x[~train])
        logits = run.logits[~train]
        np.testing.assert_allclose(
            logits - logits.mean(axis=1, keepdims=True),
            expected - expected.mean(axis=1, keepdims=True),
            atol=2e-3,
        )
        assert (run.predicted[~train] == expected.argmax(axis=1)).all()
    (note,) = probed.notes
    assert note.startswith("weights of the layers, as the mean over folds: 0 ")


def test_the_saved_file_has_the_weights_in_its_last_layer(folder, probed, tmp_path):
    given = EvalOptions(
        model=str(folder / "head.onnx"), dataset=str(folder / "set.csv"), plots=False,
        output=str(tmp_path / "run"),
    )  # fmt: skip
    run = evaluate_named(given).run
    said = {entry.key: entry.value for entry in onnx.load(folder / "head.onnx").metadata_props}
    shares = json.loads(said["layer_weights"])
    x = summed(features_of(folder), np.ones(24, dtype=bool), shares)
    strength = float(said["head"].split("C = ")[1].split(",")[0])
    head = LogisticRegression(C=strength, tol=1e-8, max_iter=5000, class_weight="balanced")
    expected = head.fit(x, run.truth).decision_function(x)
    np.testing.assert_allclose(
        run.logits - run.logits.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=2e-3,
    )
    assert said["layer"] == "weighted (hidden_state_0 + hidden_state_1)"


def test_the_cost_is_that_of_the_part_up_to_the_level(folder, probed, tmp_path, monkeypatch):
    given = options(folder, layer="all", cost=True, output=str(tmp_path / "p"))
    costs = {layer.name: layer.cost for layer in probe(given).layers}
    assert costs["1"].parameters - costs["0"].parameters == 12 * 12
    assert costs["1"] != probed.layers[0].cost
    assert costs["1"].parameters == probed.layers[0].cost.parameters
    assert 0 < costs["0"].size_mb < costs["1"].size_mb < 0.1
    assert costs["0"].ms > 0
    monkeypatch.setattr(probe_encoder, "_ms", lambda _model: pytest.fail("measured again"))
    assert {layer.name: layer.cost for layer in probe(given).layers} == costs
    monkeypatch.setattr(probe_encoder, "_ms", lambda _model: 7.0)
    places = [tmp_path / "p" / f"layer-{level}" / "cost.json" for level in (0, 1)]
    places[0].write_text('{"cost": {"parameters"', encoding="utf-8")
    elsewhere = json.loads(places[1].read_text(encoding="utf-8"))
    elsewhere["platform"]["processor"] = "another"
    places[1].write_text(json.dumps(elsewhere), encoding="utf-8")
    again = {layer.name: layer.cost for layer in probe(given).layers}
    assert again == costs | {name: replace(costs[name], ms=7.0) for name in ("0", "1")}
