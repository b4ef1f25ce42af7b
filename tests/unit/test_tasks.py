"""One registry of tasks: every table has an entry for each, or refuses it in one sentence."""

import numpy as np
import pytest

from runs import run_of_dimensions
from serval.commands import compare, predict, windows
from serval.commands.answers import ANSWERS
from serval.commands.runs import COLUMNS
from serval.commands.tables import SHOWN_OF
from serval.comparison.compare import COMPARISONS
from serval.errors import ConfigError
from serval.label_plan import READERS, TRUTHS
from serval.library.results import Result
from serval.quantize.judged import JUDGES
from serval.report.card import CARDS
from serval.results import RESULTS, results_of
from serval.scores.score import scores_of
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, TASKS, ByTask, task_in, task_named


@pytest.mark.parametrize(
    "table",
    [READERS, TRUTHS, RESULTS, COMPARISONS, JUDGES, CARDS, SHOWN_OF, ANSWERS, COLUMNS,
     compare.SHOWN, predict.SHOWN, windows.SHOWN],
)  # fmt: skip
def test_what_takes_every_task_has_an_entry_for_each(table):
    assert set(table) == set(TASKS)


def test_a_task_without_a_part_is_refused_in_one_sentence():
    pages = ByTask(
        what="the page shows",
        parts={CATEGORICAL: "a", DIMENSIONAL: "b"},
        instead="see summary.md",
    )
    assert pages.of(DIMENSIONAL, "runs/x") == "b"
    assert pages.refusal(CATEGORICAL, "runs/x") == ""
    said = (
        "runs/x has several emotions a clip, and the page shows one emotion a clip or dimensions; "
        "see summary.md"
    )
    with pytest.raises(ConfigError, match=f"^{said}$"):
        pages.of(MULTILABEL, "runs/x")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_found_by_each_of_its_names(task):
    assert task_named(task.model) is task_named(f" {task.problem_type.upper()} ") is task
    assert task_in({"task": task.key}) is task
    assert task.headline in RESULTS[task].titles


def test_another_name_is_none():
    with pytest.raises(ValueError, match="expected one of single_label_classification, multi_lab"):
        task_named("ranking")
    assert task_in({}) is CATEGORICAL


def test_a_run_of_dimensions_has_its_scores_by_every_way(tmp_path):
    truth = np.stack([np.linspace(1, 7, 24), np.linspace(7, 1, 24)], axis=1)
    run = run_of_dimensions(tmp_path, truth, truth, names=["arousal", "valence"])
    found = results_of(run)
    assert found.headline.value == pytest.approx(1.0)
    assert found.bounded["ccc:arousal"] == found.scores.per_dimension["arousal"]["ccc"]
    result = Result(run=run)
    assert "mean CCC 1.00" in repr(result)
    assert "<th>dimension</th>" in result._repr_html_()
    with pytest.raises(ConfigError, match="has dimensions, and these scores are of one emotion"):
        scores_of(run)
