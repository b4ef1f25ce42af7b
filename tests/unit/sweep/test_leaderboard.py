import csv
import json
import math
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from click.testing import CliRunner

from build import classifier, encoded, labels_metadata, speech_set, voice, write_manifest
from conftest import ROOT
from pages import HARM
from runs import run_of
from serval.commands.sweep import sweep_command
from serval.comparison.dimensions import compare_dimensions
from serval.comparison.multilabel import compare_multilabel
from serval.files import write_json
from serval.models.classifier import Classifier
from serval.options import EvalOptions
from serval.report.leaderboard import leaderboard_html, write_leaderboard
from serval.results.domain_shift import label_space_part
from serval.run import load_run
from serval.scores import HEADLINES, scores_of
from serval.scores.label_space import full_set_of
from serval.sweep import (
    Cell,
    CellResult,
    Plan,
    leaderboard_document,
    load_plan,
    sweep,
    sweep_of,
    write_tables,
)
from serval.sweep.boards import _from_the_best, some_pairs
from serval.sweep.standings import answers_of
from serval.sweep.sweep import card_corpora
from serval.trained_on import TrainedOn


def test_the_plans_in_the_docs_are_plans(tmp_path):
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    path = tmp_path / "plan.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1], encoding="utf-8")
    corpora = [cell.corpus for cell in load_plan(path).cells]
    assert corpora == ["ravdess:RAVDESS", "CREMA-D", "CREMA-D"] * 2
    plan = load_plan(ROOT / "docs" / "demo" / "cross_corpus.yaml")
    board = (ROOT / "docs" / "demo" / "leaderboard.json").read_text(encoding="utf-8")
    made = {(row["model"], row["dataset"]) for row in json.loads(board)["rows"]}
    assert {(cell.model, cell.dataset) for cell in plan.cells} < made


def planned(folder, text):
    path = folder / "plan.yaml"
    path.write_text(f"plots: false\n{text}", encoding="utf-8")
    return load_plan(path)


@pytest.fixture
def folder(tmp_path):
    """Two models, the second of four labels, and two sets, the first with clips of boredom."""
    few = ("angry", "happy", "neutral", "sad")
    said = TrainedOn(corpora=("RAVDESS",)).metadata()
    classifier(tmp_path / "a.onnx", metadata=labels_metadata(trained_on=said))
    classifier(tmp_path / "b.onnx", seed=1, k=4, metadata=labels_metadata(few))
    speech_set(tmp_path / "one", 10, labels=("ang", "hap", "neu", "sad", "boredom"))
    speech_set(tmp_path / "two", 8, labels=few)
    return tmp_path


PLAN = """
models: [a.onnx, {model: b.onnx, name: b, trained_on: [TESS]}]
datasets: [{dataset: one/set.csv, name: RAVDESS}, {dataset: two/set.csv, name: other}]
drop_unmapped: true
restrict: true
"""


def test_a_row_has_every_score_rank_and_what_it_was_trained_on(folder):
    plan = planned(folder, PLAN)
    document = leaderboard_document(sweep(plan))
    rows = {(row["model"], row["dataset"]): row for row in document["rows"]}
    assert len(rows) == 6
    mine = rows["a.onnx", "RAVDESS"]
    assert (mine["trained_on"], rows["a.onnx", "other"]["trained_on"]) == (
        "this corpus", "other corpora",
    )  # fmt: skip
    assert {rows["b", name]["trained_on"] for name in ("RAVDESS", "other")} == {"other corpora"}
    assert (mine["clips"], mine["left_out"], mine["full_set"]["n"]) == (8, 2, 10)
    run = load_run(folder / "sweep_results" / "a.onnx" / "RAVDESS")
    assert mine["full_set"]["scores"]["uar"]["value"] == full_set_of(run).scores["uar"].value
    assert mine["restricted"]["others"] == ["calm", "disgust", "fearful", "surprised"]
    assert rows["b", "RAVDESS"]["restricted"] is None
    assert rows["majority label", "other"]["ranked"]["uar"]["value"] == 0.25
    assert mine["page"] == "a.onnx/RAVDESS/summary.md"
    path = write_json(document, folder / "leaderboard.json")
    assert json.loads(path.read_text(encoding="utf-8")) == document


def test_an_average_takes_each_corpus_once(folder):
    text = PLAN.replace("name: other", "name: second, corpus: RAVDESS")
    text = text.replace("datasets: [", "datasets: [{dataset: two/set.csv, name: third}, ")
    finished = sweep(planned(folder, text))
    value = {(r.cell.model, r.cell.dataset): r.scores["uar"].value for r in finished.results}
    (mean,) = [m for m in leaderboard_document(finished)["averages"] if m["model"] == "b"]
    ravdess = (value["b", "RAVDESS"] + value["b", "second"]) / 2
    assert mean["scores"]["uar"]["value"] == pytest.approx((ravdess + value["b", "third"]) / 2)
    assert (mean["corpora"], mean["of"]) == (2, 2)
    assert 0 <= mean["scores"]["uar"]["low"] <= mean["scores"]["uar"]["high"] <= 1


