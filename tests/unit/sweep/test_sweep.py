import csv
import re

import pytest

from build import EMOTIONS, classifier, labels_metadata, speech_set
from conftest import ROOT
from serval.errors import ConfigError
from serval.scores import SHOWN
from serval.sweep import leaderboard_document, load_plan, sweep
from serval.sweep import write_tables as tables_of


def write_tables(finished):
    return tables_of(finished, leaderboard_document(finished))


@pytest.fixture
def plan_file(tmp_path):
    for seed in (0, 1):
        classifier(tmp_path / f"m{seed}.onnx", seed=seed, metadata=labels_metadata())
    speech_set(tmp_path / "a", 16)
    speech_set(tmp_path / "b", 8)
    return written(
        tmp_path,
        """
        sort_by: wa
        plots: false
        drop_unmapped: true
        models: [m0.onnx, {model: m1.onnx, name: second}]
        datasets: [a/set.csv, {dataset: b/set.csv, limit: 6}]
        options: [{normalize: peak}, {normalize: none}]
        """,
    )


def written(folder, text):
    path = folder / "plan.yaml"
    path.write_text(re.sub(r"^ {8}", "", text, flags=re.M), encoding="utf-8")
    return path


@pytest.fixture
def small_plan(plan_file):
    text = plan_file.read_text(encoding="utf-8").replace(", {normalize: none}", "")
    plan_file.write_text(text, encoding="utf-8")
    return load_plan(plan_file)


def test_the_matrix_is_every_model_on_every_dataset_with_every_option(plan_file, tmp_path):
    cells = load_plan(plan_file).cells
    assert len(cells) == 8
    last = cells[-1]
    assert (last.model, last.dataset, last.options) == ("second", "b/set.csv", "normalize=none")
    assert (last.settings.limit, last.settings.drop_unmapped) == (6, True)
    assert last.settings.model == str(tmp_path / "m1.onnx")
    assert last.settings.output == str(
        tmp_path / "sweep_results" / "second" / "b-set.csv" / "normalize-none"
    )


def test_the_plan_in_the_docs_is_one(tmp_path):
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(
        re.search(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1], encoding="utf-8"
    )
    plan = load_plan(tmp_path / "plan.yaml")
    assert {(cell.model, cell.options) for cell in plan.cells} == {
        ("serval-tiny", "as made"),
        ("serval-tiny", "z-scored"),
        ("mine", "as made"),
        ("mine", "z-scored"),
    }
    assert plan.cells[-1].settings.label_map == "ANG=angry,HAP=happy"


def test_a_sweep_ends_in_one_sorted_table(small_plan):
    finished = sweep(small_plan)
    files = write_tables(finished)
    scores = [result.scores["wa"].value for result in finished.results]
    assert scores == sorted(scores, reverse=True)
    with files["csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["wa"]) for row in rows] == scores
    assert {row["clips"] for row in rows} == {"16", "6"}
    for row in rows:
        for name in SHOWN:
            assert float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"])
    markdown = files["markdown"].read_text(encoding="utf-8")
    assert markdown.count("\n| ") == 5
    assert "Not done" not in markdown


def test_rows_that_are_not_of_one_task_are_said_to_be(tmp_path, manifest):
    four = classifier(tmp_path / "four.onnx", metadata=labels_metadata(EMOTIONS[:4]), k=4)
    eight = classifier(tmp_path / "eight.onnx", metadata=labels_metadata())
    text = f"plots: false\ndrop_unmapped: true\nmodels: [{four}, {eight}]\ndatasets: [{manifest}]\n"
    files = write_tables(sweep(load_plan(written(tmp_path, text))))
    markdown = files["markdown"].read_text(encoding="utf-8")
    assert "the rows are not of one task (4 labels with 4 clips left out, 8 labels" in markdown
    with files["csv"].open(encoding="utf-8", newline="") as file:
        assert {(row["labels"], row["left_out"]) for row in csv.DictReader(file)} == {
            ("4", "4"), ("8", "0"),
        }  # fmt: skip


def test_what_is_done_is_not_done_again(small_plan):
    first = sweep(small_plan)
    steps = []
    again = sweep(small_plan, lambda cell, step: steps.append(step))
    assert not any(result.reused for result in first.results)
    assert all(result.reused for result in again.results)
    assert steps == []
    assert [r.scores for r in again.results] == [r.scores for r in first.results]


def test_a_changed_plan_starts_over_when_asked(plan_file):
    sweep(load_plan(plan_file))
    text = plan_file.read_text(encoding="utf-8").replace("drop_unmapped: true", "limit: 4")
    plan_file.write_text(text, encoding="utf-8")
    changed = load_plan(plan_file)
    stale = sweep(changed).problems
    assert len(stale) == len(changed.cells)
    assert "--fresh" in stale[0].problem
    again = sweep(changed, fresh=True)
    assert again.problems == []
    assert {r.clips for r in again.results} == {4, 6}


@pytest.mark.usefixtures("empty_pictures")
def test_the_score_that_the_table_is_sorted_by_is_in_it(tmp_path, model_file, manifest):
    plan = load_plan(
        written(
            tmp_path,
            f"sort_by: macro_precision\nmodels: [{model_file}]\ndatasets: [{manifest}]\n",
        )
    )
    files = write_tables(sweep(plan))
    assert "| failed | macro_precision | wa |" in files["markdown"].read_text(encoding="utf-8")
    with files["csv"].open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["macro_precision_low"]) <= float(row["macro_precision"])


