"""What `predict` writes of its answers."""

import io

import pyarrow.parquet as pq

from serval.commands.answers import VALUES, content_of
from serval.labels import LabelSet
from serval.models.contract import Contract
from serval.tasks import DIMENSIONAL


def test_a_dimension_may_be_called_as_a_column_of_words():
    rows = [{"file": "a.wav", VALUES: {"emotion": 0.5, "valence": 0.25}}]
    contract = Contract(labels=LabelSet(["emotion", "valence"]), task=DIMENSIONAL.model)
    content = content_of(rows, ("file", VALUES), contract, "parquet")
    (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
    assert row == {"file": "a.wav", "emotion": 0.5, "valence": 0.25}
