import json

from phone import DOCUMENT, SHORT, code_of
from runs import run_of
from serval.bench.browser import timed_in
from serval.report.content import timed_chart


def of_phone(tmp_path, seconds=3, n=10):
    rows = [row | {"seconds": seconds, "n": n} for row in DOCUMENT["latency"]]
    (tmp_path / "phone.json").write_text(json.dumps(DOCUMENT | {"latency": rows}), "utf-8")
    return timed_in(str(tmp_path / "phone.json"))


def test_each_device_has_its_rows_with_the_file_of_the_report_first(tmp_path):
    run = run_of(tmp_path / "run", [0, 1], [0, 1], model={"sha256": "bb"})
    chart = timed_chart(of_phone(tmp_path), [run])
    assert [(row["model"], row["file"]) for row in chart.rows] == [
        ("int8", "of this report"), ("fp32", "another"),
    ]  # fmt: skip
    first = chart.rows[0]
    assert first["where"] == "Chromium 156 on Pixel 9 Android"
    assert "Measured on: Chromium 156 on Pixel 9 Android, 8 logical processors; " in chart.note
    assert (first["threads"], first["seconds"], first["n"]) == ("1", 3, 10)
    assert (first["p50"], first["p90"], first["rtf"]) == (100, 120, 0.033)
    assert {column.key for column in chart.columns} == first.keys()


def test_a_p90_of_fewer_than_ten_times_is_not_shown(tmp_path):
    chart = timed_chart(of_phone(tmp_path, n=9), [])
    assert [(row["p50"], row["p90"]) for row in chart.rows] == [(100, None)] * 2


def test_what_was_measured_at_other_durations_alone_is_shown_too(tmp_path):
    chart = timed_chart(timed_in(code_of(SHORT)), [run_of(tmp_path / "run", [0, 1], [0, 1])])
    assert [row["seconds"] for row in chart.rows] == [2, 2]


def test_a_report_without_measurements_has_no_table(tmp_path):
    assert timed_chart((), [run_of(tmp_path / "run", [0, 1], [0, 1])]) is None


def test_another_model_of_the_same_python_file_is_another(tmp_path):
    def facts(name):
        return {"name": name, "sha256": "aa", "runtime": {"name": "python"}}

    told = DOCUMENT | {"models": {name: facts(name) for name in ("int8", "fp32")}}
    (tmp_path / "phone.json").write_text(json.dumps(told), "utf-8")
    run = run_of(tmp_path / "run", [0, 1], [0, 1], model=facts("fp32"))
    rows = timed_chart(timed_in(str(tmp_path / "phone.json")), [run]).rows
    assert {(row["model"], row["file"]) for row in rows} == {
        ("fp32", "of this report"), ("int8", "another"),
    }  # fmt: skip
