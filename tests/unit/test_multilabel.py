"""Several emotions of one clip: how a set says them, what every verb makes of such a run."""

import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from build import speech_set, write_manifest
from commandline import called
from graphs import classifier_graph, node
from runs import LABELS, run_of, run_of_sets
from serval.comparison.multilabel import compare_multilabel
from serval.errors import ConfigError, DatasetError, LabelError, RunError
from serval.evaluation import evaluate_named
from serval.gate import Bounds, gate
from serval.groups.multilabel import multilabel_group_sentences, multilabel_groups
from serval.multilabel import TRUTH, Thresholds, emotion_columns, multilabel_run
from serval.options import EvalOptions
from serval.report import write_report
from serval.report.sets import set_parts
from serval.results import write_results
from serval.results.multilabel import MultilabelResults
from serval.run import load_run
from serval.scores.paired import PairOptions

NAMES = ("angry", "happy", "sad")
SETS = (["angry"], ["angry", "sad"], [], ["happy"], ["sad", "happy"], ["sad"])
"""What the clips have, again and again."""

MARKS = np.array([[name in some for name in NAMES] for some in SETS])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    sigmoid, softmax = ([node(end, "scores", "logits")] for end in ("Sigmoid", "Softmax"))
    several = {"problem_type": "multi_label_classification"}
    stated = {"k": 3, "labels": NAMES}
    return {
        "sigmoid": classifier_graph(folder / "sigmoid.onnx", after=sigmoid, **stated),
        "softmax": classifier_graph(folder / "softmax.onnx", after=softmax, **stated),
        "bare": classifier_graph(folder / "bare.onnx", **stated),
        "said": classifier_graph(folder / "said.onnx", metadata=several, **stated),
    }


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = speech_set(tmp_path_factory.mktemp("clips"), 12, labels=NAMES)
    with path.open() as file:
        return path.parent, [
            {name: text for name, text in row.items() if name != "label"}
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def clips(rows):
    """A JSON-lines file with a list of emotions for each clip."""
    folder, clips = rows
    lines = (json.dumps(row | {"emotions": SETS[i % 6]}) for i, row in enumerate(clips))
    path = folder / "lists.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def evaluated(model, clips, folder, **options):
    options = {"plots": False, **options}
    return evaluate_named(
        EvalOptions(model=str(model), dataset=str(clips), output=str(folder), **options)
    )


def written(rows, name, **columns):
    folder, clips = rows
    return write_manifest(
        folder / name,
        [row | {column: of(i) for column, of in columns.items()} for i, row in enumerate(clips)],
    )


def truth_of(folder):
    return multilabel_run(load_run(folder)).truth


def test_lists_are_read_as_they_are(models, clips, tmp_path):
    document = evaluated(models["sigmoid"], clips, tmp_path).document
    assert (truth_of(tmp_path) == np.tile(MARKS, (2, 1))).all()
    assert document["task"] == "multilabel"
    assert document["ground_truth"][:3] == [["angry"], ["angry", "sad"], []]
    assert document["dataset"]["multilabel"]["empty"] == 2
    run = multilabel_run(load_run(tmp_path))
    value = metrics.f1_score(run.truth, run.scores >= 0.5, average="macro", zero_division=0)
    assert document["scores"]["overall"]["macro_f1"]["value"] == pytest.approx(value)
    said = " ".join(document["verdict"])
    assert "read from a list for each clip: 1.17 a clip, and 2 clips with none" in said


def test_lists_of_class_numbers_in_parquet_are_read(models, rows, tmp_path):
    datasets = pytest.importorskip("datasets")
    folder, clips = rows
    ids = [[NAMES.index(name) for name in SETS[i % 6]] for i in range(12)]
    features = datasets.Features(
        {"path": datasets.Value("string"),
         "label": datasets.Sequence(datasets.ClassLabel(names=list(NAMES)))}
    )  # fmt: skip
    table = {"path": [row["path"] for row in clips], "label": ids}
    datasets.Dataset.from_dict(table, features=features).to_parquet(folder / "lists.parquet")
    evaluated(models["sigmoid"], folder / "lists.parquet", tmp_path)
    assert (truth_of(tmp_path) == np.tile(MARKS, (2, 1))).all()


def test_text_is_split_only_where_that_is_asked_for(models, rows, tmp_path):
    path = written(rows, "text.csv", label=lambda i: ";".join(SETS[i % 6]) or ";")
    with pytest.raises(LabelError, match=r"if 'angry;sad' is several .* --label-separator ';'"):
        evaluated(models["sigmoid"], path, tmp_path / "no")
    evaluated(models["sigmoid"], path, tmp_path / "run", label_separator=";")
    assert (truth_of(tmp_path / "run") == np.tile(MARKS, (2, 1))).all()


def test_an_empty_text_says_nothing(models, rows, tmp_path):
    path = written(rows, "empty.csv", label=lambda i: ";".join(SETS[i % 6]))
    done = evaluated(models["sigmoid"], path, tmp_path, label_separator=";")
    assert [(one.index, one.reason) for one in done.run.failures] == [
        (2, "the dataset gives no label"),
        (8, "the dataset gives no label"),
    ]
    assert len(done.run) == 10


def marked(rows, name="marks.csv", **others):
    columns = {f"is_{own}": lambda i, own=own: int(own in SETS[i % 6]) for own in NAMES}
    return written(rows, name, **columns | others)


COLUMNS = ",".join(f"{name}=is_{name}" for name in NAMES)


def test_columns_of_marks_are_read(models, rows, tmp_path):
    done = evaluated(models["sigmoid"], marked(rows), tmp_path, emotion_columns=COLUMNS)
    assert (truth_of(tmp_path) == np.tile(MARKS, (2, 1))).all()
    # What they say is no group of clips.
    columns = {table["column"] for table in done.document["groups"]["tables"]}
    assert not columns & {"is_angry", "is_happy", "is_sad", TRUTH}


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ("angry=is_angry", "no column for happy, sad"),
        ("angri=is_angry", "'angri' is no emotion of the model"),
        ("angry=x,happy=is_happy,sad=is_sad", "no column 'x' for --emotion-columns"),
    ],
)
def test_columns_of_marks_are_named_in_full(models, rows, tmp_path, columns, fault):
    with pytest.raises((ConfigError, DatasetError), match=fault):
        evaluated(models["sigmoid"], marked(rows), tmp_path, emotion_columns=columns)


