import pytest

from serval.errors import ConfigError, MissingExtraError
from serval.stress import FULL, channel, suite_of
from serval.stress.suite import FAMILIES, QUICK


def test_names_are_distinct_and_fit_into_paths_of_bounds():
    names = [case.name for case in FULL]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not name.replace("_", "").isalnum()]
    assert {case.family for case in FULL} == set(FAMILIES)


def test_quick_exists_and_needs_no_extra():
    quick = suite_of("quick")
    assert [case.name for case in quick] == [c.name for c in FULL if c.name in QUICK]
    assert len(quick) == len(QUICK)
    assert "room" not in {case.family for case in quick}


def test_families_kinds_and_names_are_put_together_once():
    assert {case.family for case in suite_of("level, spectrum")} == {"level", "spectrum"}
    assert [case.name for case in suite_of("white,white_20db")] == [
        f"white_{db}db" for db in (45, 40, 35, 20, 10, 5, 0)
    ]


@pytest.mark.parametrize(("text", "fault"), [("", "empty"), ("whites", "unknown.*'whites'")])
def test_an_unknown_suite_names_the_known_ones(text, fault):
    with pytest.raises(ConfigError, match=fault):
        suite_of(text)


def test_a_room_without_its_library_names_the_extra(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(channel, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"serval-ser\[stress\]"):
        suite_of("room_small")


def test_the_published_thresholds_are_the_defaults():
    rules = {case.name: case.rule for case in FULL if case.rule}
    assert rules["white_40db"].unchanged == 0.95
    assert (rules["white_20db"].unchanged, rules["white_20db"].uar_change) == (0.90, -0.05)
    assert (rules["tilt_up"].unchanged, rules["tilt_up"].uar_change) == (0.80, -0.02)
    assert (rules["poor_telephone"].unchanged, rules["gsm"].uar_change) == (0.50, -0.05)
    assert rules["room_large"].unchanged == 0.80
    assert "white_10db" not in rules


def test_runs_know_a_perturbation_by_the_name_that_earlier_versions_stored():
    functions = {case.family: case.facts["function"].partition(".")[0] for case in FULL}
    assert functions.pop("time") == "tempo"
    assert all(family == name for family, name in functions.items())
    assert {case.name: case.facts["function"] for case in FULL}["opus_12kbps"] == "codec.opus"
