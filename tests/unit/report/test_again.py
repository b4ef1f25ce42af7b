from dataclasses import replace

from pages import evaluated, spoken_set
from serval.report.again import command_of, facts_of
from serval.report.charts import latency_chart


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
