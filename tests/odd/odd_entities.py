"""Odd files of named entities."""

from __future__ import annotations

import json

from tests.odd.odd_input import Odd, Refused, csv, files, lines, rows, twice

NER = rows("ner")
EMPTY = {"text": "x y", "label": []}
NONE = ("x y", [])
ANN = ("Ann Lee left", [("Ann Lee", "PER")])


def spans(text: str, *labels: object) -> dict[str, object]:
    return {"text": text, "label": [list(label) for label in labels]}  # type: ignore[call-overload]


def conll(name: str, content: str, right: object, source: str = "docs", said: str = "") -> Odd:
    return Odd(name, twice("conll", content), NER, right, source, said)


def studio(*annotations: dict[str, object], text: str = "Ann Lee left") -> dict[str, object]:
    return {"id": 1, "data": {"text": text}, "annotations": list(annotations)}


def labelled(start: int, end: int, label: str, **more: object) -> dict[str, object]:
    value = {"start": start, "end": end, "labels": [label], **more}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


PRODIGY = {
    "text": "Ann Lee left",
    "tokens": [
        {"text": "Ann", "start": 0, "end": 3, "id": 0},
        {"text": "Lee", "start": 4, "end": 7, "id": 1},
    ],
    "spans": [{"start": 0, "end": 7, "token_start": 0, "token_end": 1, "label": "PER"}],
    "_task_hash": 1,
}

GERMEVAL = (
    "#\thttp://de.wikipedia.org/wiki/Ann [2009-10-17]\n"
    "1\tAnn\tB-PER\tO\n2\tLee\tI-PER\tB-LOC\n3\tleft\tO\tO\n\n#\thttp://x.de\n1\tx\tO\tO\n2\ty\tO\tO\n"
)
OUTER, OUTER_SAID = [ANN, NONE], "two columns of tags, as in GermEval: the outer ones, in column 3, are read"
CONLLU = (
    "# sent_id = 1\n# text = Ann left\n1\tAnn\tAnn\tPROPN\tNNP\tNumber=Sing\t2\tnsubj\t_\t_\n"
    "2\tleft\tleave\tVERB\tVBD\t_\t0\troot\t_\tSpaceAfter=No\n"
)
WORDS = "sentence,doc,word,tag\n1,a,Ann,B-PER\n1,a,Lee,I-PER\n1,a,left,O\n2,b,Rome,B-LOC\n"