def test_a_mark_is_0_or_1(models, rows, tmp_path):
    path = marked(rows, "odd.csv", is_sad=lambda i: "maybe" if i == 5 else 0)
    with pytest.raises(DatasetError, match=r"'is_sad' of clip0005.wav is 'maybe', not 0 or 1"):
        evaluated(models["sigmoid"], path, tmp_path, emotion_columns=COLUMNS)
    assert emotion_columns(NAMES, None) == {}


def test_shares_of_one_emotion_are_not_judged_on_several(models, clips, tmp_path):
    with pytest.raises(ConfigError, match=r"the model gives shares of one emotion; if .*--multi-l"):
        evaluated(models["softmax"], clips, tmp_path)


def test_labels_in_common_are_about_one_emotion_a_clip(models, clips, tmp_path):
    with pytest.raises(ConfigError, match="--restrict: it is about one emotion a clip"):
        evaluated(models["sigmoid"], clips, tmp_path, restrict=True)


def test_logits_get_their_sigmoids_where_somebody_says_so(models, clips, tmp_path):
    evaluated(models["sigmoid"], clips, tmp_path / "own")
    evaluated(models["said"], clips, tmp_path / "said")
    evaluated(models["bare"], clips, tmp_path / "bare", multi_label=True)
    runs = [load_run(tmp_path / name) for name in ("own", "said", "bare")]
    for other in runs[1:]:
        assert other.probs == pytest.approx(runs[0].probs, abs=1e-5)
        assert other.provenance.model["contract"]["adds_sigmoid"] is True
    assert "adds_sigmoid" not in runs[0].provenance.model["contract"]


