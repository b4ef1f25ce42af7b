"""What the repository promises about itself."""

import re
import tomllib

import pytest
import yaml

from conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted == [".", *project["dependencies"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_ci_runs_what_contributing_says(workflow):
    """The steps of a job are `.ci/run` and what must be there before it, none of our own tools."""
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        commands = [step["run"] for step in job["steps"] if "run" in step]
        assert [c.split()[0] for c in commands if not c.startswith("choco ")] == [".ci/run"]


def test_every_target_that_ci_names_exists():
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    named = re.findall(r"^ *make ([a-z]+)$", script, re.MULTILINE)
    for workflow in WORKFLOWS:
        named += re.findall(r"\.ci/run ([a-z ]+)", workflow.read_text(encoding="utf-8"))
    assert {"check", "test", "run", "weekly"} <= {n for names in named for n in names.split()}
    assert {n for names in named for n in names.split()} <= set(made)


@pytest.mark.xdist_group("grouped")
def test_tests_of_a_group_share_a_process(request):
    """Some versions of pytest and xdist do not fit, and say nothing of it."""
    if hasattr(request.config, "workerinput"):
        assert request.node.nodeid.endswith("@grouped")