def test_a_model_without_all_corpora_has_no_average(folder):
    text = PLAN.replace("{dataset: two/set.csv, name: other}", "gone.csv")
    document = leaderboard_document(sweep(planned(folder, text)))
    means = {mean["model"]: mean["scores"]["uar"]["value"] for mean in document["averages"]}
    assert means == {"a.onnx": None, "b": None, "majority label": 0.25}
    assert [one["dataset"] for one in document["problems"]] == ["gone.csv", "gone.csv"]
    assert "No model has been evaluated on every corpus" in leaderboard_html(document)


def test_one_more_model_costs_that_model_only(folder, monkeypatch):
    heard = []
    logits = Classifier.logits

    def counted(self, samples, lengths):
        heard.append(self.path.name)
        return logits(self, samples, lengths)

    monkeypatch.setattr(Classifier, "logits", counted)
    sweep(planned(folder, PLAN.replace("a.onnx, ", "")))
    once = heard.count("b.onnx")
    trials = once - 16
    heard.clear()
    finished = sweep(planned(folder, PLAN))
    # A model is opened, and tried, for each dataset; its clips are heard once.
    assert heard.count("b.onnx") == trials
    assert heard.count("a.onnx") == trials + 16
    assert {r.cell.model for r in finished.results if r.reused} == {"b"}


def test_a_clip_without_an_answer_is_an_error_in_every_number(tmp_path):
    runs = {
        "fails": run_of(tmp_path / "fails", [1, 2] * 4, [1, 2] * 4, failures=8),
        "answers": run_of(tmp_path / "answers", [1, 2] * 4 + [0] * 8, [1, 1, 1, 2] * 2 + [0] * 8),
    }
    for name in ("fails", "answers"):
        runs[name] = replace(
            runs[name], clip_ids=tuple(f"c{i}" for i in range(len(runs[name]))),
            failures=tuple(replace(f, clip_id=f"c{f.index}") for f in runs[name].failures),
        )  # fmt: skip
    results = [
        CellResult(
            cell=Cell(model=name, dataset="d", options="", corpus="d",
                      settings=EvalOptions(output=str(tmp_path / name))),
            own={name: asdict(own) for name, own in scores_of(run).overall.items()},
            answers=answers_of(run), clips=len(run),
            label_space=label_space_part(run, restrict=False), failed=len(run.failures),
        )
        for name, run in runs.items()
    ]  # fmt: skip
    plan = Plan(output=tmp_path, sort_by="uar", cells=tuple(r.cell for r in results))
    finished = sweep_of(plan, results)
    document = leaderboard_document(finished)
    means = {row["model"]: row["scores"]["uar"]["value"] for row in document["averages"]}
    assert means == pytest.approx({"answers": 5 / 6, "fails": 2 / 3, "majority label": 1 / 3})
    assert document["verdict"][0] == "answers has the highest UAR: 83.3 %."
    page = leaderboard_html(document)
    shown = page.count("<strong>83.3 %</strong>")
    assert shown == 4, "the mean, the set, and in its table UAR and that of the full set"
    assert "100.0 %" not in page
    files = write_tables(finished, document)
    with files["csv"].open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["answers", "fails"]
    for name, row in rows.items():
        (board,) = (one for one in document["rows"] if one["model"] == name)
        for score in HEADLINES:
            assert float(row[score]) == pytest.approx(board["ranked"][score]["value"])
    assert float(rows["fails"]["weighted_f1"]) == pytest.approx(0.5)
    assert "| 83.33 % [" in files["markdown"].read_text(encoding="utf-8")


def test_more_failures_than_the_plan_allows_are_said(folder):
    rows = []
    for i in range(4):
        path = folder / f"clip{i}.wav"
        path.write_bytes(encoded(voice(i)) if i else b"")
        rows.append({"path": path.name, "label": ("sad", "happy")[i % 2]})
    write_manifest(folder / "set.csv", rows)
    text = "models: [a.onnx]\ndatasets: [set.csv]\nmax_failures: "
    (problem,) = sweep(planned(folder, f"{text}0.1")).problems
    assert problem.warning.startswith("1 of 4 clips failed, more than max_failures (0.1) allows")
    assert problem.scores["wa"].value >= 0
    assert sweep(planned(folder, f"{text}0.5")).problems == []


