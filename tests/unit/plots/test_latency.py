import pytest

from serval.plots import latency
from serval.plots.latency import LatencyCurve, save_latency


def curve(name="m", *, ms=(100, 200), calls=30):
    median_s = [each / 1000 for each in ms]
    slow = [1.5 * each for each in median_s]
    return LatencyCurve(
        name=name, seconds=[1, 2], median_s=median_s, p95_s=slow, calls=[calls, calls]
    )


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws curves and returns the axes."""
    pictures = []
    monkeypatch.setattr(latency, "save", lambda picture, path: pictures.append(picture) or path)

    def draw(*curves):
        save_latency(curves, "title", tmp_path / "a.png")
        return pictures[-1].axes[0]

    return draw


def test_the_picture_is_the_same_every_time(tmp_path):
    curves = [curve(f"m{i}") for i in range(10)]
    first = save_latency(curves, "title", tmp_path / "a.png").read_bytes()
    assert first == save_latency(curves, "title", tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")


def test_the_axis_shows_what_was_measured_and_no_empty_decades(drawn):
    low, high = drawn(curve(ms=(2, 4))).get_ylim()
    assert 1 < low < 2
    assert 6 < high < 12
    assert drawn(curve(ms=(2, 4))).get_legend_handles_labels()[1][-1] == (
        "real time (above the picture)"
    )
    assert drawn(curve(ms=(900, 2100))).get_legend_handles_labels()[1][-1] == "real time"


def test_three_calls_have_no_95th_percentile(drawn):
    few, enough = drawn(curve(calls=3)), drawn(curve(calls=20))
    assert (len(few.collections), len(enough.collections)) == (0, 1)
    assert few.get_ylabel() == "latency in ms (median of 3 calls)"
    assert enough.get_ylabel() == "latency in ms (band: to the 95th percentile)"


@pytest.mark.parametrize(
    ("ms", "labels"), [((110, 190), {"120", "180"}), ((60, 520), {"100", "500"})]
)
def test_milliseconds_are_written_as_people_write_them(drawn, ms, labels):
    axes = drawn(curve(ms=ms, calls=3))
    axes.figure.canvas.draw()
    texts = {tick.get_text() for minor in (False, True)
             for tick in axes.get_yticklabels(minor=minor)}  # fmt: skip
    assert labels <= texts
    assert not [text for text in texts if "\N{MULTIPLICATION SIGN}" in text or "$" in text]
