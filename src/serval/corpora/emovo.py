"""EMOVO: `f2/gio-f2-b2.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers, sexes

CORPUS = Corpus(
    name="EMOVO",
    what="acted Italian speech of six actors, 14 sentences",
    language="Italian",
    clips=588,
    speakers=6,
    licence="for research; CC BY-NC-SA in later copies",
    source="http://voice.fub.it/activities/corpora/emovo/index.html",
    cite="Costantini et al., EMOVO Corpus: an Italian Emotional Speech Database, LREC 2014",
    grammar=r"(?P<label>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])-(?P<sentence>[a-z]\d)",
    labels=coded(
        "dis disgust | gio happy | neu neutral | pau fearful | rab angry | sor surprised | tri sad"
    ),
    genders=sexes(female="f1 f2 f3", male="m1 m2 m3"),
    counts=numbers("angry 84 disgust 84 fearful 84 happy 84 neutral 84 sad 84 surprised 84"),
    folds=(("f2",), ("m3",), ("m2",), ("f3",), ("f1",), ("m1",)),
)
