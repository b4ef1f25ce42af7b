import numpy as np

from serval.plots import timeline as drawn
from serval.plots.timeline import Timeline, save_timeline


def told(k=10, w=5):
    probs = np.random.default_rng(0).dirichlet(np.ones(k), w)
    return Timeline(
        labels=[f"e{i}" for i in range(k)],
        starts_s=np.arange(w) * 1.0,
        ends_s=np.arange(w) + 3.0,
        probs=probs,
        mean=probs.mean(axis=0),
    )


def test_the_picture_is_the_same_every_time(tmp_path):
    first = save_timeline(told(), "title", tmp_path / "a.png").read_bytes()
    assert first == save_timeline(told(), "title", tmp_path / "b.png").read_bytes()
    assert first.startswith(b"\x89PNG")


def test_a_line_for_each_of_the_likeliest_at_the_middle_of_its_windows(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(drawn, "save", lambda picture, path: kept.append(picture) or path)
    timeline = told()
    save_timeline(timeline, "title", tmp_path / "a.png")
    (picture,) = kept
    lines = picture.axes[0].lines
    assert len(lines) == 8
    assert all(line.get_xdata().tolist() == [1.5, 2.5, 3.5, 4.5, 5.5] for line in lines)
    names = [line.get_label().partition(",")[0] for line in lines]
    means = [timeline.mean[int(name[1:])] for name in names]
    assert means == sorted(means, reverse=True)
    for name, line in zip(names, lines, strict=True):
        assert line.get_ydata().tolist() == timeline.probs[:, int(name[1:])].tolist()
    left_out = set(range(10)) - {int(name[1:]) for name in names}
    assert max(timeline.probs[:, i].max() for i in left_out) <= min(
        timeline.probs[:, int(name[1:])].max() for name in names
    )
