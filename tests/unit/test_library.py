"""What a notebook does: models and clips as objects, results as tables and figures."""

import re
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import serval
from build import classifier, encoded, labels_metadata, speech_set
from commandline import called
from serval.errors import ConfigError, DatasetError, LabelError, ModelError, RunError, ServalError
from serval.library import run_of_file
from serval.results import write_results
from serval.run import load_run
from serval.scores import scores_of

RATE = 16_000
LABELS = ["low", "high"]
CLIPS = [
    0.5 * np.sin(2 * np.pi * hertz * np.arange(4000) / RATE).astype(np.float32)
    for hertz in (100, 110, 120, 3000, 3100, 3200)
]
TRUTH = ["low", "low", "high", "high", "high", "high"]


def crossings(samples):
    """The share of zero crossings, (B, 1)."""
    return np.stack([[np.mean(np.diff(np.sign(row)) != 0)] for row in np.atleast_2d(samples)])


def by_pitch(samples, lengths):
    high = crossings(samples)[:, 0] > 0.1
    assert samples.dtype == np.float32
    assert lengths.tolist() == [samples.shape[1]]
    return np.stack([~high, high], axis=1) * 4.0 - 2.0


def right(result):
    return int((result.run.truth == result.run.predicted).sum())


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def serval_command(empty_folder):
    return lambda *arguments: called(arguments, empty_folder, {})


def evaluated(model=by_pitch, clips=CLIPS, **given):
    known = {"truth": TRUTH, "labels": LABELS, "sample_rate": RATE}
    return serval.evaluate(model, clips, **known | given)


def test_a_function_on_arrays_writes_nothing(empty_folder):
    result = evaluated(speakers=list("aabbcc"), name="zero crossings")
    assert (len(result.run), right(result), result.run.failures) == (6, 5, ())
    assert result.run.speakers == tuple("aabbcc")
    assert result.run.logits.max() == 2.0
    assert not list(empty_folder.iterdir())
    assert re.fullmatch(r"<Result zero crossings on .*UAR 87\.50 % .*6 clips>", repr(result))
    assert len(repr(result)) < 200


def test_the_same_clips_in_every_form_give_the_same_answers(tmp_path):
    files = []
    for i, clip in enumerate(CLIPS):
        files.append(tmp_path / f"{i}.wav")
        files[-1].write_bytes(encoded(clip, RATE, subtype="FLOAT"))
    cells = [clip.tolist() for clip in CLIPS]
    columns = {"audio": cells, "sampling_rate": [RATE] * 6, "emotion": TRUTH}
    expected = evaluated().run.predicted.tolist()
    hub = datasets.Dataset.from_dict(columns).select([5, 3, 1, 0, 2, 4])
    forms = {
        "paths": (files, TRUTH),
        "texts": ([str(file) for file in files], TRUTH),
        "bytes": ([file.read_bytes() for file in files], TRUTH),
        "one array": (np.stack(CLIPS), TRUTH),
        "numbers": (CLIPS, [0, 0, 1, 1, 1, 1]),
        "a column": (CLIPS, pd.Series(TRUTH)),
        "pandas": (pd.DataFrame(columns), None),
        "pandas of arrays": (pd.DataFrame({"audio": CLIPS, "emotion": TRUTH}), None),
        "pyarrow": (pa.table(columns), "emotion"),
        "pair": ((CLIPS, TRUTH), None),
        "8 bits": ([np.round(clip * 127 + 128).astype(np.uint8) for clip in CLIPS], TRUTH),
    }
    for form, (clips, truth) in forms.items():
        result = evaluated(clips=clips, truth=truth, labels=LABELS)
        assert result.run.predicted.tolist() == expected, form
        assert [LABELS[i] for i in result.run.truth] == TRUTH, form
    assert right(evaluated(clips=hub, truth=None, labels=LABELS)) == 5
    result = evaluated(sample_rate=np.int64(RATE))
    assert result.run.predicted.tolist() == expected


def test_labels_are_the_emotions_of_clips_where_the_model_knows_its_own(tmp_path):
    model = classifier(tmp_path / "m.onnx", k=2, metadata=labels_metadata(LABELS))
    by_name = serval.evaluate(model, CLIPS, labels=TRUTH, sample_rate=RATE)
    assert [LABELS[i] for i in by_name.run.truth] == TRUTH