def test_a_set_with_one_emotion_a_clip_is_judged_as_ever(models, rows, tmp_path):
    path = written(rows, "one.csv", label=lambda i: NAMES[i % 3])
    done = evaluated(models["sigmoid"], path, tmp_path)
    assert "task" not in done.document
    assert done.document["ground_truth"][:3] == [0, 1, 2]
    said = "The model may hear several emotions at once, and the set names one a clip"
    assert said not in " ".join(done.document["warnings"])
    several = evaluated(models["said"], path, tmp_path / "said")
    assert said in " ".join(several.document["warnings"])


def test_labels_that_the_model_lacks_are_asked_about_and_disclosed(models, rows, tmp_path):
    folder, clips = rows
    lines = [row | {"emotions": [*SETS[i % 6], *["bored"] * (i == 0)]}
             for i, row in enumerate(clips)]  # fmt: skip
    path = folder / "bored.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    with pytest.raises(LabelError, match=r"does not know: 'bored' \(1 clip\); .*--drop-unmapped"):
        evaluated(models["sigmoid"], path, tmp_path / "no")
    done = evaluated(models["sigmoid"], path, tmp_path / "run", drop_unmapped=True)
    assert (truth_of(tmp_path / "run") == np.tile(MARKS, (2, 1))).all()
    assert any("no part of the truth: bored (1 clip)" in line for line in done.document["warnings"])
    evaluated(models["sigmoid"], path, tmp_path / "sad", label_map="bored=sad")
    assert truth_of(tmp_path / "sad")[0].tolist() == [True, False, True]


def test_a_run_goes_on_where_it_was(models, clips, tmp_path):
    evaluated(models["sigmoid"], clips, tmp_path / "whole")
    evaluated(models["sigmoid"], clips, tmp_path / "part")
    journal = tmp_path / "part" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[:7]) + "\n")
    done = evaluated(models["sigmoid"], clips, tmp_path / "part")
    assert not done.reused
    assert (truth_of(tmp_path / "part") == truth_of(tmp_path / "whole")).all()


def drawn(folder, seed=0, quality=0.35, **more):
    rng = np.random.default_rng(7)
    truth = rng.random((120, 3)) < (0.3, 0.2, 0.4)
    noise = np.random.default_rng(seed).normal(0.2, 0.15, truth.shape)
    speakers = [f"s{i % 12}" for i in range(120)]
    groups = {"gender": ["f" if i % 2 else "m" for i in range(120)]}
    return run_of_sets(folder, truth, quality * truth + noise, speakers=speakers, groups=groups,
                       **more)  # fmt: skip


def test_thresholds_come_from_another_split(tmp_path):
    run, other = drawn(tmp_path / "run"), drawn(tmp_path / "other", seed=3, shas="x")
    usual = write_results(run, plots=False).document
    assert usual["thresholds"]["values"] == dict.fromkeys(LABELS, 0.5)
    fitted = write_results(run, plots=False, thresholds_from=other).document
    assert fitted["thresholds"]["fitted_on"] == str(other.folder)
    assert "highest F1 on the 120 other clips" in " ".join(fitted["verdict"])
    before, after = (one["scores"]["overall"]["macro_f1"]["value"] for one in (usual, fitted))
    assert after > before
    least = np.array(list(fitted["thresholds"]["values"].values()))
    own = multilabel_run(run)
    assert (own.predicted == (own.scores >= least)).all()
    assert after == pytest.approx(metrics.f1_score(own.truth, own.predicted, average="macro"))
    again = write_results(run, plots=False).document
    assert again["scores"]["overall"] == usual["scores"]["overall"]
    assert (multilabel_run(run).predicted == (own.scores >= 0.5)).all()


def test_thresholds_are_not_fitted_on_the_same_clips_or_another_model(tmp_path):
    run = drawn(tmp_path / "run")
    with pytest.raises(ConfigError, match="120 clips are in both; fit on another split"):
        write_results(run, thresholds_from=drawn(tmp_path / "same", seed=1))
    with pytest.raises(ConfigError, match="that run is of another model"):
        write_results(run, thresholds_from=drawn(tmp_path / "b", shas="x", sha256="11"))
    one = run_of(tmp_path / "one", [0, 1, 2], [0, 1, 2])
    with pytest.raises(ConfigError, match="is of use for several emotions a clip"):
        write_results(one, thresholds_from=run)
    with pytest.raises(ConfigError, match="for several give --thresholds-from"):
        write_results(run, calibrate_on=run)


