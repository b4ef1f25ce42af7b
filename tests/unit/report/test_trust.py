"""What a page, a card and the terminal say of groups that are too small to tell."""

import numpy as np
import pytest

from runs import run_of
from serval.commands.tables import print_groups
from serval.commands.terminal import terminal
from serval.groups import groups_of
from serval.report.card import card_text
from serval.report.emotions import coverage_chart, group_charts
from serval.scores.calibration import calibration_of
from serval.wording import without_nan


@pytest.fixture
def run(tmp_path):
    """Men are less well understood by 10 points, of 60 clips."""
    truth = np.arange(60) % 3
    predicted = np.where(np.arange(60) < 3, (truth + 1) % 3, truth)
    genders = {"gender": ["M"] * 30 + ["F"] * 30}
    return run_of(tmp_path, truth, predicted, groups=genders, dataset={"fingerprint": "0" * 64})


def test_a_chart_says_why_it_cannot_tell(run):
    (chart,) = group_charts(["m"], [groups_of(run)])
    assert chart.note == (
        "Largest gap: F is right 10 points more often than M; cannot tell whether that is chance, "
        "since some groups are too small: M has 30 clips."
    )


def test_lengths_rise_and_those_in_words_stay(tmp_path):
    truth, words = np.arange(60) % 3, ["short", "long", "short"] * 20
    durations = np.linspace(12, 1, 60)
    runs = [
        run_of(tmp_path / "cut", truth, truth, durations=durations),
        run_of(tmp_path / "words", truth, truth, groups={"duration": words}),
    ]
    labels = [
        [row["label"] for row in chart.rows]
        for run in runs
        for chart in group_charts(["x"], [groups_of(run)])
    ]
    assert labels == [["1-3.8 s", "3.8-6.5 s", "6.5-9.2 s", "9.2-12 s"], ["short", "long"]]


def test_the_terminal_and_the_card_say_it_too(run, capsys):
    print_groups(terminal(), {"groups": without_nan(groups_of(run).as_dict())})
    assert "Largest gap: F is right 10 points more often than M; cannot" in capsys.readouterr().out
    section = card_text(run)
    assert "### Groups\n\n- Cannot tell whether accuracy differs by gender: a gap of 10" in section
    row = (
        "| gender | 10 | F over M | cannot tell, since some groups are too small: M has 30 clips |"
    )
    assert row in section
    assert "no more than chance" not in section


def test_a_share_of_few_clips_is_the_share_that_they_are(tmp_path):
    run = run_of(tmp_path / "r", [0], [0])
    assert [(row["coverage"], row["clips"]) for row in
            coverage_chart(["m"], [calibration_of(run)]).rows] == [(1.0, 1)]  # fmt: skip
