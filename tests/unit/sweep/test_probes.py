"""A sweep of probes: encoders on corpora, level by level, with their cost beside the score."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from build import encoder, labels_metadata, speech_set, write_manifest
from serval.errors import ConfigError
from serval.probe.heads import Trainer
from serval.report.leaderboard import leaderboard_html
from serval.run import load_run
from serval.sweep import leaderboard_document, load_plan, sweep, write_cost_picture, write_tables
from serval.sweep.leaderboard import told_from

pytestmark = pytest.mark.xdist_group("probes")


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probes")
    for seed, bands in ((0, 6), (1, 12)):
        encoder(folder / f"e{seed}.onnx", seed=seed, bands=bands, metadata=labels_metadata())
    for name in "ab":
        speech_set(folder / name, 24, labels=("angry", "sad"), speakers=4, seconds=0.2)
    text = """
        probe: {folds: "speaker:2", layer: all, workers: 1}
        models: [e0.onnx, {model: e1.onnx, name: large}]
        datasets: [a/set.csv, b/set.csv]
        """
    (folder / "plan.yaml").write_text(text.replace("\n        ", "\n"), encoding="utf-8")
    return folder / "plan.yaml"


@pytest.fixture(scope="module")
def interrupted(plan_file):
    """Clips heard in a sweep that is stopped in its third cell, by cell."""
    heard = []

    def stop(cell, step):
        heard.append((cell.model, cell.dataset))
        if len(set(heard)) == 3 and step.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(load_plan(plan_file), stop)
    return heard


@pytest.fixture(scope="module")
def finished(plan_file, interrupted):
    return sweep(load_plan(plan_file))


def test_each_level_of_each_encoder_is_a_row_with_its_cost(finished):
    rows = {(r.contender, r.cell.dataset): r for r in finished.results}
    assert len(rows) == 2 * 3 * 2
    assert not finished.problems
    names = {contender for contender, _ in rows}
    assert names == {f"{m}, layer {x}" for m in ("e0.onnx", "large") for x in ("0", "1", "pooled")}
    small, large = (rows[f"{m}, layer 1", "a/set.csv"].cost for m in ("e0.onnx", "large"))
    assert large.parameters > 2 * small.parameters - 500
    for row in rows.values():
        run = load_run(row.cell.settings.output)
        assert row.scores["wa"].value == pytest.approx(np.mean(run.truth == run.predicted))


def test_a_sweep_that_was_stopped_goes_on(plan_file, interrupted, finished, monkeypatch):
    assert len(interrupted) == 24 + 24 + 5
    monkeypatch.setattr(Trainer, "fit", lambda *_: pytest.fail("a head was trained"))
    again = sweep(load_plan(plan_file))
    assert all(result.reused for result in again.results)
    one, two = ([replace(r, reused=False, answers=None) for r in found.results]
                for found in (finished, again))  # fmt: skip
    assert one == two


def test_the_table_says_who_cannot_be_told_apart_and_who_is_cheap(finished, tmp_path):
    document = leaderboard_document(finished)
    files = write_tables(finished, document)
    with files["csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["parameters"] for row in rows} == {str(r.cost.parameters) for r in finished.results}
    markdown = files["markdown"].read_text(encoding="utf-8")
    assert "| parameters | MB | ms | folder |" in " ".join(markdown.split())
    first, *others = document["verdict"]
    best = first.split(" has the highest UAR")[0]
    told, alike = told_from(document, best)
    assert {*told, *alike, best} == {r.contender for r in finished.results} | {"majority label"}
    assert others[0] == f"It cannot be told apart on any of the sets from: {', '.join(alike)}."
    assert others[1].startswith(("The fastest of these is", "None of them takes less time"))
    picture = write_cost_picture(document, tmp_path / "cost.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_heads_of_dimensions_are_ranked_with_what_their_encoder_costs(plan_file, tmp_path):
    with (plan_file.parent / "a" / "set.csv").open(encoding="utf-8") as file:
        clips = [row | {"path": f"a/{row['path']}"} for row in csv.DictReader(file)]
    rated = [clip | {"arousal": 1 + i % 6, "valence": 6 - i % 5} for i, clip in enumerate(clips)]
    write_manifest(plan_file.with_name("rated.csv"), rated)
    plan = plan_file.with_name("ridge.yaml")
    plan.write_text(
        "probe: {folds: 'speaker:2', layer: last, head: ridge, scale: 1..7, workers: 1}\n"
        "models: [e0.onnx, e1.onnx]\ndatasets: [rated.csv]\noutput: ridge\n",
        encoding="utf-8",
    )
    finished = sweep(load_plan(plan))
    document = leaderboard_document(finished)
    (table,) = document["dimensions"]
    costs = {row["encoder"]: row["cost"]["parameters"] for row in table["rows"]}
    assert costs["e1.onnx"] > costs["e0.onnx"]
    markdown = write_tables(finished, document)["markdown"].read_text(encoding="utf-8")
    assert "| MAE | clips | parameters | MB | ms |" in " ".join(markdown.split())
    assert f"| {costs['e1.onnx']:,} |" in markdown
    assert f"{costs['e1.onnx']:,}" in leaderboard_html(document)


def test_more_failures_than_a_plan_of_probes_allows_are_said(plan_file, tmp_path):
    speech_set(tmp_path, 12, labels=("angry", "sad"), speakers=4, seconds=0.2)
    next(tmp_path.glob("**/*.wav")).write_bytes(b"")
    text = plan_file.read_text().replace("[a/set.csv, b/set.csv]", f"[{tmp_path / 'set.csv'}]")
    text = text.replace(", {model: e1.onnx, name: large}", "").replace("layer: all", "layer: last")
    for allowed, said in (
        ("0.05", "1 of 12 clips failed, more than max_failures (0.05)"),
        ("0.5", ""),
    ):
        plan = plan_file.with_name("failing.yaml")
        plan.write_text(text.replace("workers: 1", f"workers: 1, max_failures: {allowed}"))
        (result,) = sweep(load_plan(plan), fresh=True).results
        assert result.warning.startswith(said)
        assert bool(result.warning) == bool(said)
        assert result.scores["uar"].value >= 0


def test_what_a_plan_of_probes_may_not_say(plan_file):
    plan = plan_file.with_name("other.yaml")
    text = plan_file.read_text(encoding="utf-8")
    for old, new, message in (
        ("probe: {", "probe: {plots: true, ", "unknown key 'plots'"),
        ("probe: {", "probe: {save: a.onnx, ", "unknown key 'save'"),
        ("workers: 1", "workers: many", "`workers` must be a whole number"),
        ("probe: {folds", "normalise: peak\nprobe: {folds", "unknown key 'normalise'"),
    ):
        plan.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_plan(plan)
    plan.write_text(text.replace("probe: {", "probe: all #"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"`probe` must be a map of options of serval probe"):
        load_plan(plan)


def test_layers_may_be_the_options_of_a_plan(plan_file):
    text = plan_file.read_text(encoding="utf-8").replace("layer: all, ", "")
    plan = plan_file.with_name("layers.yaml")
    plan.write_text(f"{text}\noptions: [{{layer: 1}}, {{layer: pooled, name: top}}]\n", "utf-8")
    cells = load_plan(plan).cells
    assert [(cell.options, cell.settings.layer) for cell in cells[:2]] == [
        ("layer=1", "1"), ("top", "pooled"),
    ]  # fmt: skip
    assert {cell.settings.folds for cell in cells} == {"speaker:2"}
