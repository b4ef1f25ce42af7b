"""Long clips in windows: the cuts, their mean, and every command that takes them."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build import classifier, encoded, labels_metadata, speech_set, voice
from serval.audio import Streamed, decode
from serval.errors import AudioError, ConfigError
from serval.evaluation import evaluate_named
from serval.models.contract import cut_sentences
from serval.models.load import load_as_stated
from serval.models.options import InferenceOptions
from serval.models.windowed import in_windows
from serval.options import EvalOptions
from serval.predict import infer, predict_windows
from serval.probabilities import probabilities_of
from serval.records import Clip, Failure
from serval.run import load_run


def opened(path, **options):
    return load_as_stated(str(path), InferenceOptions(**options))


def plain_cuts(n, length, hop):
    """The windows of n samples, by a plain loop."""
    if n <= length:
        return [(0, n)]
    cuts, start = [], 0
    while start + length <= n:
        cuts.append((start, start + length))
        start += hop
    return cuts if cuts[-1][1] == n else [*cuts, (n - length, n)]


@given(
    st.integers(1, 300), st.integers(1, 60), st.data(), st.lists(st.integers(0, 50), max_size=12)
)
@settings(max_examples=300)
def test_windows_are_those_of_a_plain_loop_however_the_waveform_comes(n, length, data, sizes):
    hop = data.draw(st.integers(1, length))
    samples = np.arange(n, dtype=np.float32)
    blocks = np.split(samples, np.minimum(np.cumsum(sizes, dtype=int), n))
    found = list(in_windows(blocks, length, hop))
    assert [(start, start + len(cut)) for start, cut in found] == plain_cuts(n, length, hop)
    assert all(np.array_equal(cut, samples[start : start + len(cut)]) for start, cut in found)


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
@pytest.mark.parametrize("kind", [{}, {"softmax": True}, {"static": 8_000, "batch": 1}])
def test_the_answer_is_the_mean_over_a_plain_loop(kind, mean, tmp_path):
    path = classifier(tmp_path / "m.onnx", metadata=labels_metadata(), **kind)
    plain, model = opened(path), opened(path, window=0.5, hop=0.2, window_mean=mean)
    samples = voice(3, 1.73)
    each = np.concatenate(
        [plain.logits(samples[np.newaxis, a:b], np.array([b - a]))
         for a, b in plain_cuts(len(samples), 8_000, 3_200)]
    )  # fmt: skip
    assert len(each) == 8
    probs = probabilities_of(each, plain.contract.outputs)
    expected = probabilities_of(each.mean(axis=0)) if mean == "logits" else probs.mean(axis=0)
    given = model.logits(samples[np.newaxis], np.array([len(samples)]))
    assert given.dtype == np.float32
    np.testing.assert_allclose(probabilities_of(given[0]), expected, atol=1e-6)


def test_independent_scores_are_averaged_as_such(tmp_path):
    from graphs import classifier_graph, node

    path = classifier_graph(tmp_path / "m.onnx", after=[node("Sigmoid", "scores", "logits")])
    plain, model = opened(path), opened(path, window=0.5)
    assert model.contract.outputs == "sigmoid"
    halves = voice(1, 1.0).reshape(2, -1)
    each = [probabilities_of(plain.logits(h[np.newaxis], np.array([8_000])), "sigmoid")
            for h in halves]  # fmt: skip
    given = model.logits(halves.reshape(1, -1), np.array([16_000]))
    np.testing.assert_allclose(probabilities_of(given, "sigmoid"), np.mean(each, axis=0), atol=1e-6)


def test_a_clip_of_one_window_is_answered_as_without(model_file):
    samples = voice(2, 0.9)[np.newaxis]
    plain = opened(model_file).logits(samples, np.array([samples.shape[1]]))
    for mean in ("logits", "probabilities"):
        model = opened(model_file, window=0.9, hop=0.1, window_mean=mean)
        assert np.array_equal(model.logits(samples, np.array([samples.shape[1]])), plain)


INVERTED = np.stack([voice(4, 1.1), -0.5 * voice(4, 1.1)], axis=1)
SOUNDS = {
    "wav": encoded(voice(1, 1.2)),
    "flac at 44.1 kHz": encoded(voice(1, 1.2, rate=44_100), rate=44_100, form="FLAC"),
    "mp3": encoded(voice(1, 1.2, rate=24_000), rate=24_000, form="MP3"),
    "stereo that cancels out": encoded(INVERTED),
    "stereo": encoded(np.stack([voice(4, 1.1), voice(5, 1.1)], axis=1), rate=8_000),
    "joined": encoded(voice(1, 0.5)) + encoded(voice(2, 0.7, rate=8_000), rate=8_000),
    "silence": encoded(np.zeros(9_000, np.float32)),
    "flac before what is none": encoded(voice(1, 0.5), form="FLAC") + b"junk" * 99,
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_clip_in_blocks_is_the_clip_to_the_last_bit(kind):
    whole, streamed = decode(SOUNDS[kind], 16_000), Streamed(SOUNDS[kind], 16_000)
    assert np.array_equal(np.concatenate(list(streamed.blocks())), whole.samples)
    assert streamed.duration_s == pytest.approx(whole.duration_s, abs=1e-9)
    assert set(streamed.notes) == set(whole.notes)


WRONG = {
    "text": b"no sound at all",
    "cut": encoded(voice(1, 1.2))[:-9_000],
    "nan": encoded(np.float32([0.1, np.nan, 0.2]), subtype="FLOAT"),
    "empty": encoded(np.zeros(0, np.float32)),
    "one sample": encoded(np.ones(1, np.float32), rate=44_100),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_clip_is_wrong_with_it_in_blocks(kind):
    with pytest.raises(AudioError) as whole:
        decode(WRONG[kind], 16_000)
    with pytest.raises(AudioError) as streamed:
        list(Streamed(WRONG[kind], 16_000).blocks())
    assert type(streamed.value) is type(whole.value)
    assert str(streamed.value) == str(whole.value)


def test_a_long_file_is_never_in_memory_decoded(model_file, monkeypatch):
    import tracemalloc

    model = opened(model_file, window=1.0)
    file = encoded(np.resize(voice(1, 5.0), 16_000 * 240), subtype="PCM_U8")
    clip = Clip(id="long", index=0, label="", audio=file)
    tracemalloc.start()
    record, moments = predict_windows(model, clip)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(moments) == 240
    assert record.duration_s == 240
    assert peak < len(file)  # decoded it is four times as large


def test_windows_that_do_not_fit_are_refused_before_the_first_clip(model_file, tmp_path):
    short = classifier(tmp_path / "m.onnx", metadata=labels_metadata(), static=8_000, batch=1)
    for options, said in (
        ({"window": 200.0}, r"--window is 200 s, but the model hears 120 s at once"),
        ({"window": 0.0}, r"--window is 0; give seconds above 0"),
        ({"window": float("nan")}, r"--window is nan"),
        ({"window": 3.0, "hop": 4.0}, r"--hop is 4 s; give from 0.01 s to the --window of 3 s"),
        ({"window": 3.0, "hop": 0.0}, r"--hop is 0 s"),
        ({"window_mean": "logits"}, r"--window-mean is about windows; give --window"),
        ({"hop": 1.0}, r"--hop is the distance of windows; give --window"),
        ({"window": 3.0, "window_mean": "votes"}, r"unknown --window-mean 'votes'; known: prob"),
    ):
        with pytest.raises(ConfigError, match=said):
            opened(model_file, **options)
    with pytest.raises(ConfigError, match=r"hears 0\.5 s at once"):
        opened(short, window=1.0)


def test_windows_shorter_than_what_the_model_takes_are_told(tmp_path):
    fixed = classifier(tmp_path / "m.onnx", metadata=labels_metadata(), static=8_000, batch=1)
    (said,) = cut_sentences(opened(fixed, window=0.2).facts, np.array([3.0]))
    assert said.startswith("The model takes exactly 0.5 s: each window of 0.2 s was filled up")
    assert said.endswith("hear it with --window 0.5.")
    assert cut_sentences(opened(fixed, window=0.5).facts, np.array([3.0])) == []


def test_a_clip_that_is_too_long_says_what_to_do_and_is_heard_then(model_file, tmp_path):
    clip = Clip(id="long", index=0, label="", audio=encoded(voice(1, 3.0)))
    (failure,) = infer(opened(model_file, max_seconds=2.0), [clip])
    assert isinstance(failure, Failure)
    assert failure.reason == "3 s long, but the limit is 2 s; hear it in windows: --window 2"
    (record,) = infer(opened(model_file, max_seconds=2.0, window=2.0), [clip])
    assert (record.duration_s, len(record.probs)) == (3.0, 8)
    model = opened(model_file, max_seconds=2.0, window=2.0)
    samples = voice(1, 3.0)
    again = model.logits(decode(encoded(samples), 16_000).samples[np.newaxis], np.array([48_000]))
    np.testing.assert_array_equal(np.float32(record.logits), again[0])


def test_an_evaluation_in_windows_is_stored_so_and_not_gone_on_with_otherwise(
    model_file, manifest, tmp_path, serval
):
    common = ("evaluate", "-m", model_file, "-d", manifest, "-o", "out", "--no-plots")
    cut = ("--window", "0.4", "--hop", "0.2")
    done = serval(*common, *cut)
    assert done.returncode == 0, done.stderr
    assert "longer clips in windows of 0.4 s every 0.2 s, mean of their proba" in done.stderr
    run = load_run(tmp_path / "out")
    assert run.provenance.model["window"] == {
        "seconds": 0.4, "hop_s": 0.2, "mean": "probabilities"
    }  # fmt: skip
    assert "complete already" in serval(*common, *cut).stdout
    for other in ((), ("--window", "0.4"), (*cut, "--window-mean", "logits")):
        refused = serval(*common, *other)
        assert refused.returncode == 2
        assert "window was {" in refused.stderr
    plain = evaluate_named(EvalOptions(model=str(model_file), dataset=str(manifest), plots=False,
                                       output=str(tmp_path / "plain")))  # fmt: skip
    assert not np.allclose(plain.run.probs, run.probs, atol=1e-3)


def test_a_stress_test_hears_the_perturbed_clips_in_windows_too(model_file, tmp_path, serval):
    manifest = speech_set(tmp_path / "clips", 4, seconds=1.0)
    done = serval("stress", "-m", model_file, "-d", manifest, "-o", "s", "--suite", "pcm_8bit",
                  "--max-seconds", "0.6", "--window", "0.5", "-q")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("clean", "pcm_8bit"):
        run = load_run(tmp_path / "s" / name)
        assert len(run) == 4
        assert run.provenance.identity["window"]["seconds"] == 0.5


@pytest.fixture
def call(tmp_path):
    (tmp_path / "call.wav").write_bytes(encoded(voice(1, 2.5)))
    (tmp_path / "no.wav").write_text("no sound")
    return ("predict", "-m", str(tmp_path / "emo.onnx"), "--window", "1", "--hop", "0.5")


def test_predict_prints_emotions_over_time(model_file, call, serval):
    done = serval(*call, "call.wav", "no.wav")
    assert done.returncode == 3
    assert "call.wav:" in done.stdout
    assert "over 2.5 s" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines() if line[:1] == " "] == [
        "0.00", "0.50", "1.00", "1.50",
    ]  # fmt: skip
    assert "no.wav: decode: not decodable" in done.stderr


def test_the_forms_of_a_timeline_say_the_same(model_file, call, tmp_path, serval):
    printed = json.loads(serval(*call, "call.wav", "no.wav", "--json").stdout)
    assert printed[1]["windows"] == []
    assert "not decodable" in printed[1]["failure"]
    windows = printed[0]["windows"]
    means = np.mean([list(w["probabilities"].values()) for w in windows], axis=0)
    np.testing.assert_allclose(list(printed[0]["probabilities"].values()), means, atol=1e-6)
    for form in ("json", "csv", "parquet"):
        done = serval(*call, "call.wav", "no.wav", "-o", f"t.{form}")
        assert (done.returncode, done.stdout.strip()) == (3, f"t.{form}")
    assert json.loads((tmp_path / "t.json").read_text("utf-8")) == printed
    text = (tmp_path / "t.csv").read_text("utf-8")
    assert serval(*call, "call.wav", "no.wav", "--csv").stdout == text
    rows = list(csv.DictReader(text.splitlines()))
    table = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["start_s"] for row in table] == [0.0, 0.5, 1.0, 1.5, None]
    for row, wide, window in zip(rows[:-1], table[:-1], windows, strict=True):
        assert float(row["end_s"]) == wide["end_s"] == window["end_s"]
        assert row["emotion"] == wide["emotion"] == window["emotion"]
        assert float(row["sad"]) == wide["prob_sad"] == window["probabilities"]["sad"]


def test_a_timeline_is_drawn_for_one_file(model_file, call, tmp_path, serval):
    done = serval(*call, "call.wav", "-o", "t.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    several = serval(*call, "call.wav", "no.wav", "-o", "two.png")
    assert "--output two.png is a picture of one file, not of 2" in several.stderr
    unknown = serval(*call, "call.wav", "-o", "t.txt")
    assert "ends in no form; known: .csv, .json, .parquet, .png" in unknown.stderr
    failed = serval(*call, "no.wav", "-o", "none.png")
    assert failed.returncode == 3
    assert not (tmp_path / "none.png").exists()


def test_a_table_of_an_hour_is_cut_short_on_the_terminal_only(model_file, tmp_path, serval):
    (tmp_path / "call.wav").write_bytes(encoded(voice(1, 3.0)))
    done = serval("predict", "-m", model_file, "--window", "0.1", "--hop", "0.01", "call.wav")
    assert done.returncode == 0, done.stderr
    assert "- 171 more windows: write all of them with -o FILE.csv" in done.stdout


def test_values_of_dimensions_are_averaged_as_they_are():
    from types import SimpleNamespace

    from serval.models.windowed import Window, Windowed

    model = Windowed(
        model=SimpleNamespace(contract=SimpleNamespace(outputs="values")),
        window=Window(seconds=1.0, hop_s=1.0, mean="probabilities"),
    )
    assert model.mean_of(np.float32([[0.2, 0.9], [0.4, 0.5]])).tolist() == pytest.approx([0.3, 0.7])
