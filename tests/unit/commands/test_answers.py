"""What `predict` writes of its answers."""

import io

import pyarrow.parquet as pq

from serval.commands.answers import VALUES, content_of


def test_a_dimension_may_be_called_as_a_column_of_words():
    rows = [{"file": "a.wav", VALUES: {"emotion": 0.5}}]
    content = content_of(rows, ("file", VALUES), ("emotion",), "parquet", bare=True)
    assert pq.read_table(io.BytesIO(content)).to_pylist() == [{"file": "a.wav", "emotion": 0.5}]