def test_a_list_of_splits_is_a_dataset_for_each_and_one_corpus(tmp_path):
    cells = planned(tmp_path, """
models: [m.onnx]
datasets: [{dataset: "ravdess:data", name: R, split: [fold1.test, fold2.test], label_map: big6}]
""").cells  # fmt: skip
    assert [(c.dataset, c.corpus, c.settings.split) for c in cells] == [
        ("R fold1.test", "R", "fold1.test"),
        ("R fold2.test", "R", "fold2.test"),
    ]
    (tmp_path / "data").mkdir()
    (cell,) = planned(tmp_path, "models: [m]\ndatasets: ['ravdess:data']").cells
    assert cell.settings.dataset == f"ravdess:{tmp_path / 'data'}"


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("---\ndatasets: [org/ravdess, x/tess]\n---\n", ("org/ravdess", "x/tess")),
        ("---\ndatasets: org/ravdess\n---\n", ("org/ravdess",)),
        ("---\nlicense: mit\n---\n", None),
        ("---\n: [\n---\n", None),
    ],
)
def test_a_card_beside_a_model_says_what_it_was_trained_on(tmp_path, head, found):
    (tmp_path / "README.md").write_text(head, encoding="utf-8")
    (tmp_path / "onnx").mkdir()
    assert card_corpora(tmp_path / "model.onnx") == found
    assert card_corpora(tmp_path / "onnx" / "model.onnx") == found
    assert card_corpora(tmp_path / "elsewhere" / "model.onnx") is None


def test_the_page_is_whole_harmless_and_links_each_run(folder):
    harm = json.dumps(HARM)
    document = leaderboard_document(
        sweep(planned(folder, PLAN.replace("name: b,", f"name: {harm},")))
    )
    html = write_leaderboard(document, folder / "page.html").read_text(encoding="utf-8")
    assert "<script>window.harmed" not in html
    assert "<img" not in html
    assert html.count("<script") == 1
    links = re.findall(r'(?:src|href)="(?!#)([^"]*)"', html)
    assert len(links) == 4
    assert all(link.endswith("summary.md") and ":" not in link for link in links)
    assert 'name="viewport"' in html
    assert "unsafe" not in re.search(r'Policy" content="([^"]*)"', html)[1]
    assert "yes, on other clips of it" in html
    assert "UAR, full set" in html
    assert html.count("<caption") == 3
    columns = len(re.findall(r"<th scope=\"col\"", html))
    assert html.count('class="sort"') == columns


def rated(folder, n=12):
    """Clips of three speakers with ratings of two dimensions, and two models of these."""
    names = ("arousal", "valence")
    said = labels_metadata(names, task="dimensions", scale="-20..20", normalize="none")
    for seed in (0, 1):
        classifier(folder / f"vad{seed}.onnx", k=2, seed=seed, metadata=said)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        (folder / f"r{i}.wav").write_bytes(encoded(voice(i)))
        values = {name: f"{rng.uniform(1, 7):.2f}" for name in names}
        rows.append({"path": f"r{i}.wav", "label": "sad", "speaker": f"s{i % 3}", **values})
    write_manifest(folder / "rated.csv", rows)


def test_models_of_dimensions_are_ranked_by_ccc_and_not_among_those_of_emotions(folder):
    rated(folder)
    own = ", ".join(f"{{model: vad{seed}.onnx, scale: 1..7}}" for seed in (0, 1))
    finished = sweep(planned(folder, f"models: [a.onnx, {own}]\ndatasets: [rated.csv]\n"))
    assert finished.problems == []
    document = leaderboard_document(finished)
    assert {row["model"] for row in document["rows"]} == {"a.onnx", "majority label"}
    (table,) = document["dimensions"]
    by_name = {r.run.name: r.run for r in finished.results if r.run}
    found = compare_dimensions([by_name["vad0"], by_name["vad1"]], margin=0.01).against[0]
    change = found.changes["mean"]["ccc"]
    (test,) = table["tests"]
    assert (test["a"], test["b"]) == ("vad0.onnx", "vad1.onnx")
    assert test["difference"] == pytest.approx(change.difference.value)
    assert test["p_corrected"] == pytest.approx(change.difference.p)
    values = [row["scores"]["mean"]["value"] for row in table["rows"]]
    assert sorted(values, reverse=True) == values
    assert sorted(values) == pytest.approx(sorted((change.a, change.b)))
    best = table["rows"][0]["model"]
    *_, first, alike = document["verdict"]
    assert first.startswith(f"On rated.csv {best} has the highest mean CCC: ")
    assert "vad0.onnx and vad1.onnx (" in alike
    html = leaderboard_html(document)
    assert f"<strong>{values[0]:.2f}</strong>" in html
    assert html.count('href="#rated-1"') == 1
    files = write_tables(finished, document)
    assert f"| {best} | {values[0]:.2f} [" in files["markdown"].read_text()
    with files["csv"].open() as file:
        told = {row["model"]: row["mean_ccc"] for row in csv.DictReader(file)}
    assert float(told[best]) == pytest.approx(values[0])
    assert told["a.onnx"] == ""


