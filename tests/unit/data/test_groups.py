"""Rows that belong together: in one split of a file, reported where given splits share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from datasets import Dataset
from tests.unit.data.made_up import read

from tinybert.data import TextData
from tinybert.errors import DataError

Rows = list[dict[str, object]]
Write = Callable[..., Path]


def sentences(sizes: Mapping[object, int]) -> Rows:
    """Return different texts, so many of each document; the text names its document."""
    return [
        {"text": f"{doc} says {index}", "document": doc, "label": "ab"[index % 2]}
        for doc, size in sizes.items()
        for index in range(size)
    ]


def questions(num_contexts: int, *, each: int = 4, start: int = 0, answers: object = "the fox") -> Rows:
    return [
        {"question": f"Who ran, {index}?", "context": f"In year {number} the fox ran.", "answers": answers}
        for number in range(start, start + num_contexts)
        for index in range(each)
    ]


def owners(data: TextData, name_of: Callable[[dict[str, str]], str]) -> dict[str, set[str]]:
    return {name: {name_of(row) for row in rows} for name, rows in data.splits.items()}  # type: ignore[arg-type]


def documents(data: TextData) -> dict[str, set[str]]:
    return owners(data, lambda row: row["text"].split()[0])


def contexts(data: TextData) -> dict[str, set[str]]:
    return owners(data, lambda row: row["text_pair"])


def are_apart(parts: dict[str, set[str]]) -> bool:
    return sum(map(len, parts.values())) == len(set().union(*parts.values()))


def problems_of(source: object, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(source, **options)
    return caught.value.problems


def test_a_file_of_questions_is_split_by_context() -> None:
    data = read(questions(30), task="qa")
    assert are_apart(contexts(data))
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        "train": 96,
        "validation": 12,
        "test": 12,
    }
    assert data.group == "context"
    assert data.warnings == []
    assert data.splits["train"].column_names == ["text", "text_pair", "label"]


def test_questions_are_split_one_by_one_where_that_is_asked_for() -> None:
    data = read(questions(30), task="qa", group="none")
    assert not are_apart(contexts(data))
    assert data.group is None


def test_the_context_may_be_called_otherwise_and_a_column_of_that_name_too() -> None:
    rows = [
        {"query": row["question"], "passage": row["context"], "answer": "the fox"} for row in questions(30)
    ]
    data = read(rows, task="qa")
    assert data.group == "passage"
    assert read(rows, task="qa", group="context").group == "passage"  # as a run on such rows has it
    assert are_apart(contexts(data))
    both = [{**row, "context": row["passage"], "document": index} for index, row in enumerate(rows)]
    assert are_apart(contexts(read([{**row, "passage": "x"} for row in both], task="qa", group="context")))
    other = [{**row, "context": index % 3} for index, row in enumerate(rows)]
    assert read(other, task="qa", text_pair="passage").group == "passage"
    assert read(other, task="qa", text_pair="passage", group="context").group == "context"


def test_articles_as_squad_publishes_them_are_kept_whole(write: Write) -> None:
    articles = [
        {"title": f"fox {number}", "paragraphs": [{"context": row["context"], "qas": [row]} for row in part]}
        for number in range(30)
        if (part := questions(3, each=1, start=3 * number))
    ]
    data = read(Dataset.from_list(articles), task="qa", group="title")
    found = owners(data, lambda row: str(int(row["text_pair"].split()[2]) // 3))
    assert are_apart(found)
    assert len(found["test"]) * 3 == len(data.splits["test"])


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_a_column_groups_the_rows_of_any_task(task: str) -> None:
    rows = sentences({f"d{number}": 5 for number in range(40)})
    assert not are_apart(documents(read(rows, task=task)))
    data = read(rows, task=task, group="document")
    assert are_apart(documents(data))
    assert 10 <= len(data.splits["test"]) <= 40
    assert data.group == "document"
    assert data.splits["train"].column_names == ["text", "label"]


def test_a_pair_may_be_grouped_by_one_of_its_texts_and_is_not_by_default() -> None:
    rows = [
        {"text": f"t{index % 30}", "text_b": f"b{index}", "label": "ab"[index % 2]} for index in range(120)
    ]
    alone = read(rows)
    assert alone.group is None
    assert not are_apart(owners(alone, lambda row: row["text"]))
    assert are_apart(owners(read(rows, group="text"), lambda row: row["text"]))


@pytest.mark.parametrize(("one", "other"), [("{}", " {} "), ("d{}", "d{}\u200b"), ("\u00e9{}", "e\u0301{}")])
def test_values_that_look_the_same_name_one_group(one: str, other: str) -> None:
    rows = sentences(dict.fromkeys(range(30), 4))
    for index, row in enumerate(rows):
        row["document"] = (one if index % 2 else other).format(row["document"])
    assert are_apart(documents(read(rows, group="document")))


def test_whole_numbers_name_one_group_however_they_are_given() -> None:
    rows = sentences(dict.fromkeys(range(30), 6))
    for index, row in enumerate(rows):
        row["document"] = (int, float, str)[index % 3](row["document"])  # type: ignore[call-overload]
    assert are_apart(documents(read(rows, group="document")))


@pytest.mark.parametrize("empty", ["", "  ", None, float("nan")])
def test_rows_without_a_group_stand_alone_as_ever(empty: object) -> None:
    rows = sentences({empty: 100})
    alone = {name: list(part["text"]) for name, part in read(rows).splits.items()}
    grouped = {name: list(part["text"]) for name, part in read(rows, group="document").splits.items()}
    assert grouped == alone


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    rows = sentences({"a": 5, "b": 5, "c": 5})
    (problem,) = problems_of(rows, group="documnet")
    assert problem == (
        "rows: data.group=documnet: no such column; did you mean 'document'? "
        "(the columns are: text, document, label)"
    )
    given = {"train": rows, "test": [{"text": "x", "label": "a"}]}
    (problem,) = problems_of(given, group="document")
    assert problem.startswith("rows[test]: data.group=document: no such column")


def test_the_label_is_no_group() -> None:
    (problem,) = problems_of(sentences({"a": 9, "b": 9}), group="label")
    assert "data.group=label: is the label" in problem


def test_the_group_is_not_taken_for_the_text_or_the_label() -> None:
    rows = [
        {"sentence": row["text"], "topic": row["document"], "intent": row["label"]}
        for row in sentences({f"d{number}": 4 for number in range(30)})
    ]
    data = read(rows, group="topic")
    assert data.labels.names == ("a", "b")
    assert are_apart(documents(data))
    odd = [{"body": row["sentence"], "document": row["topic"], "label": row["intent"]} for row in rows]
    (problem,) = problems_of(odd, group="document")
    assert "data.group=document: is the text itself" in problem
    assert "or set data.text=COLUMN (the columns are: body, document, label)" in problem
    assert are_apart(documents(read(odd, group="document", text="body")))


def test_a_field_of_several_values_is_a_bad_row() -> None:
    rows = sentences({f"d{number}": 4 for number in range(10)})
    rows[2]["document"] = ["d0", "d1"]
    rows[3]["document"] = "\ud83d"
    first, second = problems_of(rows, group="document")
    assert first.startswith("rows, row 3, document: a list where one value that names a group is expected")
    assert second.startswith("rows, row 4, document: half of a surrogate pair")
    assert len(read(rows, group="document", on_bad_row="skip").bad_rows) == 2


def test_few_groups_fill_every_split_and_uneven_ones_are_reported() -> None:
    data = read(sentences({"a": 100, "b": 5, "c": 5}), group="document")
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        "train": 100,
        "validation": 5,
        "test": 5,
    }
    (warning,) = data.warnings
    assert warning.startswith(
        "few or unequal groups (document), each in one split: of 110 labelled rows train"
    )
    assert "train has 100, test has 5, validation has 5" in warning


@pytest.mark.parametrize(
    ("sizes", "empty"), [({"a": 50}, ["validation", "test"]), ({"a": 9, "b": 9}, ["test"])]
)
def test_too_few_groups_are_refused_with_the_fix(sizes: dict[object, int], empty: list[str]) -> None:
    found = problems_of(sentences(sizes), group="document")
    assert [problem.split()[1] for problem in found] == empty
    for problem in found:
        assert "three different groups (document) in one file" in problem
        assert "another column with data.group=COLUMN, or split text by text with data.group=none" in problem
    assert "three different contexts in one file" in problems_of(questions(1, each=40), task="qa")[0]


def test_a_label_for_each_group_leaves_nothing_to_test_and_that_is_said() -> None:
    rows = [{**row, "label": row["document"]} for row in sentences({f"d{number}": 9 for number in range(20)})]
    found = problems_of(rows, group="document")
    assert found[0].startswith("the validation split is empty")
    assert found[-1].startswith("held-out rows of rare labels went to train, which had none: ")


def test_rare_labels_take_their_whole_group_to_train() -> None:
    rows = sentences({f"d{number}": 5 for number in range(60)})
    held_out = sorted(documents(read(rows, group="document"))["test"])[0]
    next(row for row in rows if row["document"] == held_out)["label"] = "rare"
    parts = documents(read(rows, group="document"))
    assert held_out in parts["train"]
    assert are_apart(parts)


def test_unlabelled_rows_of_held_out_groups_are_not_used() -> None:
    bare = questions(30, each=2, answers=None)
    bare = [{**row, "question": f"What {row['question']}"} for row in bare]
    data = read([*questions(30), *bare], task="qa", allow_unlabelled=True)
    assert are_apart(contexts(data))
    assert len(data.splits["train"]) == 24 * 6
    assert data.warnings == ["12 unlabelled rows are not used: they belong to contexts of held-out rows"]


def test_contexts_that_given_splits_share_are_reported_and_never_stop() -> None:
    other = [{**row, "question": f"And {row['question']}"} for row in questions(6, start=9)]
    data = read({"train": questions(10), "validation": questions(3, start=50), "test": other}, task="qa")
    assert data.warnings == ["1 of 6 test contexts also in train (4 of 24 test rows)"]
    assert data.leaked == {}
    all_shared = [{**row, "question": f"And {row['question']}"} for row in questions(10)]
    found = read(
        {"train": questions(10), "validation": all_shared, "test": all_shared}, task="qa", max_leakage=0
    )
    assert found.warnings == [
        "10 of 10 validation contexts also in train (40 of 40 validation rows)",
        "10 of 10 test contexts also in train (40 of 40 test rows)",
    ]


def test_groups_that_given_splits_share_are_reported_by_their_column() -> None:
    train, test = sentences({"a": 9, "b": 9, "": 9}), sentences({"b": 2, "c": 3, "": 2})
    test = [{**row, "text": f"{row['text']}!"} for row in test]
    data = read({"train": train, "validation": sentences({"v": 4}), "test": test}, group="document")
    assert data.warnings == ["1 of 2 test groups (document) also in train (2 of 7 test rows)"]


def test_a_validation_split_is_cut_from_train_by_group_too(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", questions(30))
    write("test.jsonl", questions(5, start=90))
    data = read(tmp_path, task="qa")
    assert are_apart(contexts(data))
    assert 6 <= len(data.splits["validation"]) <= 24


def test_a_column_of_0_and_1_that_groups_is_no_label() -> None:
    rows = [
        {"text": f"t {index}", "x": index % 2, "y": index // 2 % 2, "document": index % 4 // 3}
        for index in range(60)
    ]
    given = {"train": rows[:40], "validation": rows[40:50], "test": rows[50:]}
    assert read(given, task="multilabel").labels.names == ("document", "x", "y")
    assert read(given, task="multilabel", group="document").labels.names == ("x", "y")


@pytest.mark.parametrize("nested", [True, False])
def test_rows_of_annotators_keep_the_column_that_groups(nested: bool) -> None:
    def row(number: int) -> dict[str, object]:
        text, document = f"d{number // 4} Ann {number}", f"d{number // 4}"
        if not nested:
            spans = [{"start_offset": 0, "end_offset": 2, "label": "PER"}]
            return {"id": number, "text": text, "document": document, "entities": spans, "relations": []}
        value = {"start": 0, "end": 2, "labels": ["PER"]}
        annotations = [{"result": [{"value": value, "to_name": "text"}]}]
        return {"id": number, "data": {"text": text, "document": document}, "annotations": annotations}

    data = read([row(number) for number in range(120)], task="ner", group="document")
    assert are_apart(documents(data))
    assert len(data.splits["test"]) % 4 == 0
