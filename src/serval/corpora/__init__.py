"""The corpora that are known by name, as data, and how a folder is known as one of them."""

from serval.corpora.corpus import Corpus, LabelTable
from serval.corpora.folds import FOLDS, folds_by_rule, published_folds
from serval.corpora.known import corpus_called, known_corpora
from serval.corpora.recognition import ENOUGH, fitting, has_tables, lacking_tables, recognised

__all__ = [
    "ENOUGH",
    "FOLDS",
    "Corpus",
    "LabelTable",
    "corpus_called",
    "fitting",
    "folds_by_rule",
    "has_tables",
    "known_corpora",
    "lacking_tables",
    "published_folds",
    "recognised",
]