def test_a_stored_set_and_a_named_model_are_those_of_the_command_line(tmp_path):
    model = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    clips = speech_set(tmp_path / "clips")
    options = serval.EvalOptions(model=str(model), dataset=str(clips), plots=False,
                                 output=str(tmp_path / "out"))  # fmt: skip
    stored = serval.evaluate_named(options)
    mine = serval.evaluate(model, clips, limit=12)
    np.testing.assert_array_equal(mine.run.logits, stored.run.logits)
    assert (
        serval.evaluate(str(model), serval.load_dataset(str(clips))).document["verdict"]
        == (mine.document["verdict"])
    )


def test_with_output_the_run_and_its_files_are_written(empty_folder):
    result = evaluated(output="out", plots=False, name="mine")
    assert result.files["results"] == Path("out/results.json")
    assert load_run("out").name == "mine"
    assert len(evaluated(output="out", plots=False).run) == 6


@pytest.mark.parametrize(
    "head",
    [LogisticRegression(C=1e4), LinearSVC()],
    ids=["probabilities", "decision function"],
)
def test_a_pipeline_of_scikit_learn_brings_its_labels(head):
    pipeline = make_pipeline(FunctionTransformer(crossings), head)
    pipeline.fit(np.stack(CLIPS), TRUTH)
    result = serval.evaluate(pipeline, CLIPS, truth=TRUTH, sample_rate=RATE)
    expected = pipeline.predict(np.stack(CLIPS))
    assert [result.run.labels[i] for i in result.run.predicted] == expected.tolist()
    if hasattr(head, "predict_proba"):
        np.testing.assert_allclose(
            result.run.probs, pipeline.predict_proba(np.stack(CLIPS)), atol=1e-5
        )


def voters(truth):
    """An estimator that only predicts, fitted on those names or numbers of six clips."""
    trees = [(str(depth), DecisionTreeClassifier(max_depth=depth)) for depth in (1, 2)]
    pipeline = make_pipeline(FunctionTransformer(crossings), VotingClassifier(trees))
    return pipeline.fit(np.stack(CLIPS), truth)


def test_the_numbers_that_an_estimator_predicts_are_named_by_their_place():
    pipeline = voters([3, 3, 3, 7, 7, 7])
    result = evaluated(pipeline)
    assert result.run.predicted.tolist() == [0, 0, 0, 1, 1, 1]
    assert result.run.labels == ("low", "high")
    with pytest.raises(ModelError, match=r"2 classes \(3, 7\) but 3 labels \(a, b, c\)"):
        evaluated(pipeline, labels=["a", "b", "c"])
    pipeline.predict = lambda samples: np.full(len(samples), 5)
    with pytest.raises(ModelError, match="predict gives '5', none of low, high, 3, 7"):
        evaluated(pipeline)


@pytest.mark.parametrize("fitted", [voters, lambda truth: by_regression().fit(CLIPS, truth)])
def test_an_estimators_own_names_keep_its_order(fitted):
    pipeline = fitted(["low"] * 3 + ["high"] * 3)
    result = evaluated(pipeline, labels=["Low", "high"], truth=["Low"] * 3 + ["high"] * 3)
    assert result.run.labels == ("high", "Low")
    assert right(result) == 6
    with pytest.raises(ModelError, match="label 'low' is a class of the estimator in another pl"):
        evaluated(pipeline, labels=["low", "other"])


def by_regression():
    return make_pipeline(FunctionTransformer(crossings), LogisticRegression(C=1e4))


def test_a_network_of_transformers_does_not_say_what_is_done_to_its_waveform():
    def network(samples):
        return by_pitch(samples, np.array([samples.shape[1]]))

    network.config = SimpleNamespace(id2label={0: "low", 1: "high"}, problem_type=None)
    result = serval.evaluate(network, CLIPS, truth=TRUTH, sample_rate=RATE)
    (said,) = (line for line in result.document["warnings"] if "Nothing says" in line)
    assert "normalised: it was left as it is; state --normalize peak, zscore or none" in said
    stated = evaluated(network, labels=None, normalize="none")
    assert not any("Nothing says" in line for line in stated.document["warnings"])


