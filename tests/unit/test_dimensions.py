"""A model of arousal, valence and dominance on rated clips: one run, as for emotions."""

import csv
import json
import pickle
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from build import classifier, labels_metadata, speech_set, write_manifest
from commandline import called
from runs import run_of, run_of_dimensions
from serval.comparison.dimensions import compare_dimensions
from serval.dimensions import dimension_columns, dimension_run, plan_values, ratings_of
from serval.errors import ConfigError, DatasetError, ModelError, RunError
from serval.evaluation import evaluate_named
from serval.gate import Bounds, gate
from serval.library import Result
from serval.logs import entry_of
from serval.models.onnx import load_onnx
from serval.options import EvalOptions
from serval.records import Clip
from serval.report import write_report
from serval.report.values import _group_charts, value_parts
from serval.results import results_of, write_results
from serval.results.document import caveats_of
from serval.run import load_run
from serval.scores.dimensions import dimension_scores

NAMES = ("arousal", "dominance", "valence")
COLUMNS = {"arousal": "EmoAct", "valence": "EmoVal", "dominance": "EmoDom"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "dim.onnx"
    metadata = labels_metadata(NAMES, task="dimensions", scale="-20..20", normalize="none")
    return classifier(path, k=3, metadata=metadata)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Eighteen clips of three speakers, rated from 1 to 7, one without a rating of valence."""
    path = speech_set(tmp_path_factory.mktemp("clips"), 18)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    for row in rows:
        row |= {column: f"{rng.uniform(1, 7):.2f}" for column in COLUMNS.values()}
        row["emotion"] = row.pop("label")
    rows[4]["EmoVal"] = ""
    return write_manifest(path, rows)


def evaluated(model, clips, folder, **options):
    options = {"scale": "1..7", "plots": False} | options
    return evaluate_named(
        EvalOptions(model=str(model), dataset=str(clips), output=str(folder), **options)
    )


@pytest.fixture(scope="module")
def evaluation(model, clips, tmp_path_factory):
    return evaluated(model, clips, tmp_path_factory.mktemp("runs") / "out", plots=True)


def test_values_are_put_on_the_scale_of_the_set(evaluation, clips):
    run = load_run(evaluation.run.folder)
    values = dimension_run(run)
    assert values.names == NAMES
    np.testing.assert_allclose(values.predicted, 1 + (run.logits.astype(float) + 20) * 6 / 40)
    with clips.open() as file:
        rows = list(csv.DictReader(file))
    for i, name in enumerate(NAMES):
        told = [float(row[COLUMNS[name]] or "nan") for row in rows]
        np.testing.assert_array_equal(values.truth[:, i], told)


def test_the_files_say_what_the_run_says(evaluation):
    values = dimension_run(evaluation.run)
    document = json.loads(evaluation.files["results"].read_text())
    assert document["task"] == "dimensions"
    assert document["scores"]["clips"] == {"arousal": 18, "dominance": 18, "valence": 17}
    known = ~np.isnan(values.truth[:, 2])
    errors = values.predicted[known, 2] - values.truth[known, 2]
    found = document["scores"]["per_dimension"]["valence"]
    assert found["mae"]["value"] == pytest.approx(np.abs(errors).mean())
    assert found["bias"]["value"] == pytest.approx(errors.mean())
    assert found["ccc"]["low"] <= found["ccc"]["value"] <= found["ccc"]["high"]
    with evaluation.files["clips"].open() as file:
        rows = list(csv.DictReader(file))
    assert rows[4]["true_valence"] == ""
    assert float(rows[3]["predicted_arousal"]) == pytest.approx(values.predicted[3, 0], abs=1e-6)
    assert "| valence |" in evaluation.files["summary"].read_text()
    assert evaluation.files["dimensions"].stat().st_size > 2_000


def test_the_table_of_a_notebook_has_the_values(evaluation):
    result = Result(run=evaluation.run)
    table = result.to_arrow()
    values = dimension_run(evaluation.run)
    for i, name in enumerate(values.names):
        assert table[f"predicted_{name}"].to_pylist() == values.predicted[:, i].tolist()
        expected = [None if np.isnan(v) else v for v in values.truth[:, i].tolist()]
        assert table[f"true_{name}"].to_pylist() == expected
    assert not {"logits", "probs", "truth"} & set(table.column_names)
    assert len(result.to_pandas()) == 18


def test_a_run_goes_on_and_is_refused_on_another_scale(evaluation, model, clips):
    assert evaluated(model, clips, evaluation.run.folder).reused
    with pytest.raises(RunError, match="dimensions"):
        evaluated(model, clips, evaluation.run.folder, scale="0..7")


def test_a_label_map_beside_dimensions_is_said_to_do_nothing(model, clips, tmp_path):
    run = evaluated(model, clips, tmp_path / "out", label_map="angry=sad").run
    assert "--label-map does nothing: the model gives no emotions." in caveats_of([run], [])


def test_dimensions_may_change_their_columns():
    assert dimension_columns(["arousal", "valence"], "arousal=valence,valence=arousal") == {
        "arousal": ("valence",), "valence": ("arousal",)
    }  # fmt: skip


def test_ratings_are_in_the_order_of_the_dimensions_whichever_is_said_first():
    said = ({"valence": "2"}, {"valence": "3", "arousal": "4"})
    clips = [
        Clip(id=str(i), index=i, label="", audio=b"", groups=one) for i, one in enumerate(said)
    ]
    columns, _ = plan_values(clips, dimension_columns(["arousal", "valence"], None), "1..7", "set")
    np.testing.assert_array_equal([ratings_of(c, columns) for c in clips], [[np.nan, 2], [4, 3]])


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"scale": None}, ConfigError, r"run from 1\.\d+ to 6\.\d+, .* state it, such as --scale"),
        ({"scale": "0..1"}, ConfigError, r"does not fit the scale 0\.\.1"),
        ({"scale": "seven"}, ConfigError, "'seven' is no scale"),
        ({"dimension_columns": "arousal"}, ConfigError, "'arousal' is not DIMENSION=COLUMN"),
        ({"dimension_columns": "valence=gender"}, DatasetError, "is '[FM]', not a number"),
        ({"dimension_columns": "val=nothing"}, DatasetError, "has no column of valence"),
        ({"restrict": True}, ConfigError, "--restrict: it is about one emotion a clip"),
        ({"emotion_columns": "angry"}, ConfigError, "--emotion-columns: it is about several"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(model, clips, tmp_path, options, kind, said):
    with pytest.raises(kind, match=said) as caught:
        evaluated(model, clips, tmp_path, **options)
    assert "\n" not in str(caught.value)


def test_a_set_with_ratings_alone_needs_no_labels(model, clips, tmp_path):
    with clips.open() as file:
        rows = [{k: v for k, v in row.items() if k != "emotion"} for row in csv.DictReader(file)]
    alone = write_manifest(clips.parent / "alone.csv", rows)
    run = evaluated(model, alone, tmp_path, limit=6).run
    assert (len(run), run.failures) == (6, ())
    assert dimension_run(run).truth.shape == (6, 3)


def test_dimensions_of_any_name_are_found_by_the_models_names(clips, tmp_path):
    with clips.open() as file:
        rows = [{"path": row["path"], "Level": row["EmoAct"], "pitch": row["EmoVal"] or "3"}
                for row in csv.DictReader(file)]  # fmt: skip
    rated = write_manifest(clips.parent / "own.csv", rows)
    metadata = labels_metadata(["level", "pitch"], task="dimensions", scale="-20..20")
    path = classifier(tmp_path / "m.onnx", k=2, metadata=metadata)
    run = evaluated(path, rated, tmp_path / "out").run
    told = [float(rows[3]["Level"]), float(rows[3]["pitch"])]
    assert dimension_run(run).truth[3].tolist() == told


def test_a_model_that_does_not_say_its_scale_is_asked_for_it(clips, tmp_path):
    path = classifier(tmp_path / "m.onnx", k=3, metadata=labels_metadata(NAMES, task="dimensions"))
    with pytest.raises(ConfigError, match="add --model-scale"):
        evaluated(path, clips, tmp_path / "out")
    run = evaluated(path, clips, tmp_path / "out", model_scale="-20..20", limit=4).run
    assert len(run) == 4


def test_a_run_of_dimensions_has_no_confidence(evaluation, tmp_path):
    with pytest.raises(ConfigError, match="--calibrate-on fits the temperature of one emotion"):
        write_results(evaluation.run, tmp_path, calibrate_on=evaluation.run)


@pytest.fixture(scope="module")
def other(clips, tmp_path_factory):
    """A run of another model on the same clips, and the same dimensions in another order."""
    folder = tmp_path_factory.mktemp("other")
    names = NAMES[::-1]
    metadata = labels_metadata(names, task="dimensions", scale="-20..20", normalize="none")
    path = classifier(folder / "other.onnx", k=3, seed=5, metadata=metadata)
    return evaluated(path, clips, folder / "out").run


def test_two_runs_are_compared_on_their_common_clips(evaluation, other):
    found = compare_dimensions([evaluation.run, other], margin=0.01)
    a, b = dimension_run(evaluation.run), dimension_run(other)
    assert (found.n, found.by, found.clusters) == (18, "speaker", 3)
    scores = dimension_scores(a.truth, a.predicted, evaluation.run.speakers, a.names)
    change = found.against[0].changes["valence"]["ccc"]
    assert change.a == pytest.approx(scores.per_dimension["valence"]["ccc"].value)
    assert change.difference.value == pytest.approx(change.b - change.a)
    assert change.difference.low < change.difference.value < change.difference.high
    shift = np.abs(b.predicted[:, 0] - a.predicted[:, 2]).max()
    assert found.against[0].largest_shift["valence"] == pytest.approx(shift)
    assert found.verdict[0].startswith("other (B) ")


def test_a_comparison_says_that_clips_have_other_audio(evaluation):
    run = evaluation.run
    other = replace(run, audio_sha256=("00" * 32, *list(run.audio_sha256)[1:]))
    found = compare_dimensions([run, other], margin=0.01)
    assert found.other_audio == 1
    assert any("the same id but other audio" in warning for warning in found.warnings)


def test_a_run_does_not_differ_from_itself(evaluation):
    found = compare_dimensions([evaluation.run, evaluation.run], margin=0.5)
    change = found.against[0].changes["mean"]["ccc"]
    assert (change.difference.value, change.verdict) == (0, "not worse")
    assert change.verdict_at(0.01) == "cannot tell"  # of 18 clips
    assert set(found.against[0].agreement.values()) == {1.0}


@pytest.mark.parametrize("n", [1, 3])
def test_few_clips_cannot_tell(tmp_path, n):
    truth = np.array([[2.0, 3.0], [5.0, 6.0], [3.0, 2.0]])[:n]
    a, b = (
        run_of_dimensions(tmp_path / name, truth, truth + off, names=("arousal", "valence"))
        for name, off in (("a", 0.1), ("b", 1.5))
    )
    changes = compare_dimensions([a, b], margin=0.01).against[0].changes["mean"]
    for key in ("ccc", "pearson", "spearman"):
        assert np.isnan([changes[key].difference.low, changes[key].difference.p]).all()
    assert changes["mae"].difference.value == pytest.approx(1.4)
    assert np.isnan(changes["mae"].difference.low) == (n == 1)
    assert {changes[key].verdict for key in ("ccc", "pearson", "mae")} == {"cannot tell"}
    (check,) = gate(b, Bounds(drop={"ccc": 0.001}, baseline=str(a.folder))).checks
    assert check.verdict == "cannot tell"
    assert check.reason.endswith("too few clips have a value that varies")


def test_predictions_that_do_not_vary_have_no_agreement(tmp_path):
    truth = np.random.default_rng(0).uniform(1, 7, (12, 2))
    a, b = (
        run_of_dimensions(
            tmp_path / name, truth, np.full((12, 2), said), names=("arousal", "valence")
        )
        for name, said in (("a", 3.0), ("b", 4.0))
    )
    (one,) = compare_dimensions([a, b], margin=0.01).against
    first, _ = one.sentences("1..7")
    assert first == "CCC between the two runs' predictions: arousal n/a, valence n/a."


def test_a_run_whose_every_clip_failed_has_results(tmp_path):
    none = np.zeros((0, 2))
    broken = run_of_dimensions(tmp_path / "run", none, none, names=("arousal", "valence"))
    values = dimension_run(broken)
    assert values.truth.shape == values.predicted.shape == (0, 2)
    assert "answered no clip" in write_results(broken, plots=False).document["verdict"][0]


def test_how_a_run_is_told_of_few_ratings(tmp_path):
    truth = np.random.default_rng(0).uniform(1, 7, (30, 3))
    truth[:, 1], truth[3:, 2] = 4.0, np.nan
    said = np.full((30, 3), 4.0) + 0.01 * (truth[:, [0]] - 4)
    run = run_of_dimensions(tmp_path / "run", truth, said, names=("arousal", "mild", "valence"))
    first, *others = results_of(run).document["verdict"]
    assert re.search(
        r"of 30 clips of d by CCC: arousal 0\.\d\d \[.*, valence .* of 3 clips\.$", first
    )
    # Constant ratings and three of them say nothing of how predictions vary.
    assert "Predictions of arousal vary less than half as much" in others[-1]


def test_the_chart_of_each_column_has_its_own_sentence(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 7, (120, 2))
    columns = {"gender": ["f", "m"] * 60, "corpus": ["a", "a", "b", "b"] * 30}
    run = run_of_dimensions(
        tmp_path / "run", truth, truth + rng.normal(0, 1, truth.shape),
        names=("arousal", "valence"), groups=columns,
    )  # fmt: skip
    notes = {chart.id: chart.note for chart in _group_charts(["run"], [dimension_run(run)])}
    for column in columns:
        assert f"by {column} are more than chance" in notes[f"by-{column}"]
    assert "the mean of the 2 corpora is" in notes["by-corpus"]


def test_only_emotions_have_labels_to_restrict(evaluation, tmp_path):
    with pytest.raises(ConfigError, match="--restrict is about the labels of one emotion a clip"):
        write_results(evaluation.run, tmp_path, restrict=True, plots=False)


def test_no_seed_is_below_zero(tmp_path):
    for arguments in (["compare", "a", "b", "--seed", "-1"], ["evaluate", "--sample-seed", "-1"]):
        done = called(arguments, tmp_path, {})
        assert (done.returncode, "-1 is not in the range x>=0" in done.stderr) == (2, True)


@pytest.mark.usefixtures("empty_pictures")
def test_compare_writes_and_prints_it(evaluation, other, tmp_path):
    arguments = ["compare", str(evaluation.run.folder), str(other.folder), "-o", str(tmp_path)]
    said = called(arguments, tmp_path, {"COLUMNS": "80"})
    assert said.returncode == 0, said.stderr
    assert "CCC valence" in said.stdout
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["task"] == "dimensions"
    assert document["against"][0]["changes"]["arousal"]["bias"]["verdict"] is None
    assert len(list(tmp_path.glob("agreement_*.png"))) == 3
    drawn = called([*arguments, "--seed", "3"], tmp_path, {})
    assert drawn.returncode == 2
    assert "--seed is of the bootstrap, and intervals of dimensions are" in drawn.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--min", "ccc:arousal=-1", "--max", "mae=6"], 0, "mae"),
        (["--min", "ccc:arousal=0.99"], 1, "ccc:arousal is"),
        (["--min", "ccc:arousal=5"], 2, "from -1 to 1"),
        (["--min", "accuracy=0.5"], 2, "known: ccc, pearson"),
        (["--max-drop", "ccc=0.1"], 1, "may have dropped by more than 0.1 or not: -"),
        (["--max-group-gap", "uar:gender=10"], 2, "has dimensions, and --max-group-gap bounds"),
        (["--max-drop", "ccc=0.999"], 0, "max-drop ccc 0.999"),
        (["--max-drop", "ccc=1"], 2, "a difference of correlations, not points; write 0.01"),
        (["--max-drop", "mae=0.1"], 2, "no drop of 'mae' can be measured"),
    ],
)
def test_a_gate_bounds_dimensions(evaluation, other, tmp_path, arguments, code, said):
    if "--max-drop" in arguments:
        arguments = [*arguments, "--baseline", str(other.folder)]
    done = called(["gate", str(evaluation.run.folder), *arguments], tmp_path, {})
    text = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode, said in text) == (code, True), text


@pytest.mark.usefixtures("empty_pictures")
def test_a_run_is_scored_again_listed_and_logged(evaluation, other, tmp_path):
    folder = evaluation.run.folder
    done = called(["score", str(folder), "-o", str(tmp_path / "again")], tmp_path, {})
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["scores"] == json.loads(evaluation.files["results"].read_text())["scores"]
    listed = called(["runs", str(folder.parent)], tmp_path, {"COLUMNS": "160"})
    mean = again["scores"]["mean"]["ccc"]
    assert f"{mean['value']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" in listed.stdout
    entry = entry_of(evaluation.document, evaluation.files, folder)
    assert entry.metrics["ccc"] == pytest.approx(mean["value"])
    assert entry.metrics["mae/valence_high"] == pytest.approx(
        again["scores"]["per_dimension"]["valence"]["mae"]["high"]
    )


def test_runs_of_both_tasks_are_listed_together(evaluation, tmp_path):
    shutil.copytree(evaluation.run.folder, tmp_path / "values")
    run_of(tmp_path / "emotions", [0, 1, 2, 0], [0, 1, 2, 1])
    listed = called(["runs", "."], tmp_path, {"COLUMNS": "160"})
    assert listed.returncode == 0, listed.stderr
    assert "UAR %" in listed.stdout
    assert "CCC" in listed.stdout
    assert "2 runs below ." in listed.stdout


def test_evaluate_makes_the_page_that_is_asked_for(model, clips, tmp_path):
    arguments = ["evaluate", "-m", str(model), "-d", str(clips), "--scale", "1..7", "-o", "out"]
    arguments += ["--limit", "4", "--no-plots", "--report", "--json"]
    done = called(arguments, tmp_path, {})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "dimensions"
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_card_has_the_scores_of_each_dimension(evaluation, tmp_path):
    folder = str(evaluation.run.folder)
    printed = called(["card", folder], tmp_path, {})
    assert printed.returncode == 0, printed.stderr
    own = evaluation.document["scores"]["per_dimension"]["valence"]["ccc"]
    assert f"| valence | {own['value']:.2f} [{own['low']:.2f}, " in printed.stdout
    assert called(["card", folder, "-o", "README.md"], tmp_path, {}).returncode == 0
    results = ModelCard.load(tmp_path / "README.md").data.eval_results
    named = {result.metric_name: result for result in results}
    assert named["CCC of valence"].metric_value == pytest.approx(own["value"], abs=1e-4)
    assert named["CCC of valence"].metric_args["scale"] == "1..7"


def test_runs_of_two_tasks_are_not_compared(evaluation, tmp_path):
    clips = speech_set(tmp_path / "clips", 6)
    emotions = evaluate_named(
        EvalOptions(
            model=str(classifier(tmp_path / "m.onnx", metadata=labels_metadata())),
            dataset=str(clips),
            output=str(tmp_path / "out"),
            plots=False,
        )
    ).run
    with pytest.raises(ConfigError, match="compare runs of one task"):
        compare_dimensions([evaluation.run, emotions], margin=0.01)
    with pytest.raises(ConfigError, match="compare runs of one task"):
        write_report(emotions, tmp_path / "x.html", baseline=evaluation.run)


def test_runs_on_other_ratings_are_not_compared(evaluation, model, clips, tmp_path):
    with clips.open() as file:
        rows = list(csv.DictReader(file))
    rows[0]["EmoAct"] = "7"
    rows[4]["EmoVal"] = "2"
    other = write_manifest(clips.parent / "others.csv", rows)
    run = evaluated(model, other, tmp_path / "out").run
    with pytest.raises(ConfigError, match="other ratings of 2 clips; evaluate both on the same"):
        compare_dimensions([evaluation.run, run], margin=0.01)


def test_one_dimension_is_enough(clips, tmp_path):
    metadata = labels_metadata(["arousal"], task="dimensions", scale="-20..20", normalize="none")
    path = classifier(tmp_path / "m.onnx", k=1, metadata=metadata)
    done = evaluated(path, clips, tmp_path / "out")
    run = load_run(done.run.folder)
    values = dimension_run(run)
    assert (tuple(run.labels), values.predicted.shape) == (("arousal",), (18, 1))
    assert pickle.loads(pickle.dumps(run.labels)) == run.labels
    scores = done.document["scores"]
    assert scores["mean"] == scores["per_dimension"]["arousal"]
    page = content_of(write_report(run, tmp_path / "page.html", audio="none").path)
    assert page["plane"]["axes"] == ["arousal, rated", "arousal, predicted"]
    assert [tile["name"] for tile in page["runs"][0]["tiles"]] == [
        "CCC of arousal", "MAE, scale 1..7",
    ]  # fmt: skip


def test_one_output_is_not_two_dimensions(tmp_path):
    metadata = labels_metadata(["arousal", "valence"], task="dimensions", scale="0..1")
    path = classifier(tmp_path / "m.onnx", k=1, metadata=metadata)
    with pytest.raises(ModelError, match=r"1 output but 2 labels \(arousal, valence"):
        load_onnx(path)


def content_of(page):
    text = page.read_text("utf-8")
    return json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_has_the_numbers_of_the_runs(evaluation, other, tmp_path):
    page = write_report(evaluation.run, tmp_path / "page.html")
    content = content_of(page.path)
    values = dimension_run(evaluation.run)
    assert (page.sounds, content["dimensions"], content["scale"]) == (18, list(NAMES), [1, 7])
    rated = np.array([x if x is not None else np.nan for x in content["clips"]["rated"]])
    np.testing.assert_allclose(rated.reshape(18, 3), values.truth, atol=1e-4)
    told = np.array(content["clips"]["runs"][0]["values"]).reshape(18, 3)
    np.testing.assert_allclose(told, values.predicted, atol=1e-4)
    assert [NAMES[d] for d in content["plane"]["dimensions"]] == ["valence", "arousal"]
    groups = {group["name"] for group in content["clips"]["groups"]}
    assert groups == {"gender"}, "ratings are no facts beside them"
    charts = {c["id"]: c for section in content["sections"] for c in section["charts"]}
    assert sum(row["clips"] for row in charts["predicted-2"]["rows"]) == 17
    own = evaluation.document["scores"]["per_dimension"]["valence"]["mae"]
    (row,) = (row for row in charts["scores"]["rows"] if row["label"] == "valence")
    assert row["mae"] == f"{own['value']:.2f} [{own['low']:.2f}, {own['high']:.2f}]"


def test_of_a_sample_the_largest_errors_are_heard(evaluation):
    values = dimension_run(evaluation.run)
    errors = np.abs(values.predicted - values.truth)
    np.testing.assert_allclose(value_parts([evaluation.run]).first, np.nanmean(errors, axis=1))


def test_a_page_of_two_puts_their_dimensions_in_one_order(evaluation, other, tmp_path):
    path = write_report(other, tmp_path / "x.html", baseline=evaluation.run, audio="none").path
    content = content_of(path)
    told = np.array(content["clips"]["runs"][1]["values"]).reshape(18, 3)
    np.testing.assert_allclose(told, dimension_run(other).predicted[:, ::-1], atol=1e-4)
    change = compare_dimensions([evaluation.run, other], margin=0.01).against[0].changes
    charts = {c["id"]: c for section in content["sections"] for c in section["charts"]}
    row = next(row for row in charts["difference"]["rows"] if row["label"] == "CCC of valence")
    assert row["value"] == pytest.approx(change["valence"]["ccc"].difference.value, abs=1e-6)
    assert content["pair"]["tiles"][0]["value"] == pytest.approx(
        change["mean"]["ccc"].difference.value, abs=1e-6
    )
