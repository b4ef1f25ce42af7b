"""What a page, a card and the terminal say of groups that are too small to tell."""

import numpy as np
import pytest

from runs import run_of
from serval.commands.tables import group_tables
from serval.groups import groups_of
from serval.report.card import card_section
from serval.report.trust import group_charts
from serval.results.document import without_nan
from serval.scores import scores_of


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
        "F is 10 points above M: cannot tell whether that is chance (too few clips: M has 30)."
    )


def test_the_terminal_and_the_card_say_it_too(run):
    (table,) = group_tables({"groups": without_nan(groups_of(run).as_dict())})
    assert table.caption == "F 10 points above M: cannot tell (too few clips: M has 30)"
    section = card_section(run, scores_of(run))
    assert "### Groups\n\n- Cannot tell whether gaps in accuracy are more than chance" in section
    assert "no more than chance" not in section
