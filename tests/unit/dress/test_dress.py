import pytest

from serval.dress import filled, source_hash


def test_a_part_that_looks_like_a_place_is_not_filled_again():
    assert filled("<h1>{{title}}</h1>{{body}}", {"title": "{{body}}", "body": "b"}) == (
        "<h1>{{body}}</h1>b"
    )
    with pytest.raises(KeyError):
        filled("{{missing}}", {})


def test_a_hash_is_sha256_in_base64():
    assert source_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
