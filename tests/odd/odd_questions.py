"""Odd files of questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.odd.odd_input import Odd, Refused, Scene, csv, lines, rows, twice

QA = rows("qa")
NO_ANSWER = {"question": "who", "context": "a b", "answers": {"text": [], "answer_start": []}}


def asked(context: str, text: object, start: object, **more: object) -> dict[str, object]:
    return {
        "question": "which",
        "context": context,
        "answers": {"text": [text], "answer_start": [start]},
        **more,
    }


def article(*questions: dict[str, object], context: str = "red and blue") -> str:
    return json.dumps(
        {
            "version": "v2.0",
            "data": [{"title": "T", "paragraphs": [{"context": context, "qas": list(questions)}]}],
        }
    )


GOOD = {"context": "red and blue", "qas": [asked("red and blue", "red", 0)]}
ARTICLE = {"title": "T", "paragraphs": [GOOD]}


def beside_a_good_one(paragraph: dict[str, object]) -> Callable[[Scene], Path]:
    return twice("json", json.dumps({"data": [{"title": "T", "paragraphs": [GOOD, paragraph]}]}))


FORCE = "where  is the mass  of the object, the centripetal force"

TABLE = [
    Odd(
        "two spaces before an answer",
        lines(asked(FORCE, "centripetal", FORCE.index("centripetal")), NO_ANSWER),
        QA,
        [("which", [("centripetal", FORCE.index("centripetal"))]), ("who", [])],
        "PaddlePaddle/PaddleNLP#880",
    ),
    Odd(
        "an answer behind a mark",
        lines(asked("the #1 pick", "1 pick", 5), NO_ANSWER),
        QA,
        [("which", [("1 pick", 5)]), ("who", [])],
        "PaddlePaddle/PaddleNLP#875",
    ),
    Odd(
        "an answer at the very beginning",
        lines(asked("red and blue", "red", 0), NO_ANSWER),
        QA,
        [("which", [("red", 0)]), ("who", [])],
        "PaddlePaddle/PaddleNLP#4598",
    ),
    Odd(
        "an answer that is elsewhere",
        lines(asked("ولد عام 1854 في", "1854", 7), asked("red and blue", "red", 0)),
        QA,
        Refused("the answer '1854' is not at character 7; it is at 8"),
        "kushalj001/pytorch-question-answering#8",
    ),
    Odd(
        "an answer that is nowhere",
        lines(asked("red and blue", "green", 0)),
        QA,
        Refused("it is nowhere in the context"),
        "docs",
    ),
    Odd(
        "an answer at character -1",
        lines(asked("red and blue", "blue", -1)),
        QA,
        Refused("the answer 'blue' is not at character -1; it is at 8"),
        "docs",
    ),
    Odd(
        "a place that is no number",
        lines(asked("red and red", "red", "8th")),
        QA,
        Refused("answer_start '8th': a whole number is expected"),
        "docs",
    ),
    Odd(
        "an empty answer",
        lines(asked("red", "", 0)),
        QA,
        Refused("a text with visible characters is needed; none at all: []"),
        "docs",
    ),
    Odd(
        "answers counted in UTF-16",
        lines(asked("😀 red", "red", 3)),
        QA,
        [("which", [("red", 2)])],
        "docs",
        said="answer_start is counted in UTF-16 code units",
    ),
    Odd(
        "an answer that is there twice",
        lines({"question": "which", "context": "red and red", "answers": ["red"]}),
        QA,
        Refused("occurs in the context 2 times; say where with answer_start"),
        "docs",
    ),
    Odd(
        "the same answer from three people",
        lines(
            {"question": "which", "context": "red", "answers": [{"text": "red", "answer_start": 0}] * 3},
            NO_ANSWER,
        ),
        QA,
        [("which", [("red", 0)]), ("who", [])],
        "docs",
    ),
    Odd(
        "a question without an answer, but a plausible one",
        twice(
            "json",
            article(
                {
                    "id": "1",
                    "question": "which?",
                    "answers": [],
                    "is_impossible": True,
                    "plausible_answers": [{"text": "red", "answer_start": 0}],
                },
                {
                    "id": "2",
                    "question": "what?",
                    "answers": [{"text": "blue", "answer_start": 8}],
                    "is_impossible": False,
                },
            ),
        ),
        QA,
        [("which?", []), ("what?", [("blue", 8)])],
        "facebookresearch/ParlAI#983",
    ),
    Odd(
        "an answer to a question that has none",
        lines(asked("red", "red", 0, is_impossible=True)),
        QA,
        Refused("is_impossible says that there is none"),
        "docs",
    ),
    Odd(
        "no question has an answer",
        lines(NO_ANSWER),
        QA,
        Refused("no question has an answer in its text"),
        "docs",
    ),
    Odd(
        "SQuAD 1.1",
        twice(
            "json",
            article({"id": "1", "question": "what?", "answers": [{"text": "blue", "answer_start": 8}]}),
        ),
        QA,
        [("what?", [("blue", 8)])],
        "docs",
    ),
    Odd(
        "an article that names its question's id",
        twice(
            "json",
            article(
                {"id": "q6", "question": "which?", "answers": [{"text": "red", "answer_start": 0}]},
                {"id": "q7", "question": "what?", "answers": [{"text": "blue", "answer_start": 7}]},
            ),
        ),
        QA,
        Refused("it is at 8 (id q7)"),
        "docs",
    ),
    Odd(
        "answers as JSON in a cell",
        csv('question,context,answers\nwhich,red and red,"{""text"": [""red""], ""answer_start"": [8]}"\n'),
        QA,
        [("which", [("red", 8)])],
        "docs",
    ),
    Odd(
        "answers as Python writes them in a cell",
        csv("question,context,answers\nwhich,red and red,\"{'text': ['red'], 'answer_start': [8]}\"\n"),
        QA,
        [("which", [("red", 8)])],
        "docs",
    ),
    Odd(
        "a text of the context in a cell",
        csv("question,context,answer\nwhich,red and blue,blue\n"),
        QA,
        [("which", [("blue", 8)])],
        "docs",
    ),
    Odd(
        "a context that is missing",
        lines({"question": "which", "answers": ["red"]}),
        QA,
        Refused("no column is known as the context"),
        "docs",
    ),
    Odd(
        "a paragraph whose questions are null",
        beside_a_good_one({"context": "red and blue", "qas": None}),
        QA,
        Refused("train.json, row 1: paragraph 2, qas: null; a list of objects is expected, [] for none"),
        "docs",
    ),
    Odd(
        "a question whose answers are null",
        beside_a_good_one({"context": "red and blue", "qas": [{"question": "which", "answers": None}]}),
        QA,
        Refused("validation.json, row 1, answers: no label; give the row its answers"),
        "docs",
    ),
    Odd(
        "a context that is null",
        beside_a_good_one({"context": None, "qas": [{"question": "which", "answers": []}]}),
        QA,
        Refused("train.json, row 1, context: missing; a text is needed"),
        "docs",
    ),
    Odd(
        "an article whose paragraphs are null",
        twice("json", json.dumps({"data": [{"title": "b", "paragraphs": None}, ARTICLE]})),
        QA,
        Refused("train.json, row 1: paragraphs: null; a list of objects is expected"),
        "docs",
    ),
    Odd(
        "an answer that somebody rejected",
        lines(
            {**asked("red and blue", "red", 0), "answer": "accept", "_task_hash": 1},
            {**asked("red and blue", "blue", 8), "answer": "reject", "_task_hash": 2},
        ),
        QA,
        Refused("line 2: answer: Prodigy's answer is 'reject': its label was not accepted"),
        "docs",
    ),
    Odd(
        "an object with a key twice",
        twice(
            "jsonl",
            '{"question": "a", "question": "b", "context": "c", "answers": []}\n'
            + json.dumps(asked("red and blue", "red", 0)),
        ),
        QA,
        Refused("train.jsonl, line 1: the key 'question' is there twice ('a', then 'b'); keep one"),
        "docs",
    ),
    *(
        Odd(
            f"an answer_start of {start!r}",
            lines(asked("red and blue", "blue", start), NO_ANSWER),
            QA,
            [("which", [("blue", 8)]), ("who", [])],
            "docs",
        )
        for start in ("8", 8.0, "8.0")
    ),
    Odd(
        "an answer_start that a column with gaps turned into a fraction",
        csv("question,context,answer,answer_start\nwhich,red and red,red,8.0\nwho,red and red,red,0.0\n"),
        QA,
        [("which", [("red", 8)]), ("who", [("red", 0)])],
        "docs",
    ),
]
