"""Where clips come from: known corpora, the hub, folders and manifests."""

from serval.datasets.load import load_dataset, named_corpus, only, part_of
from serval.datasets.options import DatasetOptions, LabelledOptions

__all__ = ["DatasetOptions", "LabelledOptions", "load_dataset", "named_corpus", "only", "part_of"]
