"""Prediction where places in the text are answered: entities, and answers to questions."""

from __future__ import annotations

import csv
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset
from tests import tokens
from transformers import BertForQuestionAnswering

from tinybert.data.windows import encode_windows
from tinybert.errors import DataError, ModelError, TinyBertError
from tinybert.inference import Predictor, files, lines, predictor, row_windows
from tinybert.inference.files import predict_file
from tinybert.models import load_classifier
from tinybert.models.label_order import reorder_outputs
from tinybert.tasks import Entities, FoundAnswer
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.words import segment, words_of_pieces

ENTITY_ROWS = tokens.make_entity_rows(20, seed=5)
WORDS = [row["tokens"] for row in ENTITY_ROWS]
TEXTS = [" ".join(words) for words in WORDS]
QUESTION_ROWS = tokens.make_question_rows(20, seed=5)
PAIRS = [(row["question"], row["context"]) for row in QUESTION_ROWS]
WANTED = [(row["answers"]["text"][0], row["answers"]["answer_start"][0]) for row in QUESTION_ROWS]
TASKS = pytest.mark.parametrize("task", ["ner", "qa"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("teachers")
    return {
        "ner": tokens.save_entity_teacher(folder / "ner"),
        "qa": tokens.save_question_teacher(folder / "qa"),
    }


@pytest.fixture(scope="module")
def teachers(folders: dict[str, Path]) -> dict[str, Predictor]:
    return {task: Predictor(folder) for task, folder in folders.items()}


def gold_entities(row: tokens.Row) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for word, tag in zip(row["tokens"], row["tags"], strict=True):
        if tag.startswith("B-"):
            found.append((word, tag[2:]))
        elif tag.startswith("I-"):
            found[-1] = (f"{found[-1][0]} {word}", found[-1][1])
    return found


def said(answer: Entities | FoundAnswer) -> object:
    if isinstance(answer, FoundAnswer):
        return (answer.answer, answer.start, answer.end)
    return [(entity.text, entity.start, entity.end, entity.label) for entity in answer.entities]


def test_entities_of_texts_are_found_where_they_stand(teachers: dict[str, Predictor]) -> None:
    answers = teachers["ner"](TEXTS)
    for row, text, answer in zip(ENTITY_ROWS, TEXTS, answers, strict=True):
        assert answer.text == text
        assert [(entity.text, entity.label) for entity in answer.entities] == gold_entities(row)
        assert all(entity.text == text[entity.start : entity.end] for entity in answer.entities)


def test_questions_are_answered_from_their_context(teachers: dict[str, Predictor]) -> None:
    answers = teachers["qa"](PAIRS)
    assert [(answer.answer, answer.start) for answer in answers] == WANTED
    for (_, context), answer in zip(PAIRS, answers, strict=True):
        assert answer.sentence == context
        assert answer.n_best[0].text == answer.answer


def test_texts_words_and_mappings_are_the_same_rows(teachers: dict[str, Predictor]) -> None:
    ner = teachers["ner"]
    expected = [said(answer) for answer in ner(TEXTS)]
    for name, values in (("text", TEXTS), ("tokens", WORDS), ("words", WORDS)):
        assert [said(answer) for answer in ner([{name: value} for value in values])] == expected
    for rows in (WORDS, [tuple(words) for words in WORDS]):
        answers = ner(rows)
        assert [said(answer) for answer in answers] == expected
        assert [answer.text for answer in answers] == TEXTS


def test_pairs_and_mappings_are_the_same_questions(teachers: dict[str, Predictor]) -> None:
    qa = teachers["qa"]
    expected = [said(answer) for answer in qa(PAIRS)]
    for question, context in (("question", "context"), ("text", "text_pair")):
        rows = [{question: asked, context: text} for asked, text in PAIRS]
        assert [said(answer) for answer in qa(rows)] == expected


def test_words_are_kept_as_they_were_cut(teachers: dict[str, Predictor]) -> None:
    (answer,) = teachers["ner"]([["bab", "mister", "ada", "smith-", "."]])
    assert answer.text == "bab mister ada smith- ."
    borders = {0, 4, 11, 15, 22}
    assert all(entity.start in borders for entity in answer.entities)


@TASKS
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_answers_come_in_the_order_given_however_rows_are_batched(
    folders: dict[str, Path],
    teachers: dict[str, Predictor],
    task: str,
    batch_size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = TEXTS if task == "ner" else PAIRS
    # rows of very different length, so that the order of lengths is not theirs
    long = " ".join(TEXTS)
    rows = [*rows[:5], long if task == "ner" else ("which colour", f"{long} colour red"), *rows[5:]]
    expected = [said(answer) for answer in teachers[task](rows)]
    monkeypatch.setattr(predictor, "CHUNK_ROWS", 4)
    assert [
        said(answer) for answer in Predictor(folders[task], batch_size=batch_size)(iter(rows))
    ] == expected


def test_a_long_text_has_the_entities_of_its_parts(teachers: dict[str, Predictor]) -> None:
    text = " ".join(TEXTS)
    assert len(text.split()) > 150
    (whole,) = teachers["ner"]([text])
    expected: list[tuple[str, int, int, str]] = []
    place = 0
    for part, row in zip(TEXTS, ENTITY_ROWS, strict=True):
        here = place
        for name, kind in gold_entities(row):
            start = text.index(name, here)
            expected.append((name, start, start + len(name), kind))
            here = start + len(name)
        place += len(part) + 1
    found = said(whole)
    assert len(set(found) & set(expected)) >= 0.9 * len(expected)
    assert all(one.end <= other.start for one, other in itertools.pairwise(whole.entities))


def test_a_long_text_equals_its_windows_joined(teachers: dict[str, Predictor]) -> None:
    ner = teachers["ner"]
    text = " ".join(TEXTS[:8])
    (row,) = ner.chunk_outputs({"text": [text], **_words(text)})
    rows = {"text": [text], **_words(text)}
    features = NER.format.encode(ner.tokenizer, rows, max_length=ner.max_length)
    assert len(features["input_ids"]) > 1
    heard: dict[int, dict[int, list[list[float]]]] = {}  # word → distance from the edge → scores
    for ids, words in zip(features["input_ids"], features["words"], strict=True):
        window = np.array([ids])
        batch = {"input_ids": window, "attention_mask": window * 0 + 1, "token_type_ids": window * 0}
        scores = ner.alone(batch)[0]
        for piece, word in enumerate(words):
            distance = min(piece, len(words) - 1 - piece)
            heard.setdefault(word, {}).setdefault(distance, []).append(scores[piece].tolist())
    assert any(len(heard[word]) > 1 for word in range(len(row.scores)))
    for word, scores in enumerate(row.scores.tolist()):
        farthest = heard[word][max(heard[word])]
        assert any(scores == pytest.approx(each, abs=1e-4) for each in farthest)


def _words(text: str) -> dict[str, list[list[int]]]:
    starts, ends = segment(text)
    return {"word_starts": [starts], "word_ends": [ends]}


class Pointing(Predictor):
    """Reads windows as any model does, and points at one word wherever it stands."""

    def alone(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        found = batch["input_ids"] == self.tokenizer.convert_tokens_to_ids("red")
        return np.stack([found, found], axis=-1).astype(np.float32) * 5


@pytest.mark.parametrize("before", [0, 1, 40, 52, 53, 54, 55, 150, 999, 1000])
def test_an_answer_is_found_anywhere_in_a_long_context(folders: dict[str, Path], before: int) -> None:
    noise = [tokens.easy.NOISE[i % 50] for i in range(1000)]
    context = " ".join([*noise[:before], "red", *noise[before:]])
    (answer,) = Pointing(folders["qa"])([("which colour red", context)])
    assert answer.answer == "red"
    assert answer.start == len(" ".join(noise[:before])) + bool(before)
    assert context[answer.start : answer.end] == "red"


def test_two_hundred_pages_are_answered(tmp_path: Path) -> None:
    small = tokens.random_model(
        BertForQuestionAnswering, num_hidden_layers=1, hidden_size=8, intermediate_size=8
    )
    noise = [tokens.easy.NOISE[i % 50] for i in range(100_000)]
    context = " ".join(noise)
    (answer,) = Predictor(tokens.save(small, tmp_path / "small"), batch_size=256)([("which colour", context)])
    assert answer.answer == context[answer.start : answer.end]
    assert answer.answer
    assert sum(span.score for span in answer.n_best) == pytest.approx(1)


def test_entities_of_a_book_take_time_by_its_length_not_its_square() -> None:
    def seconds(num_words: int) -> float:
        """Return the least of three times: what else the process does may come between."""
        text = " ".join(tokens.easy.NOISE[i % 50] for i in range(num_words))
        rows = {"text": [text], **_words(text)}
        tokenizer = tokens.make_tokenizer()
        windows = encode_windows(tokenizer, [text], max_length=64)
        taken: list[float] = []
        for _ in range(3):
            start = time.process_time()
            words_of_pieces(windows, rows)
            taken.append(time.process_time() - start)
        return min(taken)

    assert seconds(40_000) < 8 * seconds(10_000)  # 4 times the words


@pytest.mark.parametrize("max_length", [5, 6, 7])
def test_a_window_too_short_for_a_question_is_refused_in_words(
    folders: dict[str, Path], max_length: int
) -> None:
    with pytest.raises(TinyBertError):
        Predictor(folders["qa"], max_length=max_length)([("which colour red fox", "bab bel bin " * 9)])


@pytest.mark.parametrize(
    ("task", "rows", "problems"),
    [
        (
            "ner",
            ["ada", "", ["ada", " "], [], 3, {"label": "x"}],
            ["row 2", "row 3", "row 4", "row 5", "row 6"],
        ),
        ("qa", [("which", "red"), ("", "red"), ("which", " "), "which"], ["row 2", "row 3", "row 4"]),
        ("qa", [{"question": "which"}, {"context": "red"}], ["row 1", "row 2"]),
    ],
)
def test_all_bad_rows_are_listed(
    teachers: dict[str, Predictor], task: str, rows: list[object], problems: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        teachers[task](rows)
    assert [problem.split(",")[0] for problem in caught.value.problems] == problems


@TASKS
def test_no_rows_give_no_answers(teachers: dict[str, Predictor], task: str) -> None:
    assert teachers[task]([]) == []


# files


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("form", ["texts.jsonl", "tokens.jsonl", "texts.csv", "texts.txt", "words.conll"])
def test_entities_of_every_kind_of_file_become_json_lines(
    teachers: dict[str, Predictor], tmp_path: Path, form: str
) -> None:
    source = tmp_path / form
    if form == "words.conll":
        blocks = ["".join(f"{word} O\n" for word in words) for words in WORDS]
        source.write_text("\n".join(blocks))
    elif form == "texts.jsonl":
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    elif form == "tokens.jsonl":
        source.write_text("".join(json.dumps({"tokens": words}) + "\n" for words in WORDS))
    else:
        header = [] if form.endswith(".txt") else ["text"]
        source.write_text("\n".join([*header, *TEXTS]) + "\n")
    predict_file(teachers["ner"], source, tmp_path / "out.jsonl")
    rows = read(tmp_path / "out.jsonl")
    assert [row["text"] for row in rows] == TEXTS
    for row, gold in zip(rows, ENTITY_ROWS, strict=True):
        assert [(each["text"], each["label"]) for each in row["entities"]] == gold_entities(gold)
        assert all(each["text"] == row["text"][each["start"] : each["end"]] for each in row["entities"])


def test_entities_become_a_table_of_one_line_each(teachers: dict[str, Predictor], tmp_path: Path) -> None:
    source = tmp_path / "texts.txt"
    source.write_text("\n".join([*TEXTS, "bab bel"]) + "\n")
    predict_file(teachers["ner"], source, tmp_path / "out.csv")
    rows = read(tmp_path / "out.csv")
    assert list(rows[0]) == ["row", "text", "entity", "start", "end", "label", "score"]
    wanted_rows = [number for number, row in enumerate(ENTITY_ROWS, 1) for _ in gold_entities(row)]
    assert [int(row["row"]) for row in rows] == wanted_rows
    expected = [pair for row in ENTITY_ROWS for pair in gold_entities(row)]
    assert [(row["entity"], row["label"]) for row in rows] == expected
    assert all(row["text"][int(row["start"]) : int(row["end"])] == row["entity"] for row in rows)
    assert all(0 < float(row["score"]) <= 1 for row in rows)


def squad() -> dict[str, object]:
    def paragraph(row: tokens.Row, number: int) -> dict[str, object]:
        asked = {"id": f"q{number}", "question": row["question"], "answers": []}
        return {"context": row["context"], "qas": [asked]}

    parts = [paragraph(row, number) for number, row in enumerate(QUESTION_ROWS)]
    return {
        "version": "2.0",
        "data": [{"title": "one", "paragraphs": parts[:9]}, {"title": "two", "paragraphs": parts[9:]}],
    }


@pytest.mark.parametrize("form", ["squad.json", "rows.jsonl", "rows.csv"])
@pytest.mark.parametrize("target", ["out.jsonl", "out.csv"])
def test_questions_in_files_are_answered(
    teachers: dict[str, Predictor], tmp_path: Path, form: str, target: str
) -> None:
    source = tmp_path / form
    rows = [{"question": asked, "context": context} for asked, context in PAIRS]
    if form == "squad.json":
        source.write_text(json.dumps(squad()))
    elif form == "rows.jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with source.open("w", newline="") as file:
            table = csv.DictWriter(file, ["question", "context"])
            table.writeheader()
            table.writerows(rows)
    predict_file(teachers["qa"], source, tmp_path / target)
    answers = read(tmp_path / target)
    assert [row["question"] for row in answers] == [asked for asked, _ in PAIRS]
    assert [(row["answer"], int(row["start"])) for row in answers] == WANTED
    assert all("context" not in row for row in answers)
    if form == "squad.json" and target == "out.jsonl":
        assert [row["id"] for row in answers] == [f"q{number}" for number in range(20)]
        assert {row["title"] for row in answers} == {"one", "two"}


@pytest.mark.parametrize(
    ("task", "row", "why"),
    [
        ("ner", {"text": " "}, "text: ' '"),
        ("ner", {"tokens": ["ada", ""]}, "tokens: ['ada', '']"),
        ("ner", {"remark": "ada"}, "no field 'tokens' or 'words' or 'text' (it has: remark)"),
        ("qa", {"question": "", "context": "red"}, "question: ''"),
        ("qa", {"question": "which", "context": None}, "context: None"),
        ("qa", {"question": "which"}, "no field 'context' or 'passage' or"),
    ],
)
def test_a_bad_row_is_named_with_its_file_and_line(
    teachers: dict[str, Predictor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    task: str,
    row: dict[str, object],
    why: str,
) -> None:
    good = {"text": "ada"} if task == "ner" else {"question": "which colour", "context": "colour red"}
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in [good, good, row, good]))
    assert predict_file(teachers[task], source, tmp_path / "out.jsonl").num_bad == 1
    problem, _ = capsys.readouterr().err.splitlines()
    assert problem.startswith(f"{source}, line 3")
    assert why in problem
    assert len(read(tmp_path / "out.jsonl")) == 3


def test_files_are_answered_a_window_at_a_time(
    teachers: dict[str, Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "squad.json"
    source.write_text(json.dumps(squad()))
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 3)
    predict_file(teachers["qa"], source, tmp_path / "out.jsonl")
    assert [(row["answer"], row["start"]) for row in read(tmp_path / "out.jsonl")] == WANTED


def test_a_table_of_answers_keeps_the_columns_of_its_rows(
    teachers: dict[str, Predictor], tmp_path: Path
) -> None:
    asked = [{"id": f"q{i}", "question": a, "context": c} for i, (a, c) in enumerate(PAIRS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    predict_file(teachers["qa"], tmp_path / "rows.jsonl", tmp_path / "out.csv")
    answers = read(tmp_path / "out.csv")
    assert list(answers[0]) == ["row", "id", "question", "answer", "start", "end", "score"]
    assert [row["id"] for row in answers] == [row["id"] for row in asked]


def test_possible_answers_in_json_are_the_five_best(teachers: dict[str, Predictor]) -> None:
    (answer,) = teachers["qa"](PAIRS[:1])
    assert isinstance(answer, FoundAnswer)
    assert len(answer.n_best) > 5
    shown = json.loads(lines.as_json({"question": "?"}, answer))["n_best"]
    assert [span["text"] for span in shown] == [span.text for span in answer.n_best[:5]]


def test_a_file_without_rows_is_an_error(teachers: dict[str, Predictor], tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("")
    with pytest.raises(DataError, match="no row in it"):
        predict_file(teachers["ner"], tmp_path / "none.txt", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_source_that_is_missing_is_said_although_the_target_exists(
    teachers: dict[str, Predictor], tmp_path: Path
) -> None:
    (tmp_path / "out.jsonl").write_text("")
    with pytest.raises(DataError, match="no such file"):
        predict_file(teachers["ner"], tmp_path / "none.txt", tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        files.read_context(tmp_path)


def test_labels_that_are_no_tags_are_refused_and_other_orders_are_read(
    folders: dict[str, Path], teachers: dict[str, Predictor], tmp_path: Path
) -> None:
    expected = [said(answer) for answer in teachers["ner"](TEXTS)]
    names = list(teachers["ner"].labels.names)
    turned = load_classifier(folders["ner"])
    order = list(reversed(range(len(names))))
    reorder_outputs(turned, order, [names[i] for i in order])
    turned.save_pretrained(tmp_path / "turned")
    teachers["ner"].tokenizer.save_pretrained(tmp_path / "turned")
    assert [said(answer) for answer in Predictor(tmp_path / "turned")(TEXTS)] == expected

    reorder_outputs(turned, range(len(names)), [f"TAG_{i}" for i in range(len(names))])
    turned.save_pretrained(tmp_path / "turned")
    with pytest.raises(ModelError, match=r"outputs are TAG_0, .* they are O, B-TYPE and I-TYPE"):
        Predictor(tmp_path / "turned")


def test_a_table_keeps_what_later_rows_add_and_what_an_answer_would_hide(
    teachers: dict[str, Predictor], tmp_path: Path
) -> None:
    question, context = PAIRS[0]
    rows = [
        {"question": question, "context": context, "answer": "GOLD", "row": 7},
        {"Question": question, "passage": context, "id": "x", "kinds": ["a", "é"]},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict_file(teachers["qa"], tmp_path / "rows.jsonl", tmp_path / "out.csv")
    first, second = read(tmp_path / "out.csv")
    assert (first["row"], first["input_row"], first["input_answer"]) == ("1", "7", "GOLD")
    assert first["answer"] == second["answer"] == WANTED[0][0]
    assert (second["id"], json.loads(second["kinds"])) == ("x", ["a", "é"])
    predict_file(teachers["qa"], tmp_path / "rows.jsonl", tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl")[0]["input_answer"] == "GOLD"


def test_a_table_stays_straight_where_texts_are_said_twice(
    teachers: dict[str, Predictor], tmp_path: Path
) -> None:
    rows = [
        {"tokens": ["mister", "ada"], "text": "mister ada"},
        {"tokens": ["mister", "ada"], "text": "Mr Ada"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict_file(teachers["ner"], tmp_path / "rows.jsonl", tmp_path / "out.csv")
    for row in read(tmp_path / "out.csv"):
        assert (row["text"], row["entity"], row["label"]) == ("mister ada", "ada", "PER")
        assert json.loads(row["tokens"]) == ["mister", "ada"]


def test_a_table_says_that_a_late_column_has_no_place(
    teachers: dict[str, Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    rows = [{"text": "ada"}, {"text": "bert"}, {"text": "carl", "late": 1}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert predict_file(teachers["ner"], tmp_path / "rows.jsonl", tmp_path / "out.csv").num_bad == 1
    (aside,) = read(tmp_path / "out.csv.bad_rows.jsonl")
    assert aside["row"] == 3
    assert "has a column 'late' that the first rows lack" in aside["why"]
    predict_file(teachers["ner"], tmp_path / "rows.jsonl", tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl")[2]["late"] == 1


def test_columns_in_a_text_file_and_pairs_are_refused(teachers: dict[str, Predictor], tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("ada B-PER\nli I-PER\n\nrome B-LOC\n")
    with pytest.raises(DataError, match=r"looks like a file of columns .* end in \.conll"):
        predict_file(teachers["ner"], tmp_path / "rows.txt", tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        predict_file(teachers["ner"], tmp_path, tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="reads one text at a time"):
        teachers["ner"]([("ada li", "in rome")])
    assert said(teachers["ner"]([{"tokens": '["mister", "ada"]'}])[0]) == [("ada", 7, 10, "PER")]


@TASKS
def test_tables_are_predicted_as_lists(teachers: dict[str, Predictor], task: str) -> None:
    rows = ENTITY_ROWS if task == "ner" else QUESTION_ROWS
    expected = teachers[task](WORDS if task == "ner" else PAIRS)
    arrays = pd.DataFrame(rows).map(lambda cell: np.array(cell) if isinstance(cell, list) else cell)
    for given in (arrays, pa.Table.from_pylist(rows), Dataset.from_list(rows)):
        assert [said(answer) for answer in teachers[task](given)] == [said(answer) for answer in expected]


def test_questions_of_a_table_need_a_column_of_contexts(teachers: dict[str, Predictor]) -> None:
    frame = pd.DataFrame({"question": ["which"], "passages": ["red"]})
    expected = r"known as the context \(the columns are: question, passages\); rename it to 'context'"
    with pytest.raises(DataError, match=expected):
        teachers["qa"](frame)