def test_odd_thresholds_are_refused(tmp_path):
    run = drawn(tmp_path / "run")
    for content in ("[]", "{", '{"values": {"angry": 2, "happy": 0, "sad": 0}}', '{"values": 1}'):
        (run.folder / "thresholds.json").write_text(content)
        with pytest.raises(RunError, match="holds no thresholds of this run"):
            multilabel_run(run)


@pytest.mark.parametrize("cell", ["[", "null", '["bored"]', "1", '[["sad"]]', "[" * 5000])
def test_an_odd_truth_is_refused(tmp_path, cell):
    run = drawn(tmp_path / "run")
    journal = run.folder / "journal.jsonl"
    text = journal.read_text()
    one = next(part for part in ('"[]"', '"[\\"sad\\"]"') if part in text)
    head, _, end = text.partition(one)
    lines = (head + json.dumps(cell) + end).splitlines()[:-1]  # which has a digest of the others
    journal.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match="has no true emotions"):
        multilabel_run(load_run(run.folder))


def test_compare_pairs_the_clips_of_both(tmp_path):
    good, bad = drawn(tmp_path / "good"), drawn(tmp_path / "bad", seed=5, quality=0.2)
    found = compare_multilabel([good, bad])
    (one,) = found.against
    change = one.overall["macro_f1"]
    values = [
        metrics.f1_score(own.truth, own.predicted, average="macro", zero_division=0)
        for own in map(multilabel_run, (good, bad))
    ]
    assert (change.a, change.b) == pytest.approx(tuple(values))
    assert change.verdict == "worse"
    assert one.overall["hamming_loss"].verdict == "worse"
    assert one.per_emotion["sad"]["ap"].difference.value < 0
    assert found.verdict[0].startswith("bad (B) is worse than good (A): macro F1 ")
    document = json.loads(json.dumps(found.document))
    assert document["n"] == 120
    moved = document["against"][0]["moved"][0]
    assert moved[0].startswith("clip")
    with pytest.raises(ConfigError, match="compare runs of one task"):
        compare_multilabel([good, run_of(tmp_path / "one", [0, 1, 2], [0, 1, 2])])


def test_a_run_whose_truth_cannot_be_read_does_not_hide_the_others(tmp_path, serval):
    drawn(tmp_path / "good")
    bad = drawn(tmp_path / "bad")
    Thresholds(values={"angry": 2.0}, fitted_on="x").write(bad.folder)
    done = serval("runs", tmp_path)
    assert done.returncode == 0
    assert "holds no thresholds of this run" in done.stderr
    assert "good" in done.stdout


def test_a_margin_that_any_loss_keeps_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="a margin of 200 points cannot be judged"):
        compare_multilabel(
            [drawn(tmp_path / "a"), drawn(tmp_path / "b", seed=5)], PairOptions(margin=2.0)
        )


def test_compare_draws_as_often_and_from_the_seed_that_is_asked_for(tmp_path):
    runs = [drawn(tmp_path / "a"), drawn(tmp_path / "b", seed=5)]

    def errors(**options):
        (one,) = compare_multilabel(runs, PairOptions(**options)).against
        return [change.difference.low for change in one.overall.values()]

    assert errors(resamples=100, seed=1) == errors(resamples=100, seed=1)
    assert errors(resamples=100, seed=1) != errors(resamples=100, seed=2)
    assert errors(resamples=100) != errors(resamples=400)


def test_runs_that_disagree_on_the_truth_are_not_compared(tmp_path):
    one = run_of_sets(tmp_path / "a", [[1, 0, 0], [0, 1, 0]], np.full((2, 3), 0.4))
    two = run_of_sets(tmp_path / "b", [[1, 0, 0], [0, 1, 1]], np.full((2, 3), 0.4))
    with pytest.raises(LabelError, match=r"'clip1' is happy in .* and happy, sad in"):
        compare_multilabel([one, two])


