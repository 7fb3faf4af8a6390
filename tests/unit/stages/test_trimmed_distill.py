"""Distillation on a trimmed vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests import easy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tinybert.config import Recipe, build_recipe
from tinybert.errors import RecipeError
from tinybert.runs import Run
from tinybert.stages.pipeline import make_plan, run_recipe

TRIM = "student.vocabulary=trim"
MORE = [f"more{letter}" for letter in "abcdefgh"]
"""Words of the vocabulary that no row has."""


def splits(train: int = 96) -> dict[str, list[easy.Row]]:
    """Training rows of half of the words, and a test of all of them."""
    half = set(easy.NOISE[::2]) | set(easy.WORDS) - set(easy.NOISE)
    rows = easy.make_splits(train=train)
    texts = [[word for word in str(row["text"]).split() if word in half] for row in rows["train"]]
    rows["train"] = [row | {"text": " ".join(text)} for row, text in zip(rows["train"], texts, strict=True)]
    return rows


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with more words than any row."""
    return easy.save_encoder(tmp_path_factory.mktemp("wide") / "encoder", words=[*MORE, *easy.WORDS])


def recipe_of(teacher: object, *settings: str, student: list[str] = easy.TINY_STUDENT) -> Recipe:
    tree = {"teacher": {"path": str(teacher)}, "student": {"vocabulary": "trim"}}
    return build_recipe(tree, [*student, *easy.FAST, *settings])


def run(folder: Path, teacher: object, *settings: str, student: list[str] = easy.TINY_STUDENT) -> Run:
    made = run_recipe(recipe_of(teacher, *settings, student=student), folder / "run", source=splits())
    assert isinstance(made, Run)
    return made


def words_of(folder: Path) -> set[str]:
    return {word for word in AutoTokenizer.from_pretrained(folder).get_vocab() if not word.startswith("[")}


def test_student_and_baseline_have_the_words_of_the_training_rows(tmp_path: Path, encoder: Path) -> None:
    made = run(tmp_path, encoder, "teacher.num_epochs=1")
    used = {word for row in splits()["train"] for word in str(row["text"]).split()}
    letters = {letter for word in used for letter in word}
    assert used <= words_of(made.path) <= used | letters
    metrics = made.metrics
    found = metrics["vocabulary"]
    assert found["num_pieces"] == len(words_of(made.path)) + 5
    assert found["num_pieces_before"] == len(MORE) + len(easy.WORDS) + 5
    gone = found["num_pieces_before"] - found["num_pieces"]
    assert found["num_parameters_before"] - found["num_parameters"] == 32 * gone
    for name in ("student", "fine_tune_only"):
        assert metrics[name]["num_parameters"] == found["num_parameters"]
    model = AutoModelForSequenceClassification.from_pretrained(made.path)
    assert model.config.vocab_size == found["num_pieces"]
    pieces = [word for row in splits()["test"] for word in str(row["text"]).split()]
    lost = sum(word not in used for word in pieces) / len(pieces)
    assert found["splits"]["test"] == {
        "pieces_lost": pytest.approx(lost, abs=1e-6),
        "unknown_before": 0.0,
        "unknown_after": pytest.approx(lost, abs=1e-6),
    }
    assert lost > 0.3
    report = (made.path / "report.md").read_text()
    assert f"{found['num_pieces']} of {found['num_pieces_before']} pieces" in report
    assert f"Vocabulary, test: {lost:.2%} of the pieces are gone" in report


