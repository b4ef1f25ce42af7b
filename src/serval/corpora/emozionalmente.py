"""Emozionalmente: `audio/*.wav`, labels and votes in `metadata/`."""

from serval.corpora.corpus import Corpus, LabelTable, coded, numbers

CORPUS = Corpus(
    name="Emozionalmente",
    what="acted Italian speech of 431 volunteers, 18 sentences, about five votes a clip",
    language="Italian",
    clips=6902,
    speakers=431,
    licence="CC BY 4.0",
    source="https://zenodo.org/records/12616095",
    cite="Catania, Wilke and Garzotto, Emozionalmente: A Crowdsourced Corpus of Simulated "
    "Emotional Speech in Italian, IEEE/ACM Trans. Audio, Speech and Language Processing 33, 2025",
    grammar=r"audio/[^/]+",
    labels=coded(
        "anger angry | disgust disgust | fear fearful | joy happy | neutrality neutral | "
        "sadness sad | surprise surprised"
    ),
    counts=numbers("angry 986 disgust 986 fearful 986 happy 986 neutral 986 sad 986 surprised 986"),
    tables=(
        LabelTable(
            files=r"metadata/samples\.csv",
            key="{file_name}",
            columns={"label": "emotion_expressed", "speaker": "actor", "text": "sentence"},
            required=True,
        ),
        LabelTable(
            files=r"metadata/users\.csv",
            of="speaker",
            key="{username}",
            columns={"gender": "gender", "age": "age"},
        ),
        LabelTable(
            files=r"metadata/evaluations\.csv", key="{file_name}", votes="emotion_recognized"
        ),
        LabelTable(
            files=r"metadata/split/(?P<split>\w+)\.csv",
            key="{file_name}",
            columns={"split": "split"},
        ),
    ),
    official=True,
)
