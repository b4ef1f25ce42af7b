import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from phone import DOCUMENT
from runs import noisy, run_of
from serval.errors import ConfigError
from serval.gate import Bounds, GateResult, bounds_from_options, bounds_from_toml, gate, junit_xml
from serval.gate.bounds import merged
from serval.run import load_run
from serval.scores import PUBLISHED
from serval.scores.metrics import confusion_matrix, margins

N = 600
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, N)
FIRST = noisy(TRUTH, 0.8, RNG)
SPEAKERS = [f"s{i // 20}" for i in range(N)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate") / "run"
    return run_of(folder, TRUTH, FIRST, speakers=SPEAKERS, failures=6)


def only(result):
    (check,) = result.checks
    return check


def test_a_bound_is_kept_or_not(run):
    right = float((TRUTH == FIRST).mean())
    kept = only(gate(run, Bounds(least={"accuracy": right - 0.01})))
    assert (kept.verdict, kept.passed, kept.value) == ("pass", True, pytest.approx(right))
    assert kept.low < right < kept.high
    broken = only(gate(run, Bounds(least={"accuracy": right + 0.01})))
    assert (broken.verdict, broken.passed) == ("fail", False)
    assert "must be at least" in broken.reason


def test_every_kind_of_number_can_be_bounded(run):
    most = {"failures": 0.01, "size_mb": 9.5, "ece": 1, "brier": 2, "nll": 30, "aurc": 1}
    least = {"UAR": 0.7, "f1_macro": 0.7, "recall:sad": 0.6, "f1:happy": 0.6, "clips": 600}
    result = gate(run, Bounds(least=least, most=most))
    assert len(result.checks) == 11
    assert result.passed
    assert {c.metric: c.value for c in result.checks}["failures"] == pytest.approx(6 / 606)


def test_a_score_that_is_not_defined_is_not_kept(tmp_path):
    run = run_of(tmp_path, [0, 1] * 10, [0, 1] * 10)
    check = only(gate(run, Bounds(least={"recall:sad": 0.1})))
    assert (check.passed, check.reason) == (False, "not defined on these clips")


def test_a_drop_is_decided_by_its_interval(tmp_path, run):
    rng = np.random.default_rng(5)
    near = np.where(rng.random(N) < 0.01, rng.integers(0, 3, N), FIRST)
    far = np.where(rng.random(N) < 0.6, rng.integers(0, 3, N), FIRST)
    verdicts = {}
    for name, predicted in {"near": near, "far": far}.items():
        other = run_of(tmp_path / name, TRUTH, predicted, speakers=SPEAKERS)
        bounds = Bounds(drop={"accuracy": 2.0}, baseline=str(run.folder))
        verdicts[name] = only(gate(other, bounds)).verdict
    assert verdicts == {"near": "pass", "far": "fail"}


@pytest.mark.parametrize(("policy", "passed"), [("fail", False), ("pass", True)])
def test_what_too_few_clips_cannot_decide_fails_unless_allowed(tmp_path, policy, passed):
    rng = np.random.default_rng(2)
    truth = TRUTH[:40]
    a = run_of(tmp_path / "a", truth, FIRST[:40])
    b = run_of(tmp_path / "b", truth, noisy(truth, 0.8, rng))
    bounds = Bounds(drop={"recall:sad": 0.5}, baseline=str(a.folder), cannot_tell=policy)
    check = only(gate(b, bounds))
    assert (check.verdict, check.passed) == ("cannot tell", passed)
    assert "may have dropped by more than 0.5 points or not" in check.reason


def unfair(folder, shares):
    rng = np.random.default_rng(7)
    gender = np.array([(i // 20) % 2 for i in range(N)])
    other = (TRUTH + rng.integers(1, 3, N)) % 3
    predicted = np.where(rng.random(N) < np.array(shares)[gender], TRUTH, other)
    groups = {"gender": ["FM"[g] for g in gender]}
    return run_of(folder, TRUTH, predicted, speakers=SPEAKERS, groups=groups)


def test_a_gap_between_groups_is_bounded(tmp_path):
    run = unfair(tmp_path / "unfair", (0.95, 0.6))
    for column in ("gender", "sex"):
        failed = only(gate(run, Bounds(group_gap={f"uar:{column}": 10})))
        assert (failed.metric, failed.verdict) == ("uar:gender", "fail")
    wide = gate(run, Bounds(group_gap={"accuracy": 90}))
    assert wide.passed
    assert [check.metric for check in wide.checks] == ["accuracy:gender"]
    fair = unfair(tmp_path / "fair", (0.8, 0.8))
    assert only(gate(fair, Bounds(group_gap={"uar:gender": 0.01}))).verdict == "cannot tell"


def test_a_gap_under_the_bound_does_not_pass_where_chance_makes_a_larger_one(tmp_path):
    fair = unfair(tmp_path / "fair", (0.8, 0.8))
    gap = only(gate(fair, Bounds(group_gap={"accuracy:gender": 90}))).value
    between = only(gate(fair, Bounds(group_gap={"accuracy:gender": gap + 1e-4})))
    assert (between.verdict, between.passed) == ("cannot tell", False)
    assert "chance makes a gap of up to" in between.reason


def test_a_gap_does_not_pass_beside_a_group_too_small_to_know_of(tmp_path):
    age = ["young"] * 290 + ["adult"] * 290 + ["old"] * 20
    run = run_of(tmp_path, TRUTH, FIRST, groups={"age": age})
    check = only(gate(run, Bounds(group_gap={"accuracy:age": 20})))
    assert (check.verdict, check.passed) == ("cannot tell", False)
    assert (
        "could go unnoticed between some two groups (some groups are too small: old has 20 clips)"
        in check.reason
    )


def test_a_corpus_of_two_speakers_passes_no_bound_however_alike_the_groups_look(tmp_path):
    """All others are right in 90 % as these two are; of them 300 clips say nothing."""
    speakers = [f"s{i // 10}" if i < 300 else f"t{i % 2}" for i in range(600)]
    dataset = ["many" if i < 300 else "two" for i in range(600)]
    predicted = np.where(np.arange(600) % 10 == 0, (TRUTH + 1) % 3, TRUTH)
    run = run_of(tmp_path, TRUTH, predicted, speakers=speakers, groups={"dataset": dataset})
    check = only(gate(run, Bounds(group_gap={"accuracy:corpus": 20})))
    assert (check.metric, check.verdict, check.passed) == ("accuracy:dataset", "cannot tell", False)
    assert check.value < 1
    assert "(some groups are too small: two has 2 speakers)" in check.reason


def test_clips_that_only_the_baseline_has_leave_a_drop_undecided(tmp_path, run):
    bounds = Bounds(drop={"accuracy": 2.0}, baseline=str(run.folder))
    same = run_of(tmp_path / "same", TRUTH, FIRST, speakers=SPEAKERS)
    assert gate(same, bounds).passed
    fewer = run_of(tmp_path / "fewer", TRUTH[:-9], FIRST[:-9], speakers=SPEAKERS[:-9])
    result = gate(fewer, bounds)
    assert only(result).verdict == "cannot tell"
    assert not result.passed
    assert "This run has no prediction for 9 of the baseline's 600 clips, " in result.warnings[0]
    allowed = Bounds(drop={"accuracy": 2.0}, baseline=str(run.folder), cannot_tell="pass")
    assert gate(fewer, allowed).passed


def test_other_audio_under_the_same_name_leaves_a_drop_undecided(tmp_path, run):
    bounds = Bounds(drop={"accuracy": 2.0}, baseline=str(run.folder))
    other = run_of(tmp_path / "other", TRUTH, FIRST, speakers=SPEAKERS, shas={0: "new"})
    result = gate(other, bounds)
    assert only(result).verdict == "cannot tell"
    assert "the audio of some clips is not that of the baseline" in only(result).reason
    assert "1 clip has the same id but other audio" in result.warnings[0]


def test_a_gate_that_is_passed_says_what_its_numbers_rest_on(tmp_path):
    leak = "every speaker is in train too"
    run = run_of(tmp_path, [0, 1] * 5, [0, 1] * 5, failures=2, dataset={"caveats": (leak,)})
    result = gate(run, Bounds(least={"accuracy": 0.5}))
    assert result.passed
    assert result.warnings[:2] == (leak, "Clips that failed and are in no score: 2.")
    assert "Speakers are not known" in result.warnings[2]
    assert "few clips (10)" in result.warnings[3]


def test_a_model_that_guesses_does_not_pass_as_fair(tmp_path):
    run = unfair(tmp_path / "guess", (1 / 3, 1 / 3))
    check = only(gate(run, Bounds(group_gap={"uar:gender": 50})))
    assert (check.verdict, check.passed) == ("cannot tell", False)
    assert "not shown to be better than random" in check.reason


def test_what_a_phone_measured_can_be_bounded(tmp_path, run):
    phone = tmp_path / "phone.json"
    mine = run.provenance.model["sha256"]
    models = {"int8": {"sha256": mine}, "fp32": {"sha256": "of another file"}}
    phone.write_text(json.dumps(DOCUMENT | {"models": models}))
    most = {"bench.latency.0.p95_s": 0.5, "bench.latency.1.p95_s": 0.1}
    other, own = gate(run, Bounds(most=most, bench=str(phone))).checks
    assert (own.verdict, own.value) == ("fail", 0.13)
    assert "that is of fp32, not of the model of this run" in other.reason


def test_numbers_of_a_bench_file_can_be_bounded(tmp_path, run):
    bench = tmp_path / "bench.json"
    bench.write_text(json.dumps({"rtf": 0.1, "latency": [{"p90_s": 0.012}], "name": "x"}))
    bounds = Bounds(most={"bench.rtf": 0.2, "bench.latency.0.p90_s": 0.01}, bench=str(bench))
    assert [check.passed for check in gate(run, bounds).checks] == [True, False]
    with pytest.raises(ConfigError, match="no number 'name' in the bench file"):
        gate(run, Bounds(most={"bench.name": 1}, bench=str(bench)))
    with pytest.raises(ConfigError, match=r"no number 'rtf\.deep'"):
        gate(run, Bounds(most={"bench.rtf.deep": 1}, bench=str(bench)))
    with pytest.raises(ConfigError, match=r"no number 'latency\.7"):
        gate(run, Bounds(most={"bench.latency.7.p90_s": 1}, bench=str(bench)))
    with pytest.raises(ConfigError, match="it has: nothing"):
        gate(run, Bounds(most={"bench.rtf": 1}))
    for huge in ("Infinity", "-Infinity", "1e400"):
        bench.write_text(f'{{"rtf": {huge}}}')
        with pytest.raises(ConfigError, match="'rtf' in the bench file is infinite"):
            gate(run, Bounds(least={"bench.rtf": 1}, bench=str(bench)))
    bench.write_text("[]")
    with pytest.raises(ConfigError, match="does not hold one JSON object"):
        gate(run, Bounds(most={"bench.rtf": 1}, bench=str(bench)))
    with pytest.raises(ConfigError, match="cannot be read"):
        gate(run, Bounds(most={"bench.rtf": 1}, bench=str(tmp_path / "gone.json")))


def test_the_speed_of_another_model_does_not_pass(tmp_path, run):
    bench = tmp_path / "bench.json"
    rows = [{"model": "fp32", "p90_s": 0.1}, {"model": "int8", "p90_s": 0.1}]
    ratios = {"int8": {"rtfx": 0.1}, "all": 0.1}
    models = {"fp32": {"sha256": "ff"}, "int8": {"sha256": run.provenance.model["sha256"]}}
    content = {"models": models, "latency": rows, "throughput": ratios}
    bench.write_text(json.dumps(content))
    names = {
        "bench.latency.0.p90_s": "cannot tell",
        "bench.latency.1.p90_s": "pass",
        "bench.throughput.int8.rtfx": "pass",
        "bench.throughput.all": "pass",
    }
    result = gate(run, Bounds(most=dict.fromkeys(names, 1.0), bench=str(bench)))
    assert {check.metric: check.verdict for check in result.checks} == names
    assert "that is of fp32, not of the model of this run" in result.checks[0].reason
    assert not result.passed
    content["models"] = {"fp32": {"sha256": "ff"}, "odd": None}
    bench.write_text(json.dumps(content))
    check = only(gate(run, Bounds(most={"bench.throughput.all": 1.0}, bench=str(bench))))
    assert (check.verdict, check.passed) == ("cannot tell", False)


def test_numbers_of_a_stress_test_can_be_bounded(tmp_path, run):
    stress = tmp_path / "stress.json"
    stress.write_text(json.dumps({"cases": {"white_20db": {"unchanged": {"value": 0.8}}}}))
    name = "stress.cases.white_20db.unchanged.value"
    for least, passed in ((0.7, True), (0.9, False)):
        assert gate(run, Bounds(least={name: least}, stress=str(stress))).passed is passed
        assert gate(run, Bounds(least={name: least}, stress=str(tmp_path))).passed is passed
    with pytest.raises(ConfigError, match="in the stress file; give the file with --stress"):
        gate(run, Bounds(least={name: 0.7}))


@pytest.mark.parametrize("kind", ["of one Python file", "of one graph with other weights"])
def test_another_model_of_one_file_is_another_model(tmp_path, run, kind):
    def facts(name):
        python = {"runtime": {"name": "python"}}
        more = python if "Python" in kind else {"external": {"model.onnx_data": name}}
        return {"name": name, "sha256": "aa"} | more

    files = {"bench": tmp_path / "bench.json", "stress": tmp_path / "stress.json"}
    models = {name: facts(name) for name in ("m:first", "m:second")}
    rows = [{"model": name, "p90_s": 0.1} for name in models]
    files["bench"].write_text(json.dumps({"models": models, "latency": rows}))
    files["stress"].write_text(json.dumps({"model": facts("m:first"), "clips": 4}))
    bounds = Bounds(
        most={"bench.latency.0.p90_s": 1, "bench.latency.1.p90_s": 1, "stress.clips": 4},
        **{name: str(file) for name, file in files.items()},
    )
    for name, verdicts in (
        ("m:first", ["pass", "cannot tell", "pass"]),
        ("m:second", ["cannot tell", "pass", "cannot tell"]),
    ):
        own = replace(run, provenance=replace(run.provenance, model=facts(name)))
        assert [check.verdict for check in gate(own, bounds).checks] == verdicts
        assert own.same_model(own)
        assert not own.same_model(
            replace(run, provenance=replace(run.provenance, model=facts("x")))
        )


def test_the_stress_test_of_another_model_does_not_pass(tmp_path, run):
    stress = tmp_path / "stress.json"
    mine = run.provenance.model["sha256"]
    for sha256, said in ((mine, "pass"), ("ff", "cannot tell")):
        stress.write_text(json.dumps({"model": {"name": "m", "sha256": sha256}, "clips": 4}))
        check = only(gate(run, Bounds(least={"stress.clips": 4}, stress=str(stress))))
        assert check.verdict == said
    assert "that is of m, not of the model of this run" in check.reason


def test_another_model_of_the_same_python_file_does_not_pass(tmp_path, run):
    facts = {"name": "my:one", "sha256": "ff", "runtime": {"name": "python"}}
    mine = replace(run, provenance=replace(run.provenance, model={**run.provenance.model, **facts}))
    bench, stress = tmp_path / "bench.json", tmp_path / "stress.json"
    names = ("my:one", "my:two")
    models = {name: facts | {"name": name} for name in names}
    rows = [{"model": name, "p90_s": 0.1} for name in names]
    bench.write_text(json.dumps({"models": models, "latency": rows}))
    for place, said in enumerate(("pass", "cannot tell")):
        bounds = Bounds(most={f"bench.latency.{place}.p90_s": 1}, bench=str(bench))
        assert only(gate(mine, bounds)).verdict == said
        stress.write_text(json.dumps({"model": models[names[place]], "clips": 4}))
        check = only(gate(mine, Bounds(least={"stress.clips": 4}, stress=str(stress))))
        assert check.verdict == said
    assert "that is of my:two, not of the model of this run" in check.reason


def test_a_gate_that_makes_no_sense_is_refused(tmp_path, run):
    known = {"baseline": str(run_of(tmp_path / "other", run.truth, run.predicted).folder)}
    for bounds, message in (
        (Bounds(), "no bound"),
        (Bounds(least={"wer": 0.1}), "unknown metric 'wer'; known: accuracy, wa"),
        (Bounds(drop={"accuracy": 1}), "--baseline"),
        (Bounds(drop={"ece": 1}, **known), "no drop of 'ece'"),
        (Bounds(drop={"accuracy": 0}, **known), "must be above 0"),
        (Bounds(group_gap={"uar": 100}), "uar=100 is not between 0 and 100 points; for ten"),
        (Bounds(group_gap={"uar": 0}), "not between 0 and 100 points"),
        (Bounds(group_gap={"uar:shoe": 10}), "groups: speaker"),
        (Bounds(group_gap={"f1:speaker": 10}), "no group gap of 'f1'"),
    ):
        with pytest.raises(ConfigError, match=message):
            gate(run, bounds)


def test_bounds_from_flags():
    bounds = bounds_from_options({"min": ["accuracy=0.8"], "max-drop": ["recall:a=b=1"]})
    assert bounds.least == {"accuracy": 0.8}
    assert bounds.drop == {"recall:a=b": 1.0}
    for text in ("accuracy", "=1", "accuracy="):
        with pytest.raises(ConfigError, match="not of the form metric=number"):
            bounds_from_options({"max": [text]})
    for number in ("high", "nan", "inf", "80 %%", "% 80", "1.2.3%"):
        with pytest.raises(ConfigError, match=f"--max accuracy is {number}, not a number; write"):
            bounds_from_options({"max": [f"accuracy={number}"]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[max_drop]\nuar = 1\n", "unknown max_drop; known: .*; did you mean 'max-drop'?"),
        ("canot-tell = 'pass'\n", "unknown canot-tell; .*; did you mean 'cannot-tell'?"),
    ],
)
def test_a_misspelt_key_of_the_file_is_told_with_its_like(tmp_path, text, said):
    path = tmp_path / "gate.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        bounds_from_toml(path)


def test_a_unit_may_be_written_and_a_difference_is_in_points_without_one():
    bounds = bounds_from_options(
        {
            "min": ["accuracy=80%", "stress.clean.uar=75 %", "size_mb=1"],
            "max-drop": ["uar=1", "wa=0.5%", "f1:a=2 points"],
            "max-group-gap": ["uar:gender=15", "wa=7.5 %", "uar:age=1 point", "uar=0.5 points"],
        }
    )
    assert bounds.least == {"accuracy": 0.8, "stress.clean.uar": 0.75, "size_mb": 1}
    assert bounds.drop == {"uar": 1, "wa": 0.5, "f1:a": 2}
    assert bounds.group_gap == {"uar:gender": 15, "wa": 7.5, "uar:age": 1, "uar": 0.5}
    assert not bounds.outdated
    for name, number in (("nll", "3%"), ("bench.rtf", "3 %"), ("size_mb", "1%"), ("wa", "1 point")):
        with pytest.raises(ConfigError, match=f"{name} is not counted so; leave the unit out"):
            bounds_from_options({"max": [f"{name}={number}"]})
    for kind, number in (("max-drop", "ccc=0.5%"), ("max-drop", "ccc:valence=0.5 points"),
                         ("max", "mae=10%"), ("min", "ccc=50%")):  # fmt: skip
        with pytest.raises(ConfigError, match="is no share; write the number itself, as ccc="):
            bounds_from_options({kind: [number]})


def test_a_group_gap_written_as_a_share_is_still_taken_with_a_line_that_says_so(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('[max-group-gap]\n"uar:sex" = 0.15\nuar = "2 points"\n', encoding="utf-8")
    flags = bounds_from_options({"max-group-gap": ["accuracy=0.2"]})
    bounds = merged(bounds_from_toml(path), flags)
    assert bounds.group_gap == {"uar:sex": pytest.approx(15), "uar": 2, "accuracy": 20}
    assert len(bounds.outdated) == 2
    assert f"{path}: max-group-gap uar:sex=0.15 is taken as a share" in bounds.outdated[0]
    assert bounds.outdated[1].endswith("so write 20")
    of_values = bounds_from_options({"max-group-gap": ["ccc:sex=0.1"]})
    assert (of_values.group_gap, of_values.outdated) == ({"ccc:sex": 0.1}, ())


def test_what_cannot_be_decided_may_pass_by_flag_too(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('cannot-tell = "pass"\n', encoding="utf-8")
    for flag, policy in (("", "pass"), ("fail", "fail"), ("pass", "pass")):
        both = merged(bounds_from_toml(path), bounds_from_options({}, cannot_tell=flag))
        assert both.cannot_tell == policy


def test_bounds_from_a_file(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text(
        'baseline = "runs/fp32"\nbench = "bench.json"\nstress = "s.json"\ncannot-tell = "pass"\n'
        '[min]\naccuracy = 0.8\n"recall:angry" = 1\n'
        "[max]\nbench.rtf = 0.2\n[max-drop]\nuar = 1.0\n[max-group-gap]\nuar = 2\n",
        encoding="utf-8",
    )
    bounds = bounds_from_toml(path)
    assert bounds.least == {"accuracy": 0.8, "recall:angry": 1.0}
    assert bounds.most == {"bench.rtf": 0.2}
    assert (bounds.drop, bounds.group_gap) == ({"uar": 1.0}, {"uar": 2})
    assert bounds.baseline == str(tmp_path / "runs" / "fp32")
    assert bounds.bench == str(tmp_path / "bench.json")
    assert bounds.stress == str(tmp_path / "s.json")
    assert bounds.cannot_tell == "pass"
    assert len(bounds) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[min", "cannot be read"),
        ("[limits]\na = 1", "unknown limits; known: baseline"),
        ("min = 3", "min must be a table"),
        ('[min]\naccuracy = "high"', "min accuracy is high, not a number"),
        ("[min]\naccuracy = true", "min accuracy is not a number"),
        ('cannot-tell = "maybe"', "unknown cannot-tell 'maybe'"),
        ("cannot-tell = []", "cannot-tell must be text, not \\[\\]"),
        ("baseline = 5", "baseline must be text, not 5"),
        ("[max]\nnll = inf", "max nll is inf"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, text, message):
    path = tmp_path / "gate.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        bounds_from_toml(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        bounds_from_toml(tmp_path / "gate.toml")


def test_flags_win_over_the_file():
    file = Bounds(least={"uar": 0.5, "wa": 0.5}, baseline="old", bench="b", cannot_tell="pass")
    both = merged(file, Bounds(least={"uar": 0.7}, baseline="new"))
    assert both.least == {"uar": 0.7, "wa": 0.5}
    assert (both.baseline, both.bench, both.cannot_tell) == ("new", "b", "pass")
    assert merged(file, Bounds(least={"accuracy": 0.1})).least == {"uar": 0.5, "accuracy": 0.1}


def test_a_run_is_no_baseline_of_itself(run):
    with pytest.raises(ConfigError, match="is this run itself; name another one"):
        gate(run, Bounds(drop={"uar": 1}, baseline=str(run.folder)))


def test_a_baseline_without_a_prediction_is_no_reason_to_pass(tmp_path, run):
    run_of(tmp_path / "empty", [], [], failures=2)
    empty = load_run(tmp_path / "empty")
    for one, other in ((run, empty), (empty, run)):
        with pytest.raises(ConfigError, match="no clip in common"):
            gate(one, Bounds(drop={"uar": 1}, baseline=str(other.folder)))
    nothing = GateResult(name="a", run="a", baseline="", checks=(), warnings=())
    assert not nothing.passed


def test_files_of_predictions_are_run_and_baseline(tmp_path, serval):
    for folder, answers in (("old", ("angry", "sad")), ("new", ("sad", "sad"))):
        (tmp_path / folder).mkdir()
        rows = [f"{pair[0]},{pair[1]}" for pair in zip(("angry", "sad"), answers, strict=True)]
        text = "\n".join(["truth,predicted", *rows * 20])
        (tmp_path / folder / "p.csv").write_text(text, encoding="utf-8")
    done = serval("gate", "new/p.csv", "--baseline", "old/p.csv", "--max-drop", "accuracy=5")
    assert (done.returncode, done.stderr) == (1, "")
    assert "broken: max-drop accuracy" in done.stdout


def test_the_size_of_no_model_is_not_known(run):
    facts = dict(run.provenance.model) | {"size_bytes": None}
    file = replace(run, provenance=replace(run.provenance, model=facts))
    (check,) = gate(file, Bounds(most={"size_mb": 10})).checks
    assert (check.passed, check.reason[:9]) == (False, "not known")


def test_junit_counts_what_does_not_pass(run):
    result = gate(run, Bounds(least={"accuracy": 0.5, "uar": 0.99}))
    suites = ET.fromstring(junit_xml(result))
    assert suites.attrib == {
        "name": "serval gate",
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    cases = suites.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == ["min accuracy=0.5", "min uar=0.99"]
    assert cases[0].find("failure") is None
    assert "must be at least 0.99" in cases[1].find("failure").get("message")


def test_junit_survives_names_that_xml_cannot_hold(tmp_path):
    labels = ("an<g>ry", "ha\x07ppy", "sad")
    run = run_of(tmp_path, [0, 1, 2] * 5, [0, 1, 2] * 5, labels=labels)
    result = gate(run, Bounds(least={"recall:ha\x07ppy": 0.5, "recall:an<g>ry": 0.5}))
    names = [case.get("name") for case in ET.fromstring(junit_xml(result)).iter("testcase")]
    assert names == ["min recall:ha?ppy=0.5", "min recall:an<g>ry=0.5"]


def test_an_unfinished_baseline_does_not_pass(tmp_path):
    run_of(tmp_path / "a", [0, 1] * 10, [0, 1] * 10, end=False)
    run = run_of(tmp_path / "b", [0, 1] * 10, [0, 1] * 10)
    result = gate(run, Bounds(drop={"accuracy": 50}, baseline=str(tmp_path / "a")))
    unfinished = [(c.metric, c.passed) for c in result.checks if c.kind == "complete"]
    assert unfinished == [("baseline", False)]
    assert not result.passed


def test_an_unfinished_run_does_not_pass(tmp_path):
    run = run_of(tmp_path, [0, 1] * 10, [0, 1] * 10, end=False)
    result = gate(run, Bounds(least={"accuracy": 0.5}))
    assert [(check.kind, check.verdict) for check in result.checks] == [
        ("complete", "fail"),
        ("min", "pass"),
    ]
    assert "is not finished: 20 clips so far" in result.checks[0].reason
    assert result.as_dict()["passed"] is False


@pytest.mark.parametrize(
    ("kind", "metric", "bound", "said"),
    [
        ("least", "accuracy", 80, "accuracy is a share from 0 to 1; for 80 % write 0.8"),
        ("least", "uar", -0.5, "uar is a share from 0 to 1$"),
        ("most", "failures", 1, "can never be broken.* for 1 % write 0.01"),
    ],
)
def test_a_bound_that_means_nothing_is_refused(tmp_path, kind, metric, bound, said):
    run = run_of(tmp_path / "run", [0, 1] * 5, [0, 1] * 5)
    with pytest.raises(ConfigError, match=said):
        gate(run, Bounds(**{kind: {metric: bound}}))


def test_a_published_key_bounds_the_number_that_results_json_has_under_it(tmp_path):
    """On truth a a b b, predicted a c b b, UAR is 0.75 and `recall_macro` is 0.50."""
    run = run_of(tmp_path / "r", [0, 0, 1, 1] * 10, [0, 2, 1, 1] * 10)
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    for key, of in PUBLISHED.items():
        (check,) = gate(run, bounds_from_options({"min": [f"{key}=0.1"]})).checks
        assert check.value == pytest.approx(float(of(margins(counts))), abs=1e-12), key
    (low,) = gate(run, bounds_from_options({"min": ["recall_macro=0.6"]})).checks
    assert (low.value, low.verdict) == (pytest.approx(0.5), "fail")
    (own,) = gate(run, bounds_from_options({"min": ["uar=0.6"]})).checks
    assert (own.value, own.verdict) == (pytest.approx(0.75), "pass")


def test_a_drop_of_a_published_key_is_that_of_its_own_number(tmp_path):
    truth = [0, 0, 1, 1] * 100
    run_of(tmp_path / "a", truth, truth)
    worse = run_of(tmp_path / "b", truth, [0, 2, 1, 1] * 100)
    drops = {
        name: gate(
            worse, bounds_from_options({"max-drop": [f"{name}=1"]}, baseline=str(tmp_path / "a"))
        )
        .checks[0]
        .value
        for name in ("uar", "recall_macro")
    }
    assert drops == {"uar": pytest.approx(-25), "recall_macro": pytest.approx(-50)}


def test_a_drop_of_too_few_flips_cannot_be_told(tmp_path):
    """Four speakers whose clips fall alike by chance: the case in which the interval says worse."""
    truth = [0, 1, 2] * 200
    speakers = [f"s{i // 150}" for i in range(600)]
    a, b = np.array(truth), np.array(truth)
    broken = [0, 30, 150, 180, 300, 330, 450, 480]
    b[broken] = (b[broken] + 1) % 3
    a[[60, 61]] = (a[[60, 61]] + 1) % 3
    run_of(tmp_path / "a", truth, a, speakers=speakers)
    run = run_of(tmp_path / "b", truth, b, speakers=speakers)
    (check,) = gate(
        run, bounds_from_options({"max-drop": ["accuracy=0.5"]}, baseline=str(tmp_path / "a"))
    ).checks
    assert (check.verdict, check.passed) == ("cannot tell", False)
