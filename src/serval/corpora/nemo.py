"""nEMO: `samples/*.wav`, what is said and by whom in `data.tsv`."""

from serval.corpora.corpus import Corpus, LabelTable, coded, numbers

CORPUS = Corpus(
    name="nEMO",
    what="acted Polish speech of nine actors",
    language="Polish",
    clips=4481,
    speakers=9,
    licence="CC BY-NC-SA 4.0",
    source="https://github.com/amu-cai/nEMO",
    cite="Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024",
    grammar=r"(?P<speaker>[^_/]+)_(?P<label>anger|fear|happiness|neutral|sadness|surprised?)_"
    r"(?P<sentence>[^_/]+)",
    labels=coded(
        "anger angry | fear fearful | happiness happy | neutral neutral | sadness sad | "
        "surprise surprised | surprised surprised"
    ),
    counts=numbers("angry 749 fearful 736 happy 749 neutral 809 sad 769 surprised 669"),
    tables=(
        LabelTable(
            files=r"data\.tsv",
            key="{file_id}",
            columns={"text": "raw_text", "gender": "gender", "age": "age", "speaker": "speaker_id"},
            required=True,
        ),
    ),
)
