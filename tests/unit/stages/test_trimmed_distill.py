"""Distillation on a trimmed vocabulary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from tests import easy, tokens
from tokenizers import Tokenizer, models
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast

from tinybert.config import Recipe, build_recipe
from tinybert.errors import RecipeError, RunError
from tinybert.runs import Run
from tinybert.search.budget import Budget
from tinybert.search.smallest import distill_within
from tinybert.stages import distill as distill_stage
from tinybert.stages.doctor.examination import examine
from tinybert.stages.pipeline import make_plan, run_recipe
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import encode_for, read_rows
from tinybert.stages.steps.head import choose_pooling
from tinybert.stages.steps.start import PROJECTION_FILE
from tinybert.stages.steps.trimming import trim_checkpoints, with_trimmed
from tinybert.tasks import BUILTIN as TASKS

WITH_TEACHER = ("teacher.num_epochs=2", "teacher.learning_rate=3e-3")
QUICK = ("baseline=false", "train.num_epochs=1")
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


def used_words() -> set[str]:
    return {word for row in splits()["train"] for word in str(row["text"]).split()}


def words_of(folder: Path) -> set[str]:
    return {word for word in AutoTokenizer.from_pretrained(folder).get_vocab() if not word.startswith("[")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Run:
    """A run that fine-tunes its teacher, with a baseline."""
    return run(tmp_path_factory.mktemp("made"), encoder, *WITH_TEACHER)


def test_student_and_baseline_have_the_words_of_the_training_rows(made: Run) -> None:
    letters = {letter for word in used_words() for letter in word}
    assert used_words() <= words_of(made.path) <= used_words() | letters
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
    lost = sum(word not in used_words() for word in pieces) / len(pieces)
    assert lost > 0.3
    assert found["splits"]["test"] == {
        "pieces_lost": pytest.approx(lost, abs=1e-6),
        "unknown_before": 0.0,
        "unknown_after": pytest.approx(lost, abs=1e-6),
    }
    report = (made.path / "report.md").read_text()
    assert f"{found['num_pieces']} of {found['num_pieces_before']} pieces" in report
    assert f"Vocabulary, test: {lost:.2%} of the pieces are gone" in report


def test_a_teacher_fine_tuned_on_the_way_is_kept_with_its_whole_vocabulary(made: Run, encoder: Path) -> None:
    kept = AutoModelForSequenceClassification.from_pretrained(made.path / "teacher")
    before = AutoModelForSequenceClassification.from_pretrained(encoder)
    assert words_of(made.path / "teacher") == {*MORE, *easy.WORDS}
    assert kept.config.vocab_size == before.config.vocab_size
    assert kept.config.id2label == {0: "negative", 1: "positive"}
    tables = [model.bert.embeddings.word_embeddings.weight for model in (kept, before)]
    same = (tables[0] == tables[1]).all(1)
    ids = AutoTokenizer.from_pretrained(encoder).get_vocab()
    assert {word for word, index in ids.items() if not same[index] and word[0] != "["} == used_words()
    assert made.metrics["teacher"]["num_parameters"] == sum(each.numel() for each in kept.parameters())


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same(
    made: Run,
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(distill_stage, "teach", stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, encoder, *WITH_TEACHER)
    assert "warning: vocabulary: " in capsys.readouterr().err
    patched = [("tinybert.stages.steps.distillation.trim_checkpoints", stop)]
    patched.append(("tinybert.stages.distill.restore_teacher", stop))
    for name, instead in patched:
        monkeypatch.setattr(name, instead)  # both are done already
    again = run(tmp_path, encoder, *WITH_TEACHER)
    for name in ("student", "teacher", "fine_tune_only"):
        assert again.metrics[name]["test"] == made.metrics[name]["test"]
    assert again.metrics["vocabulary"] == made.metrics["vocabulary"]


def test_on_its_training_rows_nothing_changes(tmp_path: Path, tiny_teacher: Path) -> None:
    """The same losses as with the whole vocabulary; the teacher is scored as it is."""
    exact = ("baseline=false", "distill.dropout=0", "train.weight_decay=0")
    trimmed, whole = (
        run(tmp_path / name, tiny_teacher, *exact, f"student.vocabulary={name}") for name in ("trim", "keep")
    )
    lines = [(each.path / "log.jsonl").read_text().splitlines() for each in (trimmed, whole)]
    logs = [[json.loads(line) for line in each] for each in lines]
    losses = [[[row[name] for name in row if name.startswith("loss/")] for row in log] for log in logs]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-4, atol=1e-5)
    assert trimmed.metrics["teacher"]["test"] == whole.metrics["teacher"]["test"]
    assert trimmed.metrics["student"]["num_parameters"] < whole.metrics["student"]["num_parameters"]
    assert "vocabulary" not in whole.metrics


@pytest.mark.parametrize("start", ["slice", "random"])
def test_other_starts(tmp_path: Path, tiny_teacher: Path, start: str) -> None:
    made = run(tmp_path, tiny_teacher, f"student.start={start}", *QUICK)
    assert words_of(made.path) == used_words()


def test_more_text_and_copies_keep_more_pieces(tmp_path: Path, encoder: Path, tiny_teacher: Path) -> None:
    text = tmp_path / "more" / "text.txt"
    text.parent.mkdir()
    text.write_text("\n".join([*MORE[:3], "another unknown"]) + "\n", encoding="utf-8")
    copies = ["augment.copies=2", "augment.method=neighbours", "augment.language=other"]
    settings = [f"student.vocabulary_text={text.parent}", "teacher.num_epochs=1", *QUICK, *copies]
    made = run(tmp_path, encoder, *settings, "augment.ablation=false")
    assert set(MORE[:3]) <= words_of(made.path)
    assert words_of(made.path) > used_words() | set(MORE[:3])
    assert made.metrics["num_train_rows"] > 96
    assert made.metrics["vocabulary"]["text"] == str(text.parent)
    assert f"and of {text.parent}" in (made.path / "report.md").read_text()


def test_a_student_that_is_a_checkpoint_is_trimmed_with_its_own_tokenizer(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    student = easy.save_encoder(tmp_path / "other", words=list(reversed(easy.WORDS)), num_hidden_layers=2)
    loss = "distill.losses={hidden_state_mse: 1, kl_divergence: 1}"
    made = run(tmp_path, tiny_teacher, f"student.shape={student}", loss, *QUICK, student=[])
    assert words_of(made.path) == used_words()


ROWS = {
    "classification": lambda: splits(),
    "multilabel": lambda: _labelled(lambda label: [label]),
    "regression": lambda: _labelled(lambda label: float(label == "positive")),
    "ner": lambda: tokens.make_splits(tokens.make_entity_rows),
    "qa": lambda: tokens.make_splits(tokens.make_question_rows),
    "extractive": lambda: _summarised(),
    "seq2seq": lambda: _written(),
}


def _labelled(convert: Callable[[str], object]) -> dict[str, list[easy.Row]]:
    rows = splits().items()
    return {name: [row | {"label": convert(str(row["label"]))} for row in each] for name, each in rows}


def _summarised() -> dict[str, list[easy.Row]]:
    rows = splits().items()
    texts = {name: [str(row["text"]) for row in each] for name, each in rows}
    return {
        name: [{"document": f"{text}! the one", "summary": text} for text in each]
        for name, each in texts.items()
    }


def _written() -> dict[str, list[easy.Row]]:
    rows = splits().items()
    return {
        name: [{"source": row["text"], "target": f"{row['text']} the"} for row in each] for name, each in rows
    }


@pytest.mark.parametrize("task", TASKS)
def test_the_rows_of_every_task_are_cut_as_before(task: str, tmp_path: Path) -> None:
    encoder = easy.save_encoder(tmp_path / "encoder", words=[*MORE, *tokens.WORDS])
    (encoder / PROJECTION_FILE).write_bytes(b"of general distillation")
    plan = make_plan(recipe_of(encoder, f"task={task}"))
    assert isinstance(plan, DistillPlan)
    data = read_rows(plan, ROWS[task](), tmp_path / "work")
    folder = tmp_path / "trimmed"
    summary = trim_checkpoints(plan, data, folder)
    small = with_trimmed(plan, folder, summary)
    assert small.source == small.teacher.path == small.pretrained == str(folder / "0")
    whole_rows, rows = (encode_for(each, data, tmp_path / "work")[0] for each in (plan, small))
    for before, after in zip(whole_rows.train, rows.train, strict=True):
        if task == "seq2seq":  # tokens of a text, with other numbers
            names = (each.tokenizer.convert_ids_to_tokens for each in (whole_rows, rows))
            labels = (each["labels"] for each in (before, after))
            was, now = (name(ids) for name, ids in zip(names, labels, strict=True))
            assert was == now
        else:
            assert after["labels"] == before["labels"] if "labels" in before else True
        assert rows.tokenizer.convert_ids_to_tokens(
            after["input_ids"]
        ) == whole_rows.tokenizer.convert_ids_to_tokens(before["input_ids"])
    assert not set(MORE) & words_of(folder / "0")
    assert (folder / "0" / PROJECTION_FILE).read_bytes() == b"of general distillation"


def test_a_file_of_soft_labels_teaches_a_trimmed_student(tmp_path: Path, encoder: Path) -> None:
    rows = [
        {"text": row["text"], "scores": {name: 0.9 if name == row["label"] else 0.1 for name in easy.LABELS}}
        for row in splits()["train"]
    ]
    file = easy.write_rows(tmp_path / "soft.jsonl", rows)
    made = run(tmp_path, file, f"teacher.pretrained={encoder}", *QUICK)
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
    teacher = easy.save_teacher(tmp_path / "teacher", num_steps=1)
    with pytest.raises(RecipeError, match=r"teacher.pretrained = .*: has another tokenizer than .*teacher"):
        make_plan(recipe_of(teacher, f"teacher.pretrained={encoder}"))
    other = easy.save_encoder(tmp_path / "words")
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, "[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]").save_pretrained(other)
    with pytest.raises(RecipeError, match=r"student.vocabulary = 'trim': .*its tokenizer is WordLevel"):
        make_plan(recipe_of(other))


def test_a_pooling_is_known_after_trimming(encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(encoder, folder)
    modules = [{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    plan = make_plan(recipe_of(folder, *QUICK))
    assert isinstance(plan, DistillPlan)
    trim_checkpoints(plan, read_rows(plan, splits(), tmp_path / "rows"), tmp_path / "trimmed")
    assert choose_pooling(str(tmp_path / "trimmed" / "0")) == "cls"


def test_doctor_scores_a_teacher_with_its_whole_vocabulary(tiny_teacher: Path, tmp_path: Path) -> None:
    rows = splits()
    rows["train"] = [row for row in rows["train"] if not {"lovely", "awful"} & set(str(row["text"]).split())]
    said = [
        next(
            each.message for each in examine(recipe, rows, tmp_path / str(number)) if each.check == "teacher"
        )
        for number, recipe in enumerate(
            (recipe_of(tiny_teacher, *QUICK), recipe_of(tiny_teacher, *QUICK, "student.vocabulary=keep"))
        )
    ]
    assert said[0] == said[1]


def test_a_baseline_that_is_not_trained_needs_no_tokenizer(tiny_teacher: Path, tmp_path: Path) -> None:
    before = easy.save_encoder(tmp_path / "before", words=list(reversed(easy.WORDS)))
    settings = (f"teacher.pretrained={before}", "train.num_epochs=1")
    make_plan(recipe_of(tiny_teacher, *settings, "baseline=tfidf"))
    with pytest.raises(RecipeError, match="another tokenizer"):
        make_plan(recipe_of(tiny_teacher, *settings, "baseline=fine_tune_only"))


def test_a_search_asks_for_a_trimmed_teacher(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"trim the teacher first \(tinybert trim TEACHER TEXT"):
        distill_within(recipe_of(encoder), tmp_path / "run", Budget(max_size_mb=1), source=splits())


def test_no_run_lies_among_its_text(encoder: Path, tmp_path: Path) -> None:
    easy.write_documents(tmp_path / "text.txt", 4)
    with pytest.raises(RunError, match="lies in the folder of its own data"):
        run(tmp_path, encoder, f"student.vocabulary_text={tmp_path}")


def test_text_to_keep_is_reported_where_nothing_is_trimmed(
    encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_plan(recipe_of(encoder, "student.vocabulary=keep", "student.vocabulary_text=x"))
    assert "student.vocabulary_text: not used with student.vocabulary=keep" in capsys.readouterr().err
