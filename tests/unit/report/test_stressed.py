from dataclasses import replace

import numpy as np

from build import encoded, voice
from pages import spoken_set
from runs import run_of
from serval.options import EvalOptions
from serval.report.stressed import lead_of, stressed
from serval.stress import StressOptions, examples_of, load_stress, stress


def stored_after(folder, model_file, n, suite):
    """A stress test of n spoken clips, stored and read again."""
    options = EvalOptions(
        model=str(model_file),
        dataset=str(spoken_set(folder / "clips", n)),
        output=str(folder / "stress"),
        workers=1,
    )
    stress(StressOptions(evaluation=options, suite=suite))
    return load_stress(folder / "stress")


def test_what_matters_comes_first_and_verdicts_without_ten_clips_are_none(tmp_path, model_file):
    tested = stored_after(tmp_path, model_file, 12, "gain_plus1db,white")
    shown = stressed(tested, "m", audio=False)
    assert [chart.id for chart in shown.charts] == [
        "stress-families", "stress-cases", "stress-white"
    ]  # fmt: skip
    cases = {row["label"]: row["outcome"] for row in shown.charts[1].rows}
    assert cases["gain_plus1db"] == "cannot tell", "no emotion has ten of the 12 clips"
    assert cases["white_10db"] == "none published"
    assert "A random model has a UAR of " in shown.charts[1].note
    assert "of the clips the same answer." in shown.charts[1].note
    assert (shown.examples, shown.sounds, shown.notes) == ((), {}, ())


def test_a_clip_that_is_another_file_by_now_is_no_example(tmp_path, model_file):
    tested = stored_after(tmp_path, model_file, 4, "white_0db,mulaw")
    said = tested.clean.predicted
    broken = {
        name: replace(run, truth=said, predicted=(said + 1) % len(run.labels))
        for name, run in tested.runs.items()
    }
    tested = replace(tested, clean=replace(tested.clean, truth=said), runs=broken)
    assert len(stressed(tested, "m", audio=True).examples) == 2
    for example in examples_of(tested):
        assert example.clean_label == example.truth != example.label
        assert 0 < example.confidence <= 1
        assert len(example.perturbed) > 0
        assert example.clean.tolist() != example.perturbed.tolist()
    for path in (tmp_path / "clips").glob("*.wav"):
        path.write_bytes(encoded(voice(99)))
    shown = stressed(tested, "m", audio=True)
    assert (shown.examples, shown.sounds) == ((), {})
    assert shown.notes == (
        "2 clips are not the files that were evaluated and cannot be heard here.",
    )


def test_doubtful_verdicts_say_so(tmp_path):
    clips = np.arange(60) % 3
    worse = np.where(np.arange(60) < 2, (clips + 1) % 3, clips)
    for name, predicted in (("clean", clips), ("gain_plus1db", worse)):
        run_of(tmp_path / name, clips, predicted, model={"name": "m", "sha256": "m"})
    tested = load_stress(tmp_path)
    (row,) = stressed(tested, "m", audio=False).charts[1].rows
    assert row["unchanged"] == 58 / 60
    assert row["outcome"] == "kept, not sure", "60 clips are too few for 95 %"


def test_a_test_says_which_model_it_is_of_and_on_which_clips(tmp_path):
    clips = np.arange(60) % 3
    python = {"sha256": "m", "runtime": {"name": "python"}}
    data = {"name": "clips.csv", "fingerprint": "f"}
    for name in ("clean", "gain_plus1db"):
        run_of(tmp_path / name, clips, clips, model=python | {"name": "mod:a"}, dataset=data)
    tested = load_stress(tmp_path)
    run = run_of(tmp_path / "b", clips[:6], clips[:6], model=python | {"name": "mod:b"})
    assert not tested.clean.same_model(run), "another object of the same file"
    own = run_of(tmp_path / "a", clips, clips, model=python | {"name": "mod:a"}, dataset=data)
    assert tested.clean.same_model(own)
    lead = (
        "The model of x (B) on 60 clips of clips.csv with noise, rooms, codecs and other changes."
    )
    assert lead_of(tested, own, "x (B)") == lead
    assert lead_of(tested, run, "x (B)") == f"{lead} These are not the 6 clips of the run itself."
