import numpy as np
import pytest

from pages import evaluated, spoken_set
from serval.plots import reliability
from serval.plots.canvas import pictures_as
from serval.plots.classes import run_on_set
from serval.plots.reliability import save_reliability
from serval.results import write_results
from serval.scores.calibration import calibration_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return evaluated(folder, spoken_set(folder / "clips", 16))


def test_title_intervals_and_one_unit(run, monkeypatch, tmp_path):
    pictures = []
    monkeypatch.setattr(reliability, "save", lambda picture, path: pictures.append(picture) or path)
    calibration = calibration_of(run)
    save_reliability(calibration, run_on_set(run), tmp_path / "a.png")
    left, right = pictures[0].axes
    assert pictures[0].get_suptitle() == "emo on set.csv · 16 clips"
    assert (left.get_xlim(), left.get_ylim()) == ((0, 100), (0, 100))
    assert [axes.get_ylabel().split(",")[0] for axes in (left, right)] == ["right (%)"] * 2
    (bar,) = left.containers
    ends = [(s[0][1], s[1][1]) for s in bar.lines[2][0].get_segments()]
    wanted = [(100 * a.low, 100 * a.high) for a in calibration.as_is.bin_accuracy]
    assert np.allclose(ends, wanted)
    assert all(low < part.accuracy * 100 < high or part.accuracy in {0, 1}
               for (low, high), part in zip(ends, calibration.as_is.bins, strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "starts"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_pictures_in_the_chosen_format_are_the_same_every_time(run, tmp_path, chosen, starts):
    calibration = calibration_of(run)
    with pictures_as(chosen):
        paths = [save_reliability(calibration, "t", tmp_path / f"{n}.png") for n in "ab"]
    assert [path.suffix for path in paths] == [f".{chosen}"] * 2
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith(starts)


@pytest.mark.usefixtures("empty_pictures")
def test_pictures_of_an_earlier_format_are_gone(run, tmp_path):
    write_results(run, tmp_path)
    with pictures_as("svg"):
        files = write_results(run, tmp_path).files
    assert files["reliability"] == tmp_path / "reliability.svg"
    assert sorted(path.suffix for path in tmp_path.iterdir() if "re" in path.stem[:2]) == [
        ".json",
        ".svg",
    ]
    assert list(tmp_path.glob("*.png")) == []