TABLE = [
    Odd(
        "offsets in a text of combining accents",
        lines(
            spans("De\u0301partement de Me\u0301decine, Sherbrooke", (0, 25, "org"), (27, 37, "city")), EMPTY
        ),
        NER,
        [
            (
                "De\u0301partement de Me\u0301decine, Sherbrooke",
                [("De\u0301partement de Me\u0301decine", "org"), ("Sherbrooke", "city")],
            ),
            NONE,
        ],
        "doccano/doccano#2264",
    ),
    Odd(
        "a space at the end of a span, and a blank line",
        twice(
            "jsonl", json.dumps(spans("Ann Lee left", (0, 8, "PER"))) + "\n\n" + json.dumps(EMPTY) + "\n\n"
        ),
        NER,
        [ANN, NONE],
        "joeyism/jsonl-to-conll#3",
    ),
    Odd(
        "white space behind the last token in a span",
        lines(spans("every four (4)  ", (0, 16, "dose")), EMPTY),
        NER,
        [("every four (4)  ", [("every four (4)", "dose")]), NONE],
        "argilla-io/argilla#1264",
    ),
    Odd(
        "white space alone in a span",
        lines(spans("Ann  Lee", (3, 5, "PER")), EMPTY),
        NER,
        Refused("the span at 5 (PER) holds white space only"),
        "docs",
    ),
    Odd(
        "two entities in one word",
        lines(spans("AHU-G1-V-1-1-Ctrl-Md on", (0, 12, "Equip"), (13, 20, "Cmd")), EMPTY),
        NER,
        [("AHU-G1-V-1-1-Ctrl-Md on", [("AHU-G1-V-1-1", "Equip"), ("Ctrl-Md", "Cmd")]), NONE],
        "HumanSignal/label-studio-converter#15",
    ),
    Odd(
        "an entity that begins in a word",
        lines(spans("jvc/3/21/2008 Dr. John V. Smithn.", (4, 13, "DATE"), (18, 32, "PERSON")), EMPTY),
        NER,
        [
            ("jvc/3/21/2008 Dr. John V. Smithn.", [("3/21/2008", "DATE"), ("John V. Smithn", "PERSON")]),
            NONE,
        ],
        "explosion/spaCy#5272",
    ),
    Odd(
        "an entity that ends behind the text",
        lines(spans("in Bonn", (3, 9, "LOC")), EMPTY),
        NER,
        Refused("line 1, label: span 3–9 (LOC) does not lie in the text of 7 characters"),
        "HumanSignal/label-studio#2007",
    ),
    Odd(
        "overlapping entities",
        lines(spans("California Pizza Kitchen", (0, 10, "LOC"), (0, 24, "BRAND")), EMPTY),
        NER,
        Refused("overlap; keep one: a word has one tag"),
        "explosion/spaCy#4020",
    ),
    Odd(
        "offsets in UTF-16",
        lines({"text": "😀 Ann left", "spans": [{"start": 3, "end": 6, "label": "PER", "text": "Ann"}]}),
        NER,
        Refused("it is at 2 (are the offsets counted in bytes or UTF-16?"),
        "docs",
    ),
    Odd(
        "numbers of labels instead of names",
        lines(
            {
                "id": 1,
                "text": "EU rejects",
                "annotations": [{"id": 1, "label": 7, "start_offset": 0, "end_offset": 2, "user": 1}],
            }
        ),
        NER,
        Refused("no column is known as the label (the columns are: id, text, annotations)"),
        "doccano/doccano#1291",
    ),
    Odd(
        "names of fields where entities are expected",
        lines({"id": 1, "text": "Sold! A blue dress", "label": ["entities"]}),
        NER,
        Refused("is one label for the whole text, which --task classification learns"),
        "doccano/doccano#1795",
    ),
    Odd(
        "sentences in lists of lists",
        lines({"doc_key": "1", "sentences": [["a", "b"]], "ner": [[[0, 1, "Protein"]]]}),
        NER,
        Refused("no column is known as the text (the columns are: doc_key, sentences, ner)"),
        "huggingface/datasets#6460",
    ),
    Odd(
        "an annotation that was cancelled",
        twice(
            "json",
            json.dumps(
                [
                    studio(
                        {"was_cancelled": True, "result": [labelled(0, 3, "LOC")]},
                        {"was_cancelled": False, "result": [labelled(0, 7, "PER", text="Ann Lee")]},
                    ),
                    studio({"was_cancelled": False, "result": []}, text="x y"),
                ]
            ),
        ),
        NER,
        [ANN, NONE],
        "HumanSignal/label-studio#279",
    ),
    Odd(
        "tokens that are objects",
        lines(PRODIGY, {"text": "x y", "tokens": [{"text": "x"}], "spans": [], "_task_hash": 2}),
        NER,
        [ANN, NONE],
        "docs",
    ),
    Odd(
        "entities that somebody rejected",
        lines({**PRODIGY, "answer": "accept"}, {**PRODIGY, "answer": "reject"}),
        NER,
        Refused("line 2: answer: Prodigy's answer is 'reject': its label was not accepted"),
        "jdkato/prose#33",
    ),
    Odd(
        "an entity of a list of labels",
        lines({"text": "Ann", "spans": [{"start": 0, "end": 3, "labels": ["PER", "ORG"]}]}),
        NER,
        Refused("has the labels ['PER', 'ORG']; keep one"),
        "docs",
    ),
    conll(
        "a tab behind each tag",
        "Ann\tB-PER\t\nleft\tO\t\n\nRome\tB-LOC\t\n",
        [("Ann left", [("Ann", "PER")]), ("Rome", [("Rome", "LOC")])],
        "wikilinks/conll03_nel_eval#15",
    ),
    conll(
        "a tag that is missing",
        "Ann\tB-PER\nleft\t\n\nRome\tB-LOC\n",
        Refused("line 2 is 'left': a token and its tag are expected"),
    ),
    conll(
        "a space in a token",
        "Ann B-PER\nNew York B-LOC\n\nRome B-LOC\n",
        Refused("line 2 is 'New York B-LOC': 3 columns where the first line has 2"),
    ),
    conll(
        "a space that is missing",
        "CRICKET NNP I-NP O\n1997CD I-NP O\n\nRome NNP I-NP B-LOC\n",
        Refused("line 2 is '1997CD I-NP O': 3 columns where the first line has 4"),
        "CODAIT/Identifying-Incorrect-Labels-In-CoNLL-2003#33",
    ),
    conll("a tab as a token", "Ann B-PER\n\t O\nleft O\n", Refused("token 2 is ''"), "flairNLP/flair#3034"),
    conll(
        "tags without a type",
        "Ann B\nLee I\nleft O\n",
        Refused("tag 'B': a tag is O, or a letter"),
        "chakki-works/seqeval#46",
    ),
    conll(
        "parts of speech as tags",
        "Ann NOUN\nleft VERB\n",
        Refused("tag 'NOUN': a tag is O, or a letter"),
        "chakki-works/seqeval#75",
    ),
    conll(
        "types without a letter",
        "Vgl. O\nRAB PARTA\n1/2010 YEAR\n",
        Refused("tag 'PARTA': a tag is O"),
        "flairNLP/flair#2722",
    ),
    conll("letters behind the type", "Ann PER-B\nleft O\n", Refused("tag 'PER-B'")),
    conll(
        "two entities in a row by their ends",
        "North B-MISC\nAfrican E-MISC\nGrand B-MISC\nPrix E-MISC\n",
        [("North African Grand Prix", [("North African", "MISC"), ("Grand Prix", "MISC")])],
        "spyysalo/conlleval.py#1",
    ),
    conll(
        "a beginning only between neighbours (IOB1)",
        "Ann I-PER\nLee B-PER\nleft O\n\nRome I-LOC\n",
        [("Ann Lee left", [("Ann", "PER"), ("Lee", "PER")]), ("Rome", [("Rome", "LOC")])],
        said="read as IOB1",
    ),
    conll(
        "no tag that begins (IO)",
        "Ann I-PER\nLee I-PER\nleft O\n",
        [ANN],
        "EuropeanaNewspapers/ner-corpora#44",
    ),
    conll(
        "tags of BIOES", "Ann B-PER\nLee E-PER\nleft O\n\nRome S-LOC\n", [ANN, ("Rome", [("Rome", "LOC")])]
    ),
    conll(
        "tags of BILOU", "Ann B-PER\nLee L-PER\nleft O\n\nRome U-LOC\n", [ANN, ("Rome", [("Rome", "LOC")])]
    ),
    conll(
        "tags of BMES",
        "A B-PER\nn M-PER\nn E-PER\n\nRome S-LOC\n",
        [("A n n", [("A n n", "PER")]), ("Rome", [("Rome", "LOC")])],
    ),
    conll(
        "beginnings of documents", "-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-PER\n", [("Ann", [("Ann", "PER")])]
    ),
    conll(
        "columns of Label Studio",
        "-DOCSTART- -X- O\nXTC -X- _ B-Drug\nPills -X- _ O\n",
        [("XTC Pills", [("XTC", "Drug")])],
        "HumanSignal/label-studio#556",
    ),
    conll(
        "a tag a character",
        "A B-PER\nn I-PER\nn I-PER\n",
        [("A n n", [("A n n", "PER")])],
        "doccano/doccano#7",
    ),
    conll(
        "sentences without an entity before the first one",
        "Test\tO\n\nLoad\tO\n\nHi\tO\nJohn\tB-NAME\n",
        [("Test", []), ("Load", []), ("Hi John", [("John", "NAME")])],
        "flairNLP/flair#3306",
    ),
    conll("no entity at all", "Ann O\nleft O\n", Refused("no row has an entity: every tag is O")),
    conll(
        "two tags for three tokens",
        "Ann B-PER\nLee\nleft O\n",
        Refused("line 2 is 'Lee': a token and its tag are expected"),
    ),
    Odd(
        "one word a row, with the document of each",
        csv(WORDS),
        rows("ner", group="doc"),
        [ANN, ("Rome", [("Rome", "LOC")])],
        "docs",
    ),
    Odd(
        "texts where tags are expected",
        lines({"text": "a good film", "label": "x"}),
        NER,
        Refused("is one label for the whole text"),
        "docs",
    ),
    Odd(
        "tags where one label is expected",
        twice("conll", "Ann B-PER\nleft O\n"),
        rows(),
        Refused("holds tokens and tags, which --task ner reads"),
        "docs",
    ),
    Odd(
        "annotations beside their texts",
        files(train__txt="Ann left.", train__ann="T1\tPER 0 3\tAnn\n"),
        NER,
        Refused("tag 'left.': a tag is O"),
        "docs",
    ),
    Odd(
        "tokens that somebody rejected",
        lines(
            {"tokens": ["Ann"], "tags": ["B-PER"], "answer": "accept", "_task_hash": 1},
            {"tokens": ["Rome"], "tags": ["B-PER"], "answer": "ignore", "_task_hash": 2},
        ),
        NER,
        Refused("line 2: answer: Prodigy's answer is 'ignore': its label was not accepted"),
        "docs",
    ),
    Odd(
        "spans of Prodigy that are null",
        lines(PRODIGY, {**PRODIGY, "spans": None}),
        NER,
        Refused("validation.jsonl, line 2, spans: no label; give each token a tag"),
        "docs",
    ),
    Odd(
        "sentences of spaCy that are null",
        twice(
            "json",
            json.dumps(
                [
                    {"id": 0, "paragraphs": [{"sentences": [{"tokens": [{"orth": "Ann", "ner": "B-PER"}]}]}]},
                    {"id": 1, "paragraphs": [{"sentences": None}]},
                ]
            ),
        ),
        NER,
        Refused("train.json, row 2: paragraph 1, sentences: null; a list of objects is expected"),
        "docs",
    ),
    Odd(
        "a result of Label Studio that is null",
        lines(studio({"result": [labelled(0, 7, "PER")]}), studio({"result": None})),
        NER,
        Refused("train.jsonl, line 2: result: null; a list of objects is expected"),
        "docs",
    ),
    Odd("outer and inner tags (GermEval)", twice("conll", GERMEVAL), NER, OUTER, "docs", said=OUTER_SAID),
    Odd("GermEval in .tsv", twice("tsv", GERMEVAL), NER, OUTER, "docs", said=OUTER_SAID),
    Odd(
        "counted tokens with two columns of tags, of which the last has more",
        twice("conll", "1 Ann O B-PER\n2 left O O\n\n1 x O O\n2 y O O\n"),
        NER,
        [("Ann left", [("Ann", "PER")]), NONE],
        "docs",
    ),
    Odd(
        "a paragraph without sentences in the format of spaCy",
        lines(
            {
                "paragraphs": [
                    {"raw": "x"},
                    {
                        "sentences": [
                            {"tokens": [{"orth": "Ann", "ner": "U-PER"}, {"orth": "left", "ner": "O"}]}
                        ]
                    },
                ]
            }
        ),
        NER,
        Refused("train.jsonl, line 1: paragraph 1, sentences: missing"),
        "docs",
    ),
    Odd(
        "tokens and tags without a header in .tsv",
        twice("tsv", "Ann\tB-PER\nLee\tI-PER\nleft\tO\n\nRome\tB-LOC\n"),
        NER,
        [ANN, ("Rome", [("Rome", "LOC")])],
        "docs",
    ),
    Odd(
        "phrases before the tags of counted tokens",
        twice("conll", "1 Ann B-NP B-PER\n2 left B-VP O\n\n1 x B-NP O\n2 y I-NP O\n"),
        NER,
        [("Ann left", [("Ann", "PER")]), NONE],
        "docs",
    ),
    Odd(
        "columns behind the tags of counted tokens",
        twice("iob2", "# sent_id = 1\n1\tAnn\tB-PER\t-\tme\n2\tLee\tI-PER\t-\tme\n3\tleft\tO\t-\tme\n"),
        NER,
        [ANN],
        "docs",
    ),
    Odd(
        "CoNLL-U without tags of entities",
        twice("conllu", CONLLU),
        NER,
        Refused("validation.conllu, line 3, tags: no label; give each token a tag"),
        "docs",
        said="a file of CoNLL-U, none of whose ten columns holds tags of entities",
    ),
    conll(
        "types that differ by letter case",
        "Ann B-PER\nleft O\n\nLee B-Per\nleft O\n",
        [("Ann left", [("Ann", "PER")]), ("Lee left", [("Lee", "Per")])],
        said="differ by letter case or character width only are types of their own: 'PER', 'Per'; write",
    ),
    *(
        Odd(
            f"offsets of spans written as {start!r}",
            lines({"text": "Ann Lee left", "label": [{"start": start, "end": end, "label": "PER"}]}, EMPTY),
            NER,
            [ANN, NONE],
            "docs",
        )
        for start, end in (("0", "7"), (0.0, 7.0), ("0.0", "7.0"))
    ),
    Odd(
        "offsets of spans that are no whole numbers",
        lines({"text": "Ann Lee left", "label": [{"start": 0.5, "end": 7, "label": "PER"}]}, EMPTY),
        NER,
        Refused("expected whole numbers start and end, and a label"),
        "docs",
    ),
    conll("a header above the tokens", "Word Tag\nAnn B-PER\nLee I-PER\nleft O\n\nx O\ny O\n", [ANN, NONE]),
    conll(
        "a sentence that begins with Word", "Word O\nx B-A\n\nx O\ny O\n", [("Word x", [("x", "A")]), NONE]
    ),
]