def test_an_interrupted_sweep_goes_on(small_plan):
    plan = small_plan

    def stop(cell, step):
        if cell == plan.cells[1] and step.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(plan, stop)
    resumed = {}
    finished = sweep(plan, lambda cell, step: resumed.setdefault(cell.settings.output, step))
    assert resumed[plan.cells[1].settings.output].resumed == 5
    assert plan.cells[0].settings.output not in resumed
    assert {r.clips for r in finished.results} == {16, 6}


def test_a_cell_that_cannot_be_done_is_named_and_last(tmp_path, model_file, manifest):
    text = f"plots: false\nmodels: [{model_file}, gone.onnx]\ndatasets: [{manifest}]\n"
    plan = written(tmp_path, text)
    finished = sweep(load_plan(plan))
    assert [r.cell.model for r in finished.problems] == ["gone.onnx"]
    assert finished.results[-1].problem.startswith("no model 'gone.onnx'")
    files = write_tables(finished)
    assert "gone.onnx x" in files["markdown"].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("models: [a]\ndatasets: [b]\nsort: uar\n", "unknown key 'sort'; known: .*sort_by"),
        ("models: [a]\ndatasets: [b]\nsort_by: speed\n", "cannot sort by 'speed'; known: wa, uar"),
        ("models: [a]\n", "must name `models` and `datasets`"),
        ("models: a\ndatasets: [b]\n", "`models` must be a list"),
        ("models: [{limit: 3}]\ndatasets: [b]\n", "an entry of `models` has no `model`"),
        ("models: [a]\ndatasets: [b]\noptions: [c]\n", "must be a map of options, not 'c'"),
        ("models: [3]\ndatasets: [b]\n", "must be a name or a map of options, not 3"),
        ("models: [~]\ndatasets: [b]\n", "must be a name or a map of options, not None"),
        ("models: [a]\ndatasets: [[b]]\n", "`datasets` must be a name or a map"),
        ("models: [{model: a, lr: 1}]\ndatasets: [b]\n", "unknown key 'lr'"),
        ("models: [a, a]\ndatasets: [b]\n", "give their entries a name each"),
        ("models: [a\n", "cannot be read as YAML"),
    ],
)
def test_a_plan_that_is_wrong_says_where(tmp_path, text, fault):
    with pytest.raises(ConfigError, match=fault):
        load_plan(written(tmp_path, text))


def test_names_with_markup_stay_text(tmp_path, model_file, manifest):
    name = "<b>|x</b>"
    entry = f"{{model: '{model_file}', name: '{name}'}}"
    plan = written(tmp_path, f"plots: false\nmodels: [{entry}]\ndatasets: [{manifest}]\n")
    files = write_tables(sweep(load_plan(plan)))
    assert "<b>\\|x</b>" in files["markdown"].read_text(encoding="utf-8")


def test_labels_may_be_a_list_and_a_label_map_a_map(tmp_path):
    plan = load_plan(written(tmp_path, """
        models: [{model: m.onnx, labels: [sad, happy]}]
        datasets: [{dataset: demo, label_map: {SAD: sad, HAP: happy}}]
        """))  # fmt: skip
    assert plan.cells[0].settings.labels == "sad,happy"
    assert plan.cells[0].settings.label_map == "SAD=sad,HAP=happy"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("limit: many", "`limit` must be a whole number, not 'many'"),
        ("limit: true", "`limit` must be a whole number, not True"),
        ("drop_unmapped: 1", "`drop_unmapped` must be true or false, not 1"),
        ("max_seconds: [3]", r"`max_seconds` must be a number, not \[3\]"),
        ("split: 3", "`split` must be text, not 3"),
        ("options: [{split: []}]", "`split` of split=\\[\\] is an empty list"),
    ],
)
def test_a_value_of_another_kind_is_refused(tmp_path, line, fault):
    path = written(tmp_path, f"        {line}\n        models: [m.onnx]\n        datasets: [demo]")
    with pytest.raises(ConfigError, match=fault):
        load_plan(path)


def test_no_spreadsheet_runs_a_cell_of_the_table(tmp_path):
    plan = load_plan(written(tmp_path, """
        models: [{model: gone.onnx, name: "=1+1"}]
        datasets: [demo]
        """))  # fmt: skip
    text = write_tables(sweep(plan))["csv"].read_text(encoding="utf-8")
    assert "\n=1+1" not in text
    assert "'=1+1" in text


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("report: true", "unknown key 'report'"),
        ("quiet: true", "unknown key 'quiet'"),
        ("json: true", "unknown key 'json'"),
        ("label_colum: x", "did you mean 'label_column'?"),
    ],
)
def test_a_key_that_nothing_reads_is_named(tmp_path, key, said):
    for text in (
        f"{key}\nmodels: [m]\ndatasets: [d]",
        f"models: [{{model: m, {key}}}]\ndatasets: [d]",
    ):
        (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="plan") as refused:
            load_plan(tmp_path / "plan.yaml")
        assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [m]\ndatasets: [{dataset: d, model: other}]\n", "unknown key 'model'"),
        ("models: [m]\ndatasets: [d]\ndataset: other\n", "unknown key 'dataset'"),
        ("models: [m]\ndatasets: [{dataset: d, labels: [no, sad]}]\n", "put it in quotes"),
    ],
)
def test_a_plan_says_one_thing_in_one_place(tmp_path, text, said):
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_plan(tmp_path / "plan.yaml")
