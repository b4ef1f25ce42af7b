"""The set that is part of the package."""

from serval.corpora.corpus import Corpus
from serval.labels import EMOTIONS

CORPUS = Corpus(
    name="demo",
    what="synthetic English speech, 8 emotions x 8 voices: a trial, not a benchmark",
    language="English",
    clips=64,
    speakers=8,
    labels={emotion: emotion for emotion in EMOTIONS},
    licence="Apache-2.0",
    source="built in",
    cite="this package",
    location="builtin",
    caveats=(
        (
            "the demo clips are synthetic speech with prosody set by rules; "
            "a score on them says nothing about people"
        ),
    ),
)