def test_a_teacher_fine_tuned_on_the_way_is_kept_with_its_whole_vocabulary(
    tmp_path: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(tmp_path, encoder, "teacher.num_epochs=2", "teacher.learning_rate=3e-3")
    assert "warning: vocabulary: " in capsys.readouterr().err
    kept = AutoModelForSequenceClassification.from_pretrained(made.path / "teacher")
    before = AutoModelForSequenceClassification.from_pretrained(encoder)
    assert words_of(made.path / "teacher") == {*MORE, *easy.WORDS}
    assert kept.config.vocab_size == before.config.vocab_size
    assert kept.config.id2label == {0: "negative", 1: "positive"}
    tables = [model.bert.embeddings.word_embeddings.weight for model in (kept, before)]
    ids = AutoTokenizer.from_pretrained(encoder).get_vocab()
    same = (tables[0] == tables[1]).all(1)
    used = {word for row in splits()["train"] for word in str(row["text"]).split()}
    assert {word for word, index in ids.items() if not same[index] and word in easy.WORDS} == used
    assert all(same[ids[word]] for word in MORE)
    assert made.metrics["teacher"]["num_parameters"] == sum(each.numel() for each in kept.parameters())


def test_a_teacher_that_knows_the_task_is_scored_as_it_is(tmp_path: Path, tiny_teacher: Path) -> None:
    trimmed = run(tmp_path, tiny_teacher, "baseline=false")
    whole = run(tmp_path / "b", tiny_teacher, "baseline=false", "student.vocabulary=keep")
    assert trimmed.metrics["teacher"]["test"] == whole.metrics["teacher"]["test"]
    assert trimmed.metrics["student"]["num_parameters"] < whole.metrics["student"]["num_parameters"]
    assert "vocabulary" not in whole.metrics


def test_on_its_training_rows_nothing_changes(tmp_path: Path, tiny_teacher: Path) -> None:
    """The same losses, step for step, as with the whole vocabulary: all models read the rows as before."""
    one, other = (
        run(
            tmp_path / name,
            tiny_teacher,
            "baseline=false",
            f"student.vocabulary={name}",
            "distill.dropout=0",
            "train.weight_decay=0",
        )
        for name in ("trim", "keep")
    )
    logs = [
        [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
        for made in (one, other)
    ]
    losses = [[[row[name] for name in row if name.startswith("loss/")] for row in log] for log in logs]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start", ["slice", "random"])
def test_other_starts(tmp_path: Path, tiny_teacher: Path, start: str) -> None:
    made = run(tmp_path, tiny_teacher, f"student.start={start}", "train.num_epochs=1")
    assert words_of(made.path) < set(easy.WORDS)


def test_more_text_keeps_more_pieces(tmp_path: Path, encoder: Path, tiny_teacher: Path) -> None:
    text = tmp_path / "more" / "text.txt"
    text.parent.mkdir()
    text.write_text("\n".join([*MORE[:3], "another unknown"]) + "\n", encoding="utf-8")
    settings = [f"student.vocabulary_text={text.parent}", "baseline=false", "teacher.num_epochs=1"]
    made = run(tmp_path, encoder, *settings, "train.num_epochs=1")
    assert words_of(made.path) & set(MORE) == set(MORE[:3])
    assert made.metrics["vocabulary"]["text"] == str(text.parent)
    assert f"and of {text.parent}" in (made.path / "report.md").read_text()


def test_copies_keep_their_pieces(tmp_path: Path, tiny_teacher: Path) -> None:
    copies = ["augment.copies=2", "augment.method=neighbours", "augment.language=other"]
    plain = run(tmp_path / "a", tiny_teacher, "baseline=false", "train.num_epochs=1")
    made = run(tmp_path / "b", tiny_teacher, "baseline=false", "train.num_epochs=1", *copies)
    assert words_of(plain.path) < words_of(made.path)
    assert made.metrics["num_train_rows"] > plain.metrics["num_train_rows"]
    assert made.metrics["not_augmented"]["num_parameters"] == made.metrics["student"]["num_parameters"]


def test_a_student_that_is_a_checkpoint_is_trimmed_with_its_own_tokenizer(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    student = easy.save_encoder(tmp_path / "other", words=list(reversed(easy.WORDS)), num_hidden_layers=2)
    loss = "distill.losses={hidden_state_mse: 1, kl_divergence: 1}"
    made = run(tmp_path, tiny_teacher, f"student.shape={student}", loss, student=[])
    used = {word for row in splits()["train"] for word in str(row["text"]).split()}
    assert words_of(made.path) == used
    assert made.metrics["teacher"]["num_parameters"] > 0


def test_a_file_of_soft_labels_teaches_a_trimmed_student(tmp_path: Path, encoder: Path) -> None:
    rows = [
        {"text": row["text"], "scores": {name: 0.9 if name == row["label"] else 0.1 for name in easy.LABELS}}
        for row in splits()["train"]
    ]
    file = easy.write_rows(tmp_path / "soft.jsonl", rows)
    made = run(tmp_path, file, f"teacher.pretrained={encoder}", "baseline=false", "train.num_epochs=1")
    assert not words_of(made.path) & set(MORE)
    assert made.metrics["teacher"] is None


def test_the_plan_says_it(encoder: Path, tmp_path: Path) -> None:
    text = easy.write_documents(tmp_path / "text.txt", 4)
    said = make_plan(recipe_of(encoder, f"student.vocabulary_text={text}")).describe()
    assert (
        f"# vocabulary: trimmed to the pieces of the training rows and of {text}, before all else\n" in said
    )
    assert "# vocabulary" not in make_plan(recipe_of(encoder, "student.vocabulary=keep")).describe()
    assert make_plan(recipe_of(encoder, f"student.vocabulary_text={text}")).inputs()[
        "vocabulary_text"
    ] == str(text)


def test_what_cannot_be_trimmed_is_refused_before_weights_load(encoder: Path, tmp_path: Path) -> None:
    copies = ["augment.copies=1", "augment.method=neighbours", "augment.max_shift=0.5"]
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe_of(encoder, *copies, f"student.vocabulary_text={tmp_path / 'none'}"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        f"student.vocabulary_text = {tmp_path / 'none'}",
        "augment.max_shift",
    ]
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    other = easy.save_encoder(tmp_path / "words")
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, "[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]").save_pretrained(other)
    with pytest.raises(RecipeError, match=r"student.vocabulary = 'trim': .*its tokenizer is WordLevel"):
        make_plan(recipe_of(other))


def test_text_to_keep_is_reported_where_nothing_is_trimmed(
    encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_plan(recipe_of(encoder, "student.vocabulary=keep", "student.vocabulary_text=x"))
    assert "student.vocabulary_text: not used with student.vocabulary=keep" in capsys.readouterr().err
