"""What serval writes is no part of the set in whose folder it lies."""

import pytest

from build import classifier, labels_metadata, speech_set
from serval.datasets import load_dataset
from serval.datasets.listing import WRITTEN, listing_of_folder
from serval.evaluation import evaluate_named
from serval.options import EvalOptions


def test_an_evaluation_into_the_folder_of_its_set_leaves_the_set_as_it_was(tmp_path):
    folder = tmp_path / "set"
    table = speech_set(folder, 4, seconds=0.1)
    text = table.read_text("utf-8").replace("path", "file_name", 1)
    table.rename(folder / "metadata.csv").write_text(text, "utf-8")
    before = load_dataset(str(folder))
    model = classifier(tmp_path / "m.onnx", metadata=labels_metadata())
    options = EvalOptions(model=str(model), dataset=str(folder), output=str(folder), plots=False)
    evaluate_named(options)
    after = load_dataset(str(folder))
    assert (after.fingerprint, after.left_out) == (before.fingerprint, before.left_out)
    assert list(after.metadata(0, None)) == list(before.metadata(0, None))


@pytest.mark.parametrize("marker", sorted(WRITTEN))
def test_a_table_is_serval_s_own_only_beside_what_it_is_written_with(tmp_path, marker):
    names = {*WRITTEN[marker], "metadata.csv"} - {marker}
    for name in names:
        (tmp_path / name).write_text("path,label\n")
    assert set(listing_of_folder(tmp_path).files) == names
    (tmp_path / marker).write_text("{}")
    assert set(listing_of_folder(tmp_path).files) - {marker} == {"metadata.csv"}
