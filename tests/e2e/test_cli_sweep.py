import json

import pytest

pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("empty_pictures")
def test_sweep_prints_the_table_and_says_what_could_not_be_done(
    serval, model_file, manifest, tmp_path
):
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"models: [{model_file}]\ndatasets: [{manifest}]\n", encoding="utf-8")
    done = serval("sweep", plan, "--log", "tensorboard")
    assert done.returncode == 0, done.stderr
    assert "tensorboard: event file in " in done.stderr
    heads = [line.split()[:4] for line in done.stdout.splitlines()]
    assert ["model", "dataset", "UAR", "%"] in heads
    assert not any(line.startswith("|") for line in done.stdout.splitlines())
    assert "12/12 clips" in done.stderr
    folder = tmp_path / "sweep_results"
    (row, _) = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert row["page"].endswith("/report.html")
    assert (folder / row["page"]).is_file()
    assert f'href="{row["page"]}"' in (folder / "leaderboard.html").read_text(encoding="utf-8")
    plan.write_text(f"models: [{model_file}]\ndatasets: [{manifest}, gone.csv]\n", encoding="utf-8")
    again = serval("sweep", plan, "-q")
    assert (again.returncode, again.stderr) == (3, "")
    assert "Not done" in again.stdout
