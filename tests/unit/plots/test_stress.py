import pytest

from serval.plots import stress
from serval.plots.stress import HeatMapRow, StressCurve, save_curves, save_heat_map


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, in place of files."""
    figures = []
    monkeypatch.setattr(stress, "save", lambda picture, path: figures.append(picture) or path)
    return figures


def curve(name, panel, unit, levels=(0, 10, 20)):
    uar = [0.3, 0.5, 0.7]
    return StressCurve(
        name=name,
        panel=panel,
        unit=unit,
        levels=levels,
        uar=uar,
        low=uar,
        high=uar,
        few=[True, *[False] * (len(uar) - 1)],
    )


def test_kinds_with_equal_levels_share_a_panel_and_all_lines_are_told(drawn, tmp_path):
    curves = [
        *(curve(name, "noise", "dB SNR") for name in ("white", "babble", "music", "tone")),
        *(curve(name, "time", "samples") for name in ("crop", "append")),
        *(curve(name, "time", "%") for name in ("speed", "pitch")),
        curve("packet_loss", "packet_loss", "%"),
    ]
    save_curves(curves, {"clean": 0.8, "random": 0.125}, "title", tmp_path / "x.png")
    (picture,) = drawn
    panels = [axes for axes in picture.axes if axes.axison]
    titles = [axes.get_title() for axes in panels]
    assert titles == ["noise", "crop, append", "speed, pitch", "packet loss"]
    told = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert told == ["white", "babble", "music", "tone"]
    assert panels[3].get_legend() is None, "its title says what it is"
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == ["clean 0.80", "random 0.12"]
    assert picture.get_supylabel() == "UAR, 95 % band, hollow: stopped after fewer clips"
    shown = {line.get_color() for line in panels[0].get_lines()}
    assert {line.get_color() for line in legend.get_lines()} <= shown


def test_the_heat_map_says_how_many_clips_a_column_rests_on(drawn, tmp_path):
    row = HeatMapRow(
        family="noise",
        name="white_20db",
        unchanged=0.5,
        uar_change=-0.2,
        recall_change={"calm": -1.0, "sad": None, "happy": 0.001},
        failed_rule=True,
    )
    clips = {"calm": 1, "sad": 0, "happy": 40}
    save_heat_map([row], clips, "title", tmp_path / "x.png")
    axes = drawn[0].axes[0]
    heads = [text.get_text() for text in axes.get_xticklabels()]
    assert heads == ["UAR", "calm (1)", "happy (40)"]
    assert [text.get_text() for text in axes.texts] == ["-20", "-100", "0"]
    assert "✗" in axes.get_yticklabels()[0].get_text()
