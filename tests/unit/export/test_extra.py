import pytest

from serval.errors import MissingExtraError
from serval.export import export


def test_a_missing_extra_is_one_line_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'serval-ser\[export\]'"):
        export.export_checkpoint(str(tmp_path), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