def test_a_torch_module_is_left_in_the_mode_that_it_had():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(1, 2)
            self.drop = torch.nn.Dropout(0.9)
            self.head.weight.data = torch.tensor([[-1.0], [1.0]])
            self.head.bias.data = torch.tensor([0.1, -0.1])

        def forward(self, samples):
            rate = (samples[:, 1:] * samples[:, :-1] < 0).float().mean(dim=1, keepdim=True)
            return self.drop(self.head(rate))

    network = Net().train()
    network.head.eval()
    result = serval.evaluate(
        network, CLIPS * 20, truth=TRUTH * 20, labels=LABELS, sample_rate=RATE, workers=4
    )
    assert result.run.predicted.tolist() == [0, 0, 0, 1, 1, 1] * 20
    assert (network.training, network.drop.training, network.head.training) == (True, True, False)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"model": 3}, ModelError, "int is not a model .* a scikit-learn estimator"),
        ({"model": LogisticRegression}, ModelError, "is a class, not a model; give an object"),
        ({"labels": None}, ModelError, r"by_pitch does not say what its outputs are; give labels="),
        ({"clips": 3}, DatasetError, "int is no set of clips; give a name or path"),
        ({"clips": pd.DataFrame([["a", "b"]], columns=["e", "e"])}, DatasetError, "Duplicate col"),
        ({"clips": {"train": 1}}, DatasetError, "dict has the parts train; give one of them"),
        ({"clips": [3.0] * 6}, DatasetError, "clip 0 is float; a clip is a path"),
        ({"clips": []}, DatasetError, "the list of clips is empty"),
        ({"truth": TRUTH[:2]}, DatasetError, "truth has 2 entries for 6 clips"),
        ({"speakers": ["a"]}, DatasetError, "speakers has 1 entry for 6 clips"),
        ({"truth": [0, 1, 2, 0, 0, 0]}, DatasetError, "truth has 2, but there are 2 labels"),
        ({"truth": ["calm"] * 6}, LabelError, "labels that the model does not know: 'calm'"),
        ({"labels": ["a", "b", "c"]}, ModelError, "2 outputs but 3 labels"),
        ({"model": lambda s: "sad"}, ModelError, "return one score for each label"),
        (
            {"model": lambda s: np.random.default_rng().normal(size=(1, 2))},
            ModelError,
            "does not give the same clip the same answer twice",
        ),
        ({"model": lambda s: 1 / 0}, ModelError, "the model raises ZeroDivisionError"),
        ({"sample_rate": "fast"}, DatasetError, "sample_rate is 'fast'; give a whole number of Hz"),
        ({"sample_rate": 0}, DatasetError, "sample_rate is 0; give a whole number of Hz"),
        (
            {"clips": [np.ones(9, np.uint16)] * 6},
            DatasetError,
            r"clip 0 is an array of uint16, \(9,\); a clip is",
        ),
        ({"colour": 1}, ConfigError, "evaluate takes no 'colour'; it takes audio_column"),
        ({"clips": "demo"}, ConfigError, "truth= may only name their column"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(change, kind, said):
    with pytest.raises(kind, match=said) as caught:
        evaluated(**change)
    assert isinstance(caught.value, ServalError)
    assert "\n" not in str(caught.value)


def test_arrays_without_their_rate_are_refused(tmp_path):
    model = classifier(tmp_path / "m.onnx", k=2, metadata=labels_metadata(LABELS))
    with pytest.raises(DatasetError, match="give sample_rate=16000"):
        serval.evaluate(model, CLIPS, truth=TRUTH)
    with pytest.raises(DatasetError, match=r"6 clips without labels; give truth="):
        serval.evaluate(model, CLIPS, sample_rate=RATE)


def test_a_clip_that_fails_is_a_counted_failure():
    result = evaluated(clips=[*CLIPS[:5], np.zeros(0, np.float32)], max_failures=1.0)
    assert [failure.index for failure in result.run.failures] == [5]
    assert "1 failed" in repr(result)


PREDICTED = ["low", "high", "high", "high", "high", "low"]
PROBS = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.4, 0.6], [0.8, 0.2]])


