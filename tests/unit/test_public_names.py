import pytest

import serval


@pytest.mark.parametrize("name", serval.__all__)
def test_every_public_name_is_there(name):
    assert getattr(serval, name) is not None
    assert name in dir(serval)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        serval.gone  # noqa: B018 - the access is the test
