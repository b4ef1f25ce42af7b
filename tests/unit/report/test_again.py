import shlex
from dataclasses import replace

import numpy as np

from pages import evaluated, spoken_set
from runs import run_of, run_of_dimensions, run_of_sets
from serval.commands.evaluate import evaluate_command
from serval.report.charts import latency_chart
from serval.report.content import command_of, facts_of


def test_the_command_has_every_option_that_was_not_the_default(tmp_path):
    run = evaluated(tmp_path / "my run", spoken_set(tmp_path / "clips", 4), limit=2)
    chosen = {"drop_unmapped": True, "label_map": "a b=sad", "output": "x", "fresh": True}
    told = replace(run.provenance, options=dict(run.provenance.options) | chosen)
    assert command_of(replace(run, provenance=told)) == (
        f"serval evaluate --model '{tmp_path}/my run/emo.onnx' --dataset {tmp_path}/clips/set.csv "
        "--limit 2 --label-map 'a b=sad' --drop-unmapped"
    )


def test_hashes_are_whole_and_the_limit_is_said(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 4), limit=2)
    facts = dict(facts_of(run))
    assert facts["Model sha256"] == run.provenance.model["sha256"]
    assert facts["Data fingerprint"] == run.provenance.dataset["fingerprint"]
    assert facts["Limit"] == "the first 2 clips"
    assert facts["Model file"].endswith(" MB")
    model = dict(run.provenance.model) | {"size_bytes": None}  # of a file of predictions
    told = replace(run.provenance, model=model)
    assert "Model file" not in dict(facts_of(replace(run, provenance=told)))


def test_few_clips_have_no_slowest_hundredth(tmp_path):
    run = evaluated(tmp_path, spoken_set(tmp_path / "clips", 4))
    note = latency_chart(["emo"], [run]).note
    assert "half of the clips took under" in note
    assert "95 %" not in note


def test_the_command_of_each_task_is_a_command(tmp_path):
    values = run_of_dimensions(
        tmp_path / "v", np.ones((3, 2)), np.ones((3, 2)), names=["valence", "x"]
    )
    sets = run_of_sets(
        tmp_path / "s", [[1, 0], [0, 1]], [[1.0, 0], [1, 0]], labels=("sad", "happy")
    )
    given = {
        "v": {"value_columns": "EmoVal", "dimension_columns": "valence=EmoVal", "scale": "1..7"},
        "s": {"value_columns": "is_sad", "emotion_columns": "sad=is_sad", "multi_label": True},
    }
    for run in (values, sets):
        options = given[run.folder.name] | {"model": "m.onnx", "dataset": "d.csv"}
        told = replace(run.provenance, options=dict(run.provenance.options) | options)
        words = shlex.split(command_of(replace(run, provenance=told)))
        assert words[:2] == ["serval", "evaluate"]
        parsed = evaluate_command.make_context("evaluate", words[2:]).params
        for name, value in options.items():
            assert name == "value_columns" or parsed[name] == value


def test_a_sample_and_a_model_without_a_file_are_said(tmp_path):
    run = run_of(tmp_path / "r", [0, 1], [0, 1], model={"size_bytes": 0, "contract": {}})
    data = dict(run.provenance.dataset) | {"fingerprint": "f"}
    told = replace(run.provenance, dataset=data, options={"sample": 16, "sample_seed": 3})
    facts = dict(facts_of(replace(run, provenance=told)))
    assert facts["Limit"] == "a random sample of 16 clips, seed 3"
    assert "Model file" not in facts


def test_a_slow_model_and_a_single_clip_are_told_as_they_are(tmp_path):
    run = run_of(tmp_path / "r", [0], [0])
    slow = replace(run, inference_s=np.array([1.6]))
    note = latency_chart(["m"], [slow]).note
    assert note.startswith("m: one clip took 1600.0 ms; 0.625 s of audio for each second")


def test_clips_that_are_too_slow_for_the_picture_are_in_the_table(tmp_path):
    run = run_of(tmp_path / "r", [0] * 100, [0] * 100)
    seconds = np.full(100, 0.010)
    seconds[-1] = 2.0
    chart = latency_chart(["m"], [replace(run, inference_s=seconds)])
    (drawn, beyond) = chart.rows
    assert (drawn["clips"], drawn["beyond"]) == (99, False)
    assert (beyond["clips"], beyond["beyond"], beyond["to_ms"]) == (1, True, 2000.0)
    assert chart.note.endswith("1 slower clip is in the table only.")
