from dataclasses import replace

import pytest

from runs import run_of
from serval.errors import RunError
from serval.options import EvalOptions, stored_options


def with_options(folder, options):
    run = run_of(folder, [0, 1, 2], [0, 1, 1])
    return replace(run, provenance=replace(run.provenance, options=options))


def test_a_run_of_another_version_is_opened_with_the_options_that_are_known(tmp_path):
    stored = {"dataset": "clips.csv", "limit": 3, "quiet": True, "json": False, "report": True}
    run = with_options(tmp_path / "run", stored | {"of a later version": [1]})
    assert stored_options(run) == EvalOptions(dataset="clips.csv", limit=3)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [("dataset", 3, "text"), ("limit", "3", "a whole number"), ("limit", True, "a whole number"),
     ("drop_unmapped", "no", "true or false"), ("model", None, "text")],
)  # fmt: skip
def test_an_option_of_another_kind_is_no_traceback(tmp_path, name, value, wanted):
    run = with_options(tmp_path / "run", {name: value})
    with pytest.raises(RunError, match=f"odd option {name}, which is {wanted}; evaluate again"):
        stored_options(run)