def test_models_of_several_emotions_are_ranked_by_macro_f1_and_not_among_the_others(folder):
    names = ("angry", "happy", "sad")
    said = labels_metadata(names, task="emotions, several at once")
    for seed in (0, 1):
        classifier(folder / f"set{seed}.onnx", k=3, seed=seed, metadata=said)
    rows = []
    for i in range(12):
        (folder / f"m{i}.wav").write_bytes(encoded(voice(i)))
        emotions = ";".join(name for j, name in enumerate(names) if (i % 7 + 1) >> j & 1)
        rows.append({"path": f"m{i}.wav", "emotion": emotions, "speaker": f"s{i % 3}"})
    write_manifest(folder / "sets.csv", rows)
    own = ", ".join(f"{{model: set{seed}.onnx, label_separator: ;}}" for seed in (0, 1))
    finished = sweep(planned(folder, f"models: [{own}]\ndatasets: [sets.csv]\n"))
    assert finished.problems == []
    document = leaderboard_document(finished)
    assert (document["rows"], document["dimensions"]) == ([], [])
    (table,) = document["multilabel"]
    assert table["emotions"] == list(names)
    by_name = {r.run.name: r.run for r in finished.results}
    change = compare_multilabel([by_name["set0"], by_name["set1"]]).against[0].overall["macro_f1"]
    (test,) = table["tests"]
    assert test["difference"] == pytest.approx(change.difference.value)
    assert test["p_corrected"] == pytest.approx(change.difference.p)
    values = [row["scores"]["macro_f1"]["value"] for row in table["rows"]]
    assert values == pytest.approx(sorted((change.a, change.b), reverse=True))
    best = table["rows"][0]["model"]
    assert document["verdict"][0].startswith(f"On sets.csv {best} has the highest macro F1: ")
    html = leaderboard_html(document)
    assert f"<strong>{100 * values[0]:.1f}</strong>" in html
    assert "sets.csv, several emotions a clip" in html
    files = write_tables(finished, document)
    assert f"| {best} | {100 * values[0]:.1f} [" in files["markdown"].read_text()
    with files["csv"].open() as file:
        told = {row["model"]: row["multilabel_macro_f1"] for row in csv.DictReader(file)}
    assert float(told[best]) == pytest.approx(values[0])


def test_pairs_rated_in_other_columns_are_noted_and_cost_no_leaderboard(folder, monkeypatch):
    rated(folder)
    columns = "dimension_columns: arousal=valence"
    models = "[{model: vad0.onnx, scale: 1..7}]"
    options = f"[{{name: plain}}, {{name: other, {columns}}}]"
    plan = f"models: {models}\ndatasets: [rated.csv]\noptions: {options}\n"
    (folder / "plan.yaml").write_text(f"plots: false\n{plan}", encoding="utf-8")
    kept = []
    monkeypatch.setattr("serval.commands.sweep.refuse_missing", lambda _loggers: None)
    monkeypatch.setattr(
        "serval.commands.sweep.log_entry", lambda _loggers, entry: kept.append(entry) or ["kept"]
    )
    done = CliRunner().invoke(sweep_command, [str(folder / "plan.yaml"), "--log", "tensorboard"])
    assert done.exit_code == 0, done.output
    assert len(kept) == 2
    (board,) = folder.rglob("leaderboard.json")
    (table,) = json.loads(board.read_text(encoding="utf-8"))["dimensions"]
    assert len(table["rows"]) == 2
    assert table["tests"] == []
    (pair,) = table["untested"]
    assert pair["reason"].endswith("evaluate both on the same columns of one set")
    assert table["sentences"][-1] == (
        "On rated.csv, by mean CCC, cannot be compared: vad0.onnx, plain and vad0.onnx, other "
        "(vad0.onnx/rated.csv/other and vad0.onnx/rated.csv/plain have other ratings of 12 clips)."
    )


def test_a_score_that_is_not_defined_is_last():
    values = sorted((0.2, math.nan, -0.3, 0.5), key=_from_the_best)
    assert values[:3] == [0.5, 0.2, -0.3]
    assert math.isnan(values[3])


def test_a_sentence_lists_the_first_twelve_pairs():
    assert some_pairs(list("abc")) == "a; b; c"
    assert some_pairs(list("abcdefghijklm")).endswith("; k; l; and 1 more pair")
