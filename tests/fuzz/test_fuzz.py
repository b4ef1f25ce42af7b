"""Whatever a file holds, a command says what is wrong in a line; `make fuzz` does so for longer."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.inputs import KINDS, world
from fuzz.verdict import fault_of

pytestmark = [
    pytest.mark.xdist_group("fuzz"),
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and bounds the memory of the child"),
]

EXAMPLES = 8
DEAR = {"sound": 3, "csv": 5, "jsonl": 5}
"""Whole evaluations; those of sound are of six mutated files each."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_a_line_or_a_counted_failure(kind):
    world()  # before hypothesis looks for chance in what a case is made of

    @settings(max_examples=DEAR.get(kind, EXAMPLES), derandomize=True, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(KINDS[kind])
    def every(case):
        assert fault_of(case) == ""

    every()