def test_a_finished_evaluation_given_again_keeps_its_thresholds(models, clips, tmp_path):
    run = evaluated(models["sigmoid"], clips, tmp_path / "run", limit=12).run
    fitted = Thresholds(values=dict.fromkeys(NAMES, 0.25), fitted_on="other", clips=9)
    fitted.write(run.folder)
    evaluated(models["sigmoid"], clips, tmp_path / "run", limit=12)
    assert multilabel_run(run).thresholds == fitted
    write_results(run, plots=False)
    assert multilabel_run(run).thresholds == Thresholds.usual(run.labels)


def test_a_column_of_the_name_of_the_truth_is_kept_apart(models, rows, tmp_path):
    path = written(
        rows, "named.csv", **{"true emotions": lambda i: "x", "emotion": lambda i: NAMES[0]}
    )
    run = evaluated(models["softmax"], path, tmp_path).run
    assert set(load_run(run.folder).groups["true emotions of the set"]) == {"x"}


def test_a_gate_bounds_scores_and_drops(tmp_path):
    good, bad = drawn(tmp_path / "good"), drawn(tmp_path / "bad", seed=5, quality=0.2)
    bounds = Bounds(
        least={"macro_f1": 0.99, "ap:sad": 0.1}, most={"hamming_loss": 0.9},
        drop={"macro_f1": 1, "f1:sad": 99}, baseline=str(good.folder),
    )  # fmt: skip
    checks = {(one.kind, one.metric): one for one in gate(bad, bounds).checks}
    kept = {name: one.verdict for name, one in checks.items()}
    assert kept == {
        ("min", "macro_f1"): "fail",
        ("min", "ap:sad"): "pass",
        ("max", "hamming_loss"): "pass",
        ("max-drop", "macro_f1"): "fail",
        ("max-drop", "f1:sad"): "pass",
    }
    with pytest.raises(ConfigError, match="no drop of 'hamming_loss' can be measured"):
        gate(bad, Bounds(drop={"hamming_loss": 1}, baseline=str(good.folder)))
    with pytest.raises(ConfigError, match="several emotions a clip, and --max-group-gap bounds"):
        gate(bad, Bounds(group_gap={"uar": 5}))


