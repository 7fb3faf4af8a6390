"""Easy tasks on places in a text, on a vocabulary of few words: named entities, and questions.

Entities: after a title stands a PER, a first name and up to two others; a LOC is a place and up to two
others. Questions: "which colour" is answered by the one or two words behind "colour" in the context.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from datasets import Dataset
from tests import easy
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from tinybert.data import LabelScheme, pad
from tinybert.tasks import BUILTIN
from tinybert.tasks.ner.words import join_words

TITLES = ["mister", "lady"]
NAMES = ["ada", "bert", "carl"]
LAST_NAMES = ["smith", "jones", "li"]
PLACES = ["rome", "oslo", "lima"]
REGIONS = ["north", "east", "upper"]
QUESTIONS = {"colour": "which", "animal": "who", "food": "what"}
ANSWERS = {"colour": ["red", "blue"], "animal": ["fox", "owl"], "food": ["rice", "soup"]}
SECOND = {"colour": ["dark", "pale"], "animal": ["old", "tame"], "food": ["hot", "cold"]}
WORDS = [
    *easy.NOISE,
    *TITLES,
    *NAMES,
    *LAST_NAMES,
    *PLACES,
    *REGIONS,
    *QUESTIONS,
    *QUESTIONS.values(),
    *(word for words in (*ANSWERS.values(), *SECOND.values()) for word in words),
    *"abcdefghijklmnopqrstuvwxyz.?,",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
]
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
QUESTION_LABELS = ("start", "end")

Row = dict[str, object]


def make_tokenizer(words: Sequence[str] = WORDS) -> PreTrainedTokenizerFast:
    return easy.make_tokenizer(words)


def other_words() -> list[str]:
    """A vocabulary in another order in which the names and places are cut into letters."""
    whole = {*NAMES, *LAST_NAMES, *PLACES, *REGIONS}
    return [word for word in reversed(WORDS) if word not in whole]


# entities


def make_entity_row(rng: random.Random) -> Row:
    tokens: list[str] = []
    tags: list[str] = []
    for _ in range(rng.randint(1, 3)):
        noise = rng.sample(easy.NOISE, rng.randint(1, 4))
        tokens, tags = [*tokens, *noise], [*tags, *["O"] * len(noise)]
        kind = rng.choice(["PER", "LOC"])
        if kind == "PER":
            tokens, tags = [*tokens, rng.choice(TITLES)], [*tags, "O"]
        first, others = (NAMES, LAST_NAMES) if kind == "PER" else (PLACES, REGIONS)
        found = [rng.choice(first), *rng.sample(others, rng.randint(0, 2))]
        tokens += found
        tags += [f"B-{kind}", *[f"I-{kind}"] * (len(found) - 1)]
    return {"tokens": tokens, "tags": tags}


# questions


def make_question_row(rng: random.Random, *, with_answer: bool = True) -> Row:
    """The context holds every kind of thing, but, without an answer, the one that is asked for."""
    asked = rng.choice(list(ANSWERS))
    kinds = [kind for kind in ANSWERS if with_answer or kind != asked]
    rng.shuffle(kinds)
    words: list[str] = rng.sample(easy.NOISE, rng.randint(1, 4))
    answer: Row = {"text": [], "answer_start": []}
    for kind in kinds:
        found = [rng.choice(ANSWERS[kind]), *rng.sample(SECOND[kind], rng.randint(0, 1))]
        if kind == asked:
            start = len(" ".join([*words, kind])) + 1
            answer = {"text": [" ".join(found)], "answer_start": [start]}
        words += [kind, *found, *rng.sample(easy.NOISE, rng.randint(1, 3))]
    return {"question": f"{QUESTIONS[asked]} {asked}", "context": " ".join(words), "answers": answer}


def different(make: Callable[[int], Row], count: int) -> list[Row]:
    rows: dict[str, Row] = {}
    while len(rows) < count:
        row = make(len(rows))
        rows.setdefault(json.dumps(row), row)
    return list(rows.values())


def make_entity_rows(count: int, *, seed: int = 0) -> list[Row]:
    """Different rows of the entity task."""
    rng = random.Random(seed)
    return different(lambda _: make_entity_row(rng), count)


def make_question_rows(count: int, *, seed: int = 0, unanswerable: bool = False) -> list[Row]:
    """Different rows of the question task; every third without an answer where that is asked for."""
    rng = random.Random(seed)
    return different(
        lambda index: make_question_row(rng, with_answer=not (unanswerable and index % 3 == 2)), count
    )


def make_splits(
    make: Callable[..., list[Row]],
    *,
    train: int = 96,
    validation: int = 32,
    test: int = 32,
    seed: int = 0,
    **changes: bool,
) -> dict[str, list[Row]]:
    rows = make(train + validation + test, seed=seed, **changes)
    return {
        "train": rows[:train],
        "validation": rows[train : train + validation],
        "test": rows[train + validation :],
    }


# rows as ``tinybert.data.load`` gives them


def entity_columns(rows: Sequence[Row]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {"text": [], "word_starts": [], "word_ends": [], "label": []}
    for row in rows:
        joined = join_words(row["tokens"])
        parts = (joined.text, joined.starts, joined.ends, [TAGS.index(tag) for tag in row["tags"]])
        for name, value in zip(columns, parts, strict=True):
            columns[name].append(value)
    return columns


def question_columns(rows: Sequence[Row]) -> dict[str, list[object]]:
    spans = [
        [[start, start + len(text)] for text, start in zip(given["text"], given["answer_start"], strict=True)]
        for given in (row["answers"] for row in rows)
    ]
    return {
        "text": [row["question"] for row in rows],
        "text_pair": [row["context"] for row in rows],
        "label": spans,
    }


def make_dataset(columns: Mapping[str, list[object]]) -> Dataset:
    return Dataset.from_dict(dict(columns))


SCHEMES = {"ner": LabelScheme(TAGS), "qa": LabelScheme(QUESTION_LABELS, by_position=True)}

# models

# learns in seconds what the usual small weights and dropout would need minutes for
STEADY = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.1}


def make_config(labels: Sequence[str], *, words: Sequence[str] = WORDS, **changes: object) -> BertConfig:
    names = dict(enumerate(labels))
    return BertConfig(
        **{
            "vocab_size": len(words) + 5,
            **easy.SIZE,
            "num_labels": len(labels),
            "id2label": names,
            "label2id": {name: index for index, name in names.items()},
            **changes,
        }
    )


def fit(model: PreTrainedModel, columns: Mapping[str, list[object]], task: str, *, num_steps: int) -> None:
    """Train on the windows of some rows."""
    features = BUILTIN[task].format.encode(make_tokenizer(), columns, max_length=64)
    names = [name for name in ("input_ids", "token_type_ids") if name in features]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=num_steps)
    count = len(features["labels"])
    model.train()
    for step in range(num_steps):
        chosen = [(32 * step + i) % count for i in range(32)]
        batch = pad([{name: features[name][i] for name in names} for i in chosen], pad_token_id=0)
        labels = [features["labels"][i] for i in chosen]
        if task == "ner":
            longest = batch["input_ids"].shape[1]
            gold = torch.tensor([row + [-100] * (longest - len(row)) for row in labels])
            loss = model(**batch, labels=gold).loss
        else:
            start, end = torch.tensor(labels).T
            loss = model(**batch, start_positions=start, end_positions=end).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


@functools.cache
def entity_model(num_steps: int = 80) -> BertForTokenClassification:
    """A model that knows the entity task; not to be changed."""
    torch.manual_seed(0)
    model = BertForTokenClassification(make_config(TAGS, **STEADY))
    fit(model, entity_columns(make_entity_rows(640, seed=1)), "ner", num_steps=num_steps)
    return model


@functools.cache
def question_model(num_steps: int = 140, *, unanswerable: bool = False) -> BertForQuestionAnswering:
    """A model that knows the question task; not to be changed."""
    torch.manual_seed(0)
    model = BertForQuestionAnswering(make_config(QUESTION_LABELS, **STEADY))
    rows = make_question_rows(640, seed=1, unanswerable=unanswerable)
    fit(model, question_columns(rows), "qa", num_steps=num_steps)
    return model


def save(model: PreTrainedModel, folder: Path, *, words: Sequence[str] = WORDS) -> Path:
    model.save_pretrained(folder)
    make_tokenizer(words).save_pretrained(folder)
    return folder


def save_entity_teacher(folder: Path) -> Path:
    return save(entity_model(), folder)


def save_question_teacher(folder: Path, *, unanswerable: bool = False) -> Path:
    return save(question_model(unanswerable=unanswerable), folder)


def random_model(
    kind: type[PreTrainedModel], *, seed: int = 0, words: Sequence[str] = WORDS, **changes: object
) -> PreTrainedModel:
    """A model that knows nothing, with weights large enough to matter."""
    labels = TAGS if kind is BertForTokenClassification else QUESTION_LABELS
    torch.manual_seed(seed)
    model = kind(make_config(labels, words=words, **changes)).eval()
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    return model


def batch_of(columns: Mapping[str, list[object]], task: str) -> dict[str, torch.Tensor]:
    features = BUILTIN[task].format.encode(make_tokenizer(), columns, max_length=64)
    names = [name for name in ("input_ids", "token_type_ids", "words", "piece_starts") if name in features]
    return pad(
        [{name: features[name][i] for name in names} for i in range(len(features["input_ids"]))],
        pad_token_id=0,
    )