def test_predictions_that_are_there_already_are_scored():
    hard = serval.score(TRUTH, PREDICTED, labels=LABELS, speakers=list("aabbcc"), name="theirs")
    soft = serval.score(TRUTH, PROBS, labels=LABELS)
    assert hard.scores.overall["uar"].value == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert hard.scores.resampling.by == "speaker"
    assert soft.run.predicted.tolist() == hard.run.predicted.tolist()
    np.testing.assert_allclose(soft.run.probs, PROBS, atol=1e-6)
    framed = serval.score(TRUTH, pd.DataFrame(PROBS[:, ::-1], columns=LABELS[::-1]), labels=LABELS)
    np.testing.assert_allclose(framed.run.probs, PROBS, atol=1e-6)
    numbers = serval.score([0, 0, 1, 1, 1, 1], PROBS, labels=LABELS)
    assert numbers.run.truth.tolist() == soft.run.truth.tolist()
    assert serval.score(np.array(TRUTH), np.array(PREDICTED)).run.labels == ("high", "low")
    assert any("how sure the model is" in line for line in hard.document["warnings"])
    accented = serval.score(["col\u00e8re", "joie"], ["cole\u0300re", "joie"])
    assert accented.scores.overall["uar"].value == 1.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((TRUTH, PROBS), r"of which labels; give labels="),
        ((TRUTH, PROBS * 2, LABELS), r"row 0 of the probabilities sums to 2"),
        ((TRUTH, PROBS, ["a", "b", "c"]), "2 columns for 3 labels"),
        ((TRUTH[:3], PREDICTED), "y_true has 3 entries for 6 clips"),
        (([None, *TRUTH[1:]], PREDICTED), "y_true has no label in row 0"),
        ((TRUTH, [*PREDICTED[:5], float("nan")]), "y_pred has no label in row 5"),
        ((TRUTH, ["calm"] * 6, LABELS), "unknown label 'calm'; known: low, high"),
        ((TRUTH, 3), "give .N,. labels or .N, K. probabilities"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(given, said):
    y_true, y_pred, *labels = given
    with pytest.raises(ServalError, match=said):
        serval.score(y_true, y_pred, labels=labels[0] if labels else None)


def test_a_table_of_independent_scores_is_sent_to_its_run(tmp_path):
    path = tmp_path / "detailed_results.csv"
    path.write_text(
        "true_emotion,predicted_emotion,prob_low,prob_high\nlow,low,0.9,0.8\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="give the folder of its run instead, or a file without"):
        run_of_file(path)


def test_results_become_tables_and_html(empty_folder):
    result = serval.score(TRUTH, PROBS, labels=LABELS, name="<b>&me")
    frame = result.to_pandas()
    assert frame["truth"].tolist() == TRUTH
    assert result.to_arrow().num_rows == 6
    page = result._repr_html_()
    assert "&lt;b&gt;&amp;me" in page
    assert "<b>&me" not in page
    assert result.save("kept", plots=False)["results"].exists()
    assert [path.name for path in empty_folder.iterdir()] == ["kept"]


def test_figures_are_drawn_into_given_axes_and_into_new_ones(monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.figure", Figure)
    result = serval.score(TRUTH, PROBS, labels=LABELS)
    both = serval.compare(result, serval.score(TRUTH, PREDICTED, labels=LABELS, name="b"))
    plots = (result.plot_confusion_matrix, result.plot_per_class, result.plot_reliability,
             both.plot)  # fmt: skip
    axes = Figure().subplots(1, len(plots))
    for plot, ax in zip(plots, axes, strict=True):
        assert plot(ax=ax) is ax
        assert ax.has_data()
        assert plot().has_data()
    with pytest.raises(ConfigError, match="has labels only"):
        serval.score(TRUTH, PREDICTED).plot_reliability()


def test_scores_and_document_are_of_one_bootstrap(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "serval.results.emotions.scores_of", lambda run: calls.append(run) or scores_of(run)
    )
    result = serval.score(TRUTH, PREDICTED)
    value = result.document["scores"]["overall"]["uar"]["value"]
    assert result.scores.overall["uar"].value == value
    assert result.plot_per_class().has_data()
    assert len(calls) == 1


def test_files_of_predictions_are_compared_as_the_command_compares_them(tmp_path):
    for name, said in (("a", TRUTH), ("b", PREDICTED)):
        rows = [f"c{i},{t},{p}" for i, (t, p) in enumerate(zip(TRUTH, said, strict=True))]
        (tmp_path / f"{name}.csv").write_text("\n".join(["clip_id,truth,predicted", *rows]))
    both = serval.compare(tmp_path / "a.csv", str(tmp_path / "b.csv"))
    assert both.comparison.n == len(TRUTH)
    assert both.to_arrow()["a"][0].as_py() == 1.0
    with pytest.raises(ServalError, match="nowhere"):
        serval.compare(tmp_path / "a.csv", tmp_path / "nowhere.csv")


def test_runs_are_compared_by_result_by_folder_and_by_name(empty_folder):
    both = serval.compare("example:fp32", "example:int8")
    rows = {row["score"]: row for row in both.to_arrow().to_pylist()}
    assert rows["uar"]["verdict"] == "not worse"
    assert round(100 * rows["wa"]["difference"], 2) == 0.15
    assert "serval-tiny INT8 against serval-tiny FP32: UAR +0.10" in repr(both)
    assert "not worse" in both._repr_html_()
    assert len(both.to_pandas()) == len(rows)
    again = serval.compare(load_run("example:fp32"), serval.Result(run=load_run("example:int8")))
    assert again.comparison == both.comparison
    assert not list(empty_folder.iterdir())
    with pytest.raises(ConfigError, match="int is no run; give a result"):
        serval.compare("example:fp32", 3)


@pytest.mark.usefixtures("empty_pictures")
def test_labels_alone_say_nothing_of_confidence(tmp_path):
    result = serval.score(["low", "high", "low"], ["low", "low", "low"], labels=LABELS)
    written = write_results(result.run, tmp_path)
    assert written.document["calibration"]["sentences"] == []
    assert "reliability" not in written.files
    assert "only labels were given" in written.files["summary"].read_text().lower()


FRAME = pd.DataFrame(
    {
        "audio": CLIPS,
        "label": ["low"] * 6,
        "emo": TRUTH,
        "spk": list("aabbcc"),
        "split": ["train", "train", "test", "test", "test", "train"],
        "back": CLIPS[::-1],
    }
)


def test_what_is_said_of_a_set_holds_for_a_table():
    run = evaluated(clips=FRAME, truth=None, label_column="emo", speaker_column="spk").run
    assert ([LABELS[i] for i in run.truth], run.speakers) == (TRUTH, tuple("aabbcc"))
    part = evaluated(clips=FRAME, truth="emo", split="test").run
    assert (part.index.tolist(), part.provenance.dataset["split"]) == ([0, 1, 2], "test")
    back = evaluated(clips=FRAME, truth="emo", audio_column="back").run
    np.testing.assert_array_equal(back.logits, evaluated().run.logits[::-1])
    drawn = evaluated(clips=FRAME, truth="emo", sample=3).run
    assert len(drawn) == 3
    assert "a random sample of 3 of the set's 6 clips" in drawn.provenance.dataset["caveats"][0]
    assert len(evaluated(sample=3, sample_seed=1).run) == 3


@pytest.mark.parametrize(
    ("clips", "given", "said"),
    [
        (FRAME, {"truth": "emo", "label_column": "label"}, "truth and label_column say the same"),
        (FRAME, {"truth": "emo", "revision": "x"}, "revision='x' does nothing to a table"),
        (CLIPS, {"include": "song"}, "include='song' does nothing to a list of clips"),
        (CLIPS, {"split": "test"}, "split='test' does nothing to a list of clips"),
        (CLIPS, {"sample_seed": 3}, "draws nothing without --sample"),
        (CLIPS, {"limit": -1}, "--limit -1 leaves no clip"),
        (CLIPS, {"limit": "2"}, "limit is '2'; give a whole number"),
        (CLIPS, {"limit": True}, "limit is True; give a whole number"),
        (CLIPS, {"label_map": {"a,b": "low"}}, "label_map: 'a,b' holds a comma"),
        (CLIPS, {"labels": ["low", "sad, high"]}, "label 'sad, high' has a comma"),
        (CLIPS, {"engine": "ray"}, "engine='ray' takes a model and a set by name"),
    ],
)
def test_an_option_that_does_nothing_or_does_not_fit_is_refused(clips, given, said):
    with pytest.raises(ConfigError, match=said):
        evaluated(clips=clips, **given)


def test_an_open_dataset_is_not_opened_again(tmp_path):
    clips = serval.load_dataset(str(speech_set(tmp_path / "clips")))
    model = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    assert len(serval.evaluate(model, clips, sample=2, split=clips.split).run) == 2
    for given in ({"split": "foo"}, {"label_column": "x"}, {"truth": "x"}, {"speakers": "x"}):
        with pytest.raises(ConfigError, match="open already; say it to load_dataset"):
            serval.evaluate(model, clips, **given)


def test_numbers_of_other_libraries_and_a_map_are_taken():
    named = ["LO" if one == "low" else "HI" for one in TRUTH]
    result = evaluated(truth=named, label_map={"LO": "low", "HI": "high"}, limit=np.int64(4))
    assert [LABELS[i] for i in result.run.truth] == TRUTH[:4]
    missing = evaluated(truth=pd.Series([*TRUTH[:5], pd.NA], dtype="string"))
    assert (len(missing.run), missing.run.failures[0].truth) == (5, "")


@pytest.mark.parametrize(
    ("truth", "predicted", "labels"),
    [
        ([0.0, 1.0, 1.0], [0, 1, 1], ("0", "1")),
        ([True, False, True], np.array([1, 0, 1]), ("0", "1")),
        ([True, False, True], [True, False, True], ("False", "True")),
        (np.array([b"a", b"b"]), ["a", "b"], ("a", "b")),
        (pd.Series([0.5, 1.0]), [0.5, 1], ("0.5", "1")),
    ],
)
def test_a_label_is_the_same_in_every_type(truth, predicted, labels):
    result = serval.score(truth, predicted)
    assert (tuple(result.run.labels), right(result)) == (labels, len(truth))


def test_labels_of_numbers_and_of_columns_are_matched_by_name():
    result = serval.score([0.0, 1.0], np.array([0.0, 1.0]), labels=["b", "a"])
    assert [result.run.labels[i] for i in result.run.truth] == ["b", "a"]
    frame = pd.DataFrame({"Sad": [0.9, 0.2], "Angry": [0.1, 0.8]})
    assert right(serval.score(["sad", "angry"], frame, labels=["angry", "sad"])) == 2
    with pytest.raises(LabelError, match="y_pred has the columns Sad, Angry and labels are low"):
        serval.score(TRUTH[1:3], frame, labels=LABELS)
    with pytest.raises(LabelError, match="no label in row 1"):
        serval.score(pd.Series([0, pd.NA], dtype="Int64"), [0, 1])
    with pytest.raises(ConfigError, match="margin is '1'; give a number of points"):
        serval.compare(result, result, margin="1")


def test_columns_of_a_file_are_what_they_say(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("truth,predicted\n0.0,0\n1.0,1\n", encoding="utf-8")
    assert tuple(run_of_file(path).labels) == ("0", "1")
    head = "sample_index,predicted_emotion,true_emotion,truth,predicted\n"
    path.write_text(f"{head}0,sad,sad,x,y\n1,angry,sad,y,y\n", encoding="utf-8")
    run = run_of_file(path)
    assert (tuple(run.labels), run.predicted.tolist()) == (("angry", "sad"), [1, 0])
    head = "truth,predicted,prob_a,prob_b"
    path.write_text(f"{head}\na,b,0.5,0.5\na,a,0.6,0.4\n", encoding="utf-8")
    assert run_of_file(path).predicted.tolist() == [1, 0]
    path.write_text(f"{head}\na,b,0.5,0.5\na,b,0.6,0.4\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="in 1 row of 2 the predicted label has not the highest"):
        run_of_file(path)


def test_no_files_are_written_beside_the_journal_of_another_run(empty_folder, serval_command):
    mine = evaluated(output="mine", plots=False)
    assert mine.save("mine", plots=False)
    before = Path("mine/results.json").read_bytes()
    other = evaluated(name="mine", limit=4)
    for write in (lambda: other.save("mine"), lambda: write_results(other.run, "mine")):
        with pytest.raises(RunError, match="mine holds another run"):
            write()
    Path("mine.csv").write_text("truth,predicted\na,a\nb,b\n", encoding="utf-8")
    done = serval_command("score", "mine.csv")
    assert (done.returncode, "mine holds another run" in done.stderr) == (2, True)
    assert Path("mine/results.json").read_bytes() == before
    gone = serval_command("score", "gone.csv")
    assert "gone.csv cannot be read" in gone.stderr


def test_a_home_is_that_of_the_user(tmp_path, monkeypatch, serval_command):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    evaluated(output="~/run", plots=False)
    assert (tmp_path / "run" / "predictions.parquet").exists()
    done = serval_command("score", tmp_path / "run", "--output=~/scored", "--no-plots")
    assert (done.returncode, (tmp_path / "scored" / "results.json").exists()) == (0, True)