def test_groups_have_a_gap_of_macro_f1(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((200, 3)) < 0.4
    women = np.arange(200) % 2 == 0
    scores = np.where(women[:, np.newaxis], truth, rng.random(truth.shape))
    run = run_of_sets(
        tmp_path / "run", truth, scores, speakers=[f"s{i % 40}" for i in range(200)],
        groups={"gender": ["F" if woman else "M" for woman in women]},
    )  # fmt: skip
    gap = next(table.gap for table in multilabel_groups(multilabel_run(run)) if table.column
               == "gender")  # fmt: skip
    assert (gap.best, gap.worst, gap.finding) == ("F", "M", "more than chance")
    values = [
        metrics.f1_score(truth[some], scores[some] >= 0.5, average="macro")
        for some in (women, ~women)
    ]
    assert gap.difference.value == pytest.approx(values[0] - values[1])
    assert gap.emotions == LABELS


def test_groups_that_differ_only_in_their_emotions_have_no_gap(tmp_path):
    """Every second clip of the last emotion is missed, and women have none of it."""
    truth = np.tile(np.eye(3, dtype=bool), (80, 1))
    women = np.arange(240) < 120
    truth[women, 2] = False
    said = truth.astype(float)
    said[::2, 2] = 0
    run = run_of_sets(
        tmp_path / "run", truth, said, speakers=[f"s{i % 40}-{women[i]}" for i in range(240)],
        groups={"gender": ["F" if woman else "M" for woman in women]},
    )  # fmt: skip
    (table,) = [one for one in multilabel_groups(multilabel_run(run)) if one.column == "gender"]
    alone = {one.name: one.scores["macro_f1"].value for one in table.groups}
    assert alone["F"] - alone["M"] > 0.1
    assert table.gap.emotions == LABELS[:2]
    assert table.gap.difference.value == 0
    assert table.gap.finding == "no more than chance"
    (said_of_it,) = multilabel_group_sentences([table])
    assert said_of_it.startswith("By gender, macro F1 of the 2 emotions that all compared groups")
    assert "unnoticed" not in said_of_it


def test_groups_of_few_clips_have_scores_without_intervals(tmp_path):
    truth = np.tile(np.eye(3, dtype=bool), (8, 1))
    groups = {"gender": ["F"] * 15 + ["M"] * 9}
    run = run_of_sets(tmp_path / "run", truth, 1.0 * truth, groups=groups)
    (table,) = [one for one in multilabel_groups(multilabel_run(run)) if one.column == "gender"]
    large, small = (one.scores["macro_f1"] for one in table.groups)
    assert (large.value, small.value, table.gap) == (1, 1, None)
    assert 0 < large.low < large.high
    assert np.isnan([small.low, small.high]).all()


@pytest.fixture(scope="module")
def stored(models, clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    evaluated(models["said"], clips, folder / "a")
    return folder


def test_files_of_a_run(models, clips, tmp_path):
    files = evaluated(models["said"], clips, tmp_path, plots=True).files
    assert {path.name for path in files.values()} == {
        "results.json", "detailed_results.csv", "failures.csv", "summary.md",
        "per_class_metrics.png", "journal.jsonl",
    }  # fmt: skip
    with (tmp_path / "detailed_results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["true_emotions"] == "angry;sad"
    assert [rows[1][f"true_{name}"] for name in NAMES] == ["1", "0", "1"]
    run = multilabel_run(load_run(tmp_path))
    assert rows[0]["predicted_emotions"].split(";") == [
        name for name, named in zip(NAMES, run.predicted[0], strict=True) if named
    ]
    summary = (tmp_path / "summary.md").read_text()
    assert "| macro F1 |" in summary
    assert "| Emotion | Precision | Recall | F1 | AP | Clips | Named |" in summary


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["score", "a", "--no-plots"], "Macro F1 and mean AP average the 3 emotions"),
        (["runs", "."], "macro F1 %"),
        (["compare", "a", "a"], "Both name exactly the same emotions on 100.0 %"),
        (["gate", "a", "--min", "micro_f1=0"], "passes the gate: 1 of 1 bound kept"),
        (["card", "a"], "| All emotions always |"),
    ],
)
def test_verbs_take_such_a_run(stored, command, said):
    done = called(command, stored, {"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    assert said in " ".join(done.stdout.split())


def test_the_page_has_the_numbers_of_the_results(tmp_path):
    a = drawn(tmp_path / "a")
    b = drawn(tmp_path / "b", seed=5)
    document = MultilabelResults(run=b, thresholds_from=b).document
    page = write_report(b, tmp_path / "page.html", baseline=a, audio="none").path.read_text()
    text = re.search(r'<script[^>]*id="content"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
    content = json.loads(text)
    tile = content["runs"][1]["tiles"][0]
    assert (tile["name"], tile["value"]) == (
        "macro F1", pytest.approx(document["scores"]["overall"]["macro_f1"]["value"], abs=1e-6)
    )  # fmt: skip
    charts = {one["id"]: one for part in content["sections"] for one in part["charts"]}
    f1 = next(row for row in charts["difference"]["rows"] if row["label"] == "F1 of sad")
    assert f1["b"] == pytest.approx(
        document["scores"]["per_emotion"]["sad"]["f1"]["value"], abs=1e-6
    )
    values = multilabel_run(b)
    other = multilabel_run(a)
    wrong = ((own.predicted != own.truth).any(axis=1) for own in (other, values))
    assert set_parts([a, b]).worth_hearing == np.logical_or(*wrong).tolist()
    assert content["runs"][1]["outcomes"]["extra"] == (
        (values.predicted & ~values.truth).sum(axis=0).tolist()
    )
    assert content["clips"]["runs"][1]["named"] == [
        np.flatnonzero(row).tolist() for row in values.predicted
    ]


def test_two_runs_of_clips_without_any_emotion_say_so(tmp_path):
    none = np.zeros((4, 3))
    runs = [run_of_sets(tmp_path / name, none, none + at) for name, at in (("a", 0.4), ("b", 0.6))]
    (said,) = compare_multilabel(runs).verdict
    assert said == "b (B) may or may not be worse than a (A): none of 4 clips has an emotion."


def test_quantize_judges_several_emotions_by_the_change_of_macro_f1(models, clips, tmp_path):
    """The numbers are those of `serval compare` of both files on the same clips."""
    model = models["said"]
    given = ["quantize", model, "-o", "q.onnx", "--calibration", clips, "--clips", "4"]
    done = called([*given, "--eval", clips, "--max-drop", "99"], tmp_path, {"COLUMNS": "200"})
    assert "of lists.jsonl its macro F1 changes by " in done.stdout
    runs = []
    for name, path in (("fp32", model), ("int8", tmp_path / "q.onnx")):
        run = ["evaluate", "-m", path, "-d", clips, "-o", name, "--no-plots", "-q"]
        assert called(run, tmp_path, {}).returncode == 0
        runs.append(load_run(tmp_path / name))
    change = compare_multilabel(runs).against[0].overall["macro_f1"]
    found = json.loads((tmp_path / "q.tried.json").read_text("utf-8"))["result"]["measured"]
    assert (found["score"], found["accuracy"]) == ("macro F1", None)
    assert (found["a"], found["b"]) == (change.a, change.b)
    for key in ("value", "low", "high"):
        assert found["change"][key] == pytest.approx(getattr(change.difference, key), abs=1e-6)


def test_verbs_that_judge_one_emotion_say_so_in_one_line(stored, models, clips):
    model, one = models["said"], ["-d", clips, "-o", "out"]
    for command, said in (
        (["stress", "-m", model, *one], "stress measures one emotion a clip or dimensions"),
        (["compare", "a", "example:fp32"], "compare runs of one task"),
        (["gate", "a", "--min", "uar=0.5"], "unknown metric 'uar'; known: macro_f1"),
    ):  # fmt: skip
        done = called(command, stored, {})
        assert (done.returncode, said in done.stderr) == (2, True), (command, done.stderr)
        assert "Traceback" not in done.stderr


def test_predict_names_every_emotion_above_the_threshold(models, rows, tmp_path):
    folder, clips = rows
    (tmp_path / "no.wav").write_bytes(b"no sound")
    given = ["predict", "-m", models["said"], folder / clips[0]["path"], tmp_path / "no.wav"]
    told = json.loads(called([*given, "--json"], tmp_path, {}).stdout)
    scores = told[0]["probabilities"]
    named = sorted((n for n in scores if scores[n] >= 0.5), key=lambda name: -scores[name])
    assert told[0]["emotions"] == named
    assert told[1]["emotions"] is None
    rows = list(csv.DictReader(called([*given, "--csv"], tmp_path, {}).stdout.splitlines()))
    assert rows[0]["emotions"] == ";".join(named)
    assert rows[1]["failure"].startswith("decode: ")
    said = " ".join(called(given, tmp_path, {"COLUMNS": "100"}).stdout.split())
    assert "of scores of 0.5 or more" in said
    over_time = called([*given[:-1], "--window", "0.3", "--csv"], tmp_path, {}).stdout
    windows = list(csv.DictReader(over_time.splitlines()))
    assert [row["start_s"] for row in windows] == ["0.0", "0.3"]
    for row in windows:
        high = [n for n in NAMES if float(row[f"prob_{n}"]) >= 0.5]
        assert set(filter(None, row["emotions"].split(";"))) == set(high)
    assert called([*given, "-o", "out.parquet"], tmp_path, {}).returncode == 3
    assert pq.read_table(tmp_path / "out.parquet")["emotions"].to_pylist() == [named, None]


def test_audit_counts_each_emotion_of_a_clip(clips, tmp_path):
    called(["audit", clips, "--labels", ",".join(NAMES), "-o", "out"], tmp_path, {})
    findings = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    assert not [one for one in findings if one["kind"] == "unknown-label"]
    rare = [one["message"] for one in findings if one["kind"] == "rare-label"]
    assert any(message.startswith("label 'sad' has 6 clips") for message in rare)
