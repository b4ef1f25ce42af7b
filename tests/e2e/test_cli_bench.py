import json

import pytest


@pytest.mark.slow
@pytest.mark.usefixtures("brief_bench")
def test_bench_prints_rates_ratios_and_the_machine(serval, model_file, tmp_path):
    done = serval("bench", "--quick", "-m", model_file, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "end to end" in done.stdout
    assert "peak memory" in done.stdout
    assert "CPUExecutionProvider, batch 1" in done.stdout
    assert "measuring throughput" in done.stderr
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["schema_version"] == 1


def test_a_folder_that_cannot_be_written_is_known_before_anything_is_timed(
    serval, model_file, tmp_path
):
    (tmp_path / "taken").write_text("a file")
    done = serval("bench", "-m", model_file, "-o", tmp_path / "taken")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("serval: cannot write")
    assert "measuring" not in done.stderr


def test_a_model_that_is_not_there_is_one_line(serval):
    done = serval("bench", "-m", "gone.onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("serval: no model 'gone.onnx'")
