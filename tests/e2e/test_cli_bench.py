import json
import re

import pytest

from phone import DOCUMENT
from serval.files import sha256_of


@pytest.mark.slow
@pytest.mark.usefixtures("brief_bench")
def test_bench_prints_rates_ratios_and_the_machine(serval, model_file, tmp_path):
    measured = DOCUMENT | {
        "models": {"fp32": {"sha256": sha256_of(model_file)}, "int8": {"sha256": ""}}
    }
    measured["latency"] = [row | {"seconds": 1} for row in measured["latency"]]
    (tmp_path / "phone.json").write_text(json.dumps(measured), "utf-8")
    phone = ("--import", tmp_path / "phone.json")
    done = serval("bench", "--quick", "-m", model_file, *phone, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Chromium 156 on Pixel 9 Android" in done.stdout
    fp32, int8 = (
        re.search(rf"^{name} .* 100\.0 .*", done.stdout, re.M)[0] for name in ("fp32", "int8")
    )
    assert re.search(r" 9 +[\d.]+ [\d.]+$", fp32.rstrip())
    assert re.search(r" 9 +- +-$", int8.rstrip())
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["imported"] == [measured]
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


def test_a_file_that_no_page_saved_is_one_line_before_anything_is_timed(
    serval, model_file, tmp_path
):
    (tmp_path / "phone.json").write_text("{}", "utf-8")
    done = serval("bench", "-m", model_file, "--import", tmp_path / "phone.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no measurement of a page of serval web" in done.stderr
