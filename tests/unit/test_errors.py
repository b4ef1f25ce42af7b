import builtins
import re

import pytest

from serval import errors

TREE = re.findall(r"([│ ]*)[├└]── (\w+) +\((\w+)\)", errors.__doc__)


def test_the_drawn_tree_names_every_error():
    assert {name for _, name, _ in TREE} | {"ServalError"} == set(errors.__all__)


@pytest.mark.parametrize(("indent", "name", "builtin"), TREE)
def test_an_error_is_also_its_builtin(indent, name, builtin):
    error = getattr(errors, name)
    assert issubclass(error, errors.ServalError)
    assert issubclass(error, getattr(builtins, builtin))
    assert (errors.ServalError in error.__bases__) == (not indent)
