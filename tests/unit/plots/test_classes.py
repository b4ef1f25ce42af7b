import pytest
from matplotlib import image
from matplotlib.text import Text

from build import EMOTIONS
from runs import run_of
from serval.plots import classes
from serval.scores import scores_of


@pytest.mark.parametrize("draw", [classes.save_confusion_matrix, classes.save_per_class])
def test_long_names_stay_within_the_picture(tmp_path, monkeypatch, draw):
    drawn = []
    monkeypatch.setattr(classes, "save", lambda picture, _path: drawn.append(picture))
    labels = ("neutral or calm (no emotion)", "angry")
    names = {"name": "wav2vec2-large-robust-12-ft-emotion-msp-dim.quantized"}
    run = run_of(
        tmp_path,
        [0, 1, 1],
        [0, 1, 0],
        labels=labels,
        model=names,
        dataset={"name": "validation_speaker_independent_fold_1.csv"},
    )
    draw(run, scores_of(run), tmp_path / "a.png")
    (picture,) = drawn
    picture.draw_without_rendering()
    texts = [text for text in picture.findobj(Text) if text.get_text() and text.get_visible()]
    assert names["name"] in " ".join(text.get_text() for text in texts)
    for text in texts:
        box = text.get_window_extent()
        assert picture.bbox.x0 - 2 <= box.x0, text
        assert box.x1 <= picture.bbox.x1 + 2, text
        assert box.y1 <= picture.bbox.y1 + 2, text


@pytest.mark.parametrize("draw", [classes.save_confusion_matrix, classes.save_per_class])
def test_nothing_is_cut_off_at_the_edge(tmp_path, draw, fine_pictures):
    run = run_of(tmp_path, [*range(8)] * 8, [0, 1] * 32, labels=EMOTIONS)
    pixels = image.imread(draw(run, scores_of(run), tmp_path / "picture.png"))[..., :3]
    edges = (pixels[:, :3], pixels[:, -3:], pixels[:3], pixels[-3:])
    assert all(edge.min() == 1 for edge in edges)


@pytest.mark.parametrize("draw", [classes.save_confusion_matrix, classes.save_per_class])
def test_of_many_classes_the_largest_are_drawn(tmp_path, monkeypatch, draw):
    drawn = []
    monkeypatch.setattr(classes, "save", lambda picture, _path: drawn.append(picture))
    truth = [i for i in range(60) for _ in range(1 + (i % 3))]
    run = run_of(tmp_path, truth, truth, labels=[f"l{i:02d}" for i in range(60)])
    draw(run, scores_of(run, resamples=100), tmp_path / "a.png")
    (picture,) = drawn
    texts = [text.get_text() for text in picture.findobj(Text)]
    assert any("the 24 largest of 60 classes" in text for text in texts)
    shown = {text[:3] for text in texts if text.startswith("l") and text[1:3].isdigit()}
    assert len(shown) == classes.MOST_CLASSES
    assert {f"l{i:02d}" for i in range(2, 60, 3)} <= shown
    assert picture.get_size_inches().max() < 40
