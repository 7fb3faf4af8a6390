from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from tests import easy, tokens

from tinybert.config import build_recipe
from tinybert.errors import DoctorError, RecipeError
from tinybert.models.tokenizers import same_tokenizer
from tinybert.stages.doctor import Context, check_teacher, disk
from tinybert.stages.doctor import time as duration
from tinybert.stages.doctor.examination import examine
from tinybert.stages.doctor.finding import Finding, report_findings
from tinybert.stages.doctor.lengths import check_lengths
from tinybert.stages.doctor.teacher import TeacherScore
from tinybert.stages.pipeline import make_plan
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import encode_for, read_rows


def findings(
    folder: Path,
    teacher: Path,
    *overrides: str,
    splits: dict[str, list[easy.Row]] | Path | None = None,
    student: Sequence[str] = easy.TINY_STUDENT,
) -> dict[str, Finding]:
    recipe = build_recipe({"teacher": {"path": str(teacher)}}, [*student, *overrides])
    found = examine(recipe, splits or easy.make_splits(), folder / "work")
    return {finding.check: finding for finding in found}


def test_a_healthy_distillation(tmp_path: Path, tiny_teacher: Path) -> None:
    found = findings(tmp_path, tiny_teacher)
    assert list(found) == [
        "labels",
        "tokenizers",
        "layers",
        "lengths",
        "balance",
        "leakage",
        "memory",
        "disk",
        "teacher",
        "time",
    ]
    assert {finding.level for finding in found.values()} == {"ok"}
    assert "student layers 1–2 ← teacher layers [2, 4]" in found["layers"].message
    report_findings(list(found.values()))


def test_rare_labels_of_several_are_said(tmp_path: Path, tiny_encoder: Path) -> None:
    def several(index: int, row: easy.Row) -> easy.Row:
        return {**row, "label": [row["label"], "rare"] if index < 3 else [row["label"]]}

    splits = {
        name: [several(index, row) for index, row in enumerate(rows)]
        for name, rows in easy.make_splits().items()
    }
    balance = findings(tmp_path, tiny_encoder, "task=multilabel", splits=splits)["balance"]
    assert balance.level == "warn"
    assert "'rare' has 3; judge by macro_f1" in balance.message
    assert "train.class_weights=balanced counts the rare ones more" in balance.message


def test_labels_in_another_order_are_said(tmp_path: Path, tiny_teacher: Path) -> None:
    teacher = easy.permuted_copy(tiny_teacher, tmp_path / "permuted")
    found = findings(tmp_path, teacher)
    assert found["labels"].level == "warn"
    assert "same labels in another order" in found["labels"].message
    assert found["teacher"].level == "ok"  # judged in the data's order


def test_other_labels_stop(tmp_path: Path, tiny_teacher: Path) -> None:
    splits = {
        name: [{**row, "label": f"very {row['label']}"} for row in rows]
        for name, rows in easy.make_splits().items()
    }
    found = findings(tmp_path, tiny_teacher, splits=splits)
    assert found["labels"].level == "stop"
    assert "predicts the labels negative, positive, the data has very negative" in found["labels"].message
    with pytest.raises(DoctorError, match="labels: the teacher predicts"):
        report_findings(list(found.values()))


def test_a_teacher_that_does_not_know_the_task_stops(tmp_path: Path) -> None:
    teacher = easy.save_teacher(tmp_path / "raw", num_steps=0)
    found = findings(tmp_path, teacher)
    assert found["teacher"].level == "stop"
    assert "0.5000 for the majority class; mcc 0.00: it does not know this task" in found["teacher"].message
    assert "continue with teacher.check=false" in found["teacher"].message
    allowed = findings(tmp_path, teacher, "teacher.check=false")["teacher"]
    assert allowed.level == "warn"
    assert "it does not know this task; continued, as teacher.check=false says" in allowed.message


def unequal_splits(num_rare: int) -> dict[str, list[dict[str, object]]]:
    """Return splits whose validation rows are nearly all of one class."""
    splits = easy.make_splits()
    rows = [*splits["train"], *splits["validation"]]
    label = rows[0]["label"]
    rare = [row for row in splits["validation"] if row["label"] != label][:num_rare]
    return {**splits, "validation": [row for row in rows if row["label"] == label] + rare}


def test_a_teacher_of_unequal_classes_is_judged_by_what_it_tells_apart(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    """By accuracy it cannot be two points above the majority class."""
    good = findings(tmp_path, tiny_teacher, splits=unequal_splits(6))["teacher"]
    assert good.level == "ok", good.message
    raw = easy.save_teacher(tmp_path / "raw", num_steps=0)
    assert findings(tmp_path, raw, splits=unequal_splits(6))["teacher"].level == "stop"


def test_a_score_that_chance_may_give_is_a_warning(
    tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gain, level in ((0.3, "warn"), (0.4, "ok")):  # two standard errors of 32 rows are 0.36
        score = TeacherScore(score=0.6, constant=0.5, gain=gain, num_rows=32)
        monkeypatch.setattr("tinybert.stages.doctor.teacher.teacher_score", lambda *_, score=score: score)
        found = findings(tmp_path / level, tiny_teacher)["teacher"]
        assert found.level == level
        assert ("of 32 rows chance alone may give so much" in found.message) == (level == "warn")


def test_validation_rows_that_cannot_tell_stop_nobody(tmp_path: Path) -> None:
    raw = easy.save_teacher(tmp_path / "raw", num_steps=0)
    found = findings(tmp_path, raw, splits=unequal_splits(2))["teacher"]
    assert found.level == "warn"
    assert "only 2 of" in found.message
    assert findings(tmp_path, raw, splits=unequal_splits(0))["teacher"].level == "warn"


def test_the_check_of_a_teacher_that_has_none_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"teacher\.check: a teacher that is fine-tuned here does not use it"
    ):
        findings(tmp_path, tiny_encoder, "teacher.check=false")


def test_a_teacher_trained_here_that_learned_little_is_a_warning(tmp_path: Path, tiny_teacher: Path) -> None:
    raw = easy.save_teacher(tmp_path / "raw", num_steps=0)
    recipe = build_recipe({"teacher": {"path": str(raw)}}, easy.TINY_STUDENT)
    made = make_plan(recipe)
    data = read_rows(made, easy.make_splits(), tmp_path / "work")
    encoded, _ = encode_for(made, data, tmp_path / "work")
    (finding,) = check_teacher(Context(made, data, encoded, is_teacher_new=True))
    assert finding.level == "warn"


def test_an_encoder_is_to_be_fine_tuned_first(tmp_path: Path, tiny_encoder: Path) -> None:
    found = findings(tmp_path, tiny_encoder)
    assert found["teacher"] == Finding(
        "ok", "teacher", "has no head for this task: it is fine-tuned on the train rows first"
    )


def test_a_teacher_of_another_task_and_questions_without_answers_are_said(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    assert findings(tmp_path, tiny_teacher)["labels"].level == "ok"
    splits = tokens.make_splits(tokens.make_question_rows, train=40, unanswerable=True)
    found = findings(tmp_path / "qa", tiny_teacher, "task=qa", splits=splits)
    assert found["labels"].level == "warn"
    assert "was trained for another task (ForSequenceClassification)" in found["labels"].message
    with_answer = sum(bool(row["answers"]["text"]) for row in splits["train"])  # type: ignore[index]
    assert 0 < with_answer < 40
    assert found["balance"].message == (
        f"{with_answer} train questions have an answer, {40 - with_answer} have none"
    )


def test_answers_longer_than_any_that_is_given_are_said(tmp_path: Path, tiny_teacher: Path) -> None:
    splits = tokens.make_splits(tokens.make_question_rows, train=40)
    assert findings(tmp_path, tiny_teacher, "task=qa", splits=splits)["lengths"].level == "ok"
    context = "the colour is " + " ".join(["red"] * 40)
    splits["train"][0] = {"question": "which colour", "context": context, "answers": [context[14:]]}
    found = findings(tmp_path / "long", tiny_teacher, "task=qa", splits=splits)["lengths"]
    assert found.level == "warn"
    assert found.message.startswith("1 of 40 train answers are longer than 30 pieces")


def test_questions_that_are_truncated_are_counted_though_their_rows_fit(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    splits = tokens.make_splits(tokens.make_question_rows, train=40)
    splits["train"][0] = {"question": "which " * 22, "context": "the colour is red", "answers": ["red"]}
    found = findings(tmp_path, tiny_teacher, "task=qa", "data.max_length=64", splits=splits)["lengths"]
    assert found.level == "warn"
    assert found.message.startswith("the longest row has ")
    assert found.message.endswith(
        "; 1 of 40 train questions were truncated to 21 tokens, a third of a window"
    )


def other_tokenizer(folder: Path) -> Path:
    return easy.save_encoder(folder, words=list(reversed(easy.WORDS)), num_hidden_layers=2)


def test_different_tokenizers_are_said(tmp_path: Path, tiny_teacher: Path) -> None:
    student = other_tokenizer(tmp_path / "other")
    found = findings(tmp_path, tiny_teacher, f"student.shape={student}", student=[])
    assert found["tokenizers"].level == "ok"
    assert "each side reads with its own; all losses are exact (kl_divergence" in found["tokenizers"].message
    assert found["teacher"].level == "ok"  # the teacher read its own tokens
    assert found["tokenizers"].message.endswith(
        "; 0.0% of the student's pieces are unknown; 0.0% of the teacher's pieces are unknown"
    )
    layers = "distill.losses={hidden_state_mse: 1, kl_divergence: 1, hard: 0.1}"
    found = findings(tmp_path / "b", tiny_teacher, f"student.shape={student}", layers, student=[])
    assert found["tokenizers"].level == "warn"
    message = found["tokenizers"].message
    assert "exact: kl_divergence, hard; approximate: hidden_state_mse" in message


def test_unknown_pieces_are_counted_and_their_characters_named(tmp_path: Path, tiny_teacher: Path) -> None:
    assert findings(tmp_path / "known", tiny_teacher)["tokenizers"].message == (
        f"the student reads with its source's tokenizer ({len(easy.WORDS) + 5} pieces); "
        "0.0% of pieces are unknown"
    )
    splits = easy.make_splits()
    splits["train"] = [{**row, "text": f"{row['text']} 好 好 很"} for row in splits["train"]]
    num_words = sum(len(str(row["text"]).split()) for row in splits["train"])
    found = findings(tmp_path / "unknown", tiny_teacher, splits=splits)["tokenizers"]
    assert found.level == "warn"
    assert f"; {3 * 96 / num_words:.1%} of pieces are unknown, most often '好', '很': " in found.message


def test_a_tokenizer_against_its_vocabulary_is_said(tmp_path: Path, tiny_teacher: Path) -> None:
    teacher = Path(shutil.copytree(tiny_teacher, tmp_path / "teacher"))
    tree = json.loads((teacher / "tokenizer.json").read_text())
    tree["normalizer"]["lowercase"] = False
    (teacher / "tokenizer.json").write_text(json.dumps(tree))
    splits = easy.make_splits()
    splits["train"] = [{**row, "text": str(row["text"]).title()} for row in splits["train"]]
    found = findings(tmp_path / "work", teacher, splits=splits)["tokenizers"]
    assert found.level == "warn"
    assert "100.0% of pieces are unknown" in found.message
    assert "; the tokenizer: its vocabulary has no capitals, but it does not lower-case" in found.message


def test_the_same_words_are_the_same_tokenizer(tmp_path: Path) -> None:
    ours, theirs = easy.make_tokenizer(), easy.make_tokenizer(list(reversed(easy.WORDS)))
    assert same_tokenizer(ours, easy.make_tokenizer())
    assert not same_tokenizer(ours, theirs)


def test_unequal_heads_are_said(tmp_path: Path, tiny_teacher: Path) -> None:
    student = [
        "student.num_hidden_layers=2",
        "student.hidden_size=16",
        "student.num_attention_heads=2",
        "student.intermediate_size=32",
    ]
    message = findings(tmp_path, tiny_teacher, student=student)["layers"].message
    assert "2 heads against 4: attention scores cannot be compared (relation_kl can)" in message


def test_a_student_far_below_its_teacher_may_be_cut_from_another_model(
    tmp_path: Path, tiny_teacher: Path, tiny_encoder: Path
) -> None:
    small = [*easy.NARROW_STUDENT, "student.num_hidden_layers=1", "student.layer_map=[4]"]
    message = findings(tmp_path / "a", tiny_teacher, student=small)["layers"].message
    assert "it may start better from a smaller model (student.source)" in message
    wider = findings(tmp_path / "b", tiny_teacher, student=easy.NARROW_STUDENT)
    assert "student.source" not in wider["layers"].message
    found = findings(tmp_path / "c", tiny_teacher, f"student.source={tiny_encoder}", student=small)
    assert found["layers"].message == (
        f"start: project; student layers 1–1 ← {tiny_encoder} layers [4]; the teacher teaches predictions "
        "only"
    )


def test_truncated_rows_are_counted(tmp_path: Path, tiny_teacher: Path) -> None:
    finding = findings(tmp_path, tiny_teacher, "data.max_length=7")["lengths"]
    assert finding.level == "warn"
    lengths = [len(str(row["text"]).split()) + 2 for row in easy.make_splits()["train"]]
    cut = [length - 7 for length in lengths if length > 7]
    assert f"{len(cut)} of 96 train rows" in finding.message
    assert f"lose {sum(cut) / len(cut):.0f} on average; the longest has {max(lengths)}" in finding.message


def test_a_rare_label_is_said(tmp_path: Path, tiny_teacher: Path, tiny_encoder: Path) -> None:
    splits = easy.make_splits()
    positive = [row for row in splits["train"] if row["label"] == "positive"]
    splits["train"] = [row for row in splits["train"] if row["label"] == "negative"] + positive[:3]
    finding = findings(tmp_path, tiny_teacher, splits=splits)["balance"]
    assert finding.level == "warn"
    assert "'negative' has 48 train rows, 'positive' has 3; judge by macro_f1 too" in finding.message
    assert "class_weights" not in finding.message  # this teacher knows the task
    taught = findings(tmp_path / "taught", tiny_encoder, splits=splits)["balance"]
    assert taught.message.endswith("; train.class_weights=balanced counts the rare ones more")
    weighted = findings(tmp_path / "set", tiny_encoder, "train.class_weights=balanced", splits=splits)
    assert weighted["balance"].message == finding.message


def test_rows_in_two_splits_are_said(tmp_path: Path, tiny_teacher: Path) -> None:
    splits = easy.make_splits()
    splits["validation"] = [*splits["validation"], splits["train"][0]]
    finding = findings(tmp_path, tiny_teacher, splits=splits)["leakage"]
    assert finding.level == "warn"
    assert "1 of 33 rows (3.0%) are in train too" in finding.message


def test_only_warnings_of_leakage_are_leakage(tmp_path: Path, tiny_teacher: Path) -> None:
    rows = easy.make_rows(96)  # each is there twice, which is reported with the name of the file
    file = easy.write_rows(tmp_path / "also in train.jsonl", [*rows, *rows])
    finding = findings(tmp_path, tiny_teacher, splits=file)["leakage"]
    assert (finding.level, finding.message) == ("ok", "none between splits")


def test_too_little_memory_stops(tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    finding = findings(tmp_path, tiny_teacher)["memory"]
    assert finding.level == "stop"
    assert "lower train.batch_size or data.max_length, or take a smaller shape" in finding.message


def test_a_teacher_that_is_fine_tuned_may_be_what_is_too_large(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 32 rows of 64 tokens, 4 layers of 32 units, 69 pieces; the student has 2 layers
    weights = (12 * 4 * 32**2 + 69 * 32) * 16
    waiting, checkpointed = 32 * 64 * 4 * 32 * 68, 32 * 64 * 32 * (4 * 4 + 68)
    free = psutil.virtual_memory()._replace(available=weights + waiting - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    finding = findings(tmp_path / "plain", tiny_encoder)["memory"]
    assert finding.level == "stop"
    assert "set teacher.gradient_checkpointing=true, or lower train.batch_size" in finding.message
    assert weights + checkpointed < weights + waiting / 2
    recomputed = findings(tmp_path / "less", tiny_encoder, "teacher.gradient_checkpointing=true")["memory"]
    assert recomputed.level == "ok"
    assert findings(tmp_path / "low", tiny_encoder, "teacher.frozen_layers=1")["memory"].level == "ok"


def test_too_little_disk_stops(tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = disk.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    finding = findings(tmp_path, tiny_teacher)["disk"]
    assert finding.level == "stop"
    assert "teacher.store=off" in finding.message


def test_all_reasons_to_stop_are_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        Finding("stop", "labels", "differ"),
        Finding("warn", "balance", "rare"),
        Finding("stop", "disk", "full"),
    ]
    with pytest.raises(DoctorError) as caught:
        report_findings(found)
    assert caught.value.problems == ("labels: differ", "disk: full")
    assert capsys.readouterr().err == "warning: balance: rare\n"


def test_the_time_counts_both_models_and_the_baseline(
    tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duration, "median_seconds", lambda call, repeats: 20.0)
    # 96 rows are 3 batches; 3 epochs, thrice with the baseline's two rates; the teacher answers once
    assert "about 10 min" in findings(tmp_path, tiny_teacher, "train.num_epochs=3")["time"].message
    assert (
        "about 10 min"
        in findings(tmp_path, tiny_teacher, "train.num_epochs=3", "baseline=false", "train.num_epochs=9")[
            "time"
        ].message
    )
    # 400 steps are 134 epochs; scored each 14th, 140 epochs
    auto = findings(tmp_path, tiny_teacher, "baseline=false", "train.num_epochs=auto")["time"].message
    assert auto.startswith("about 141 min")
    assert "(420 student batches of 20.00 s" in auto


def long_splits() -> dict[str, list[easy.Row]]:
    splits = easy.make_splits(train=40)
    for number, row in enumerate(splits["train"][:4]):
        row["text"] = f"{row['text']} " + " ".join(easy.NOISE[: 20 + 10 * number])
    return splits


@pytest.mark.parametrize(
    ("rule", "level", "said"),
    [
        ([], "warn", "raise data.max_length to keep them, or set data.long_text=head_tail or windows"),
        (["data.long_text=head_tail"], "ok", "on average, from their middle; the longest has"),
        (["data.long_text=windows"], "ok", "and are read in windows, 1.4 a row on average; the longest has"),
        (
            ["data.long_text=windows", "data.max_windows=3"],
            "warn",
            "1.2 a row on average (3 of 40 rows are read in part: they have more than data.max_windows",
        ),
    ],
)
def test_long_rows_are_counted_and_another_way_to_read_them_is_advised(
    tmp_path: Path, tiny_teacher: Path, rule: list[str], level: str, said: str
) -> None:
    context = context_of(tmp_path, tiny_teacher, "data.max_length=16", *rule)
    (finding,) = check_lengths(context)
    assert finding.level == level
    assert finding.message.startswith("4 of 40 train rows (10.0%) are longer than 16 tokens and ")
    assert said in finding.message


def test_a_teacher_that_was_trained_to_read_otherwise_is_said(tmp_path: Path, tiny_teacher: Path) -> None:
    teacher = Path(shutil.copytree(tiny_teacher, tmp_path / "teacher"))
    config = json.loads((teacher / "config.json").read_text())
    notes = {"text_pair": False, "long_text": "head_tail"}
    (teacher / "config.json").write_text(json.dumps({**config, "tinybert": notes}))
    _, finding = check_lengths(context_of(tmp_path, teacher, "data.max_length=16"))
    assert finding.message == "the teacher was trained with data.long_text=head_tail; here it reads otherwise"
    assert len(check_lengths(context_of(tmp_path, teacher, "data.long_text=head_tail"))) == 1


def context_of(folder: Path, teacher: Path, *overrides: str) -> Context:
    made = make_plan(build_recipe({"teacher": {"path": str(teacher)}}, [*easy.TINY_STUDENT, *overrides]))
    assert isinstance(made, DistillPlan)
    data = read_rows(made, long_splits(), folder / "work")
    return Context(made, data, encode_for(made, data, folder / "work")[0])


def test_held_out_rows_that_are_longer_than_those_of_train_are_said(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    splits = easy.make_splits()
    splits["test"] = [{**row, "text": f"{row['text']} " * 9} for row in splits["test"]]
    recipe = build_recipe(
        {"teacher": {"path": str(tiny_teacher)}}, [*easy.TINY_STUDENT, "data.max_length=24"]
    )
    found = examine(recipe, splits, tmp_path / "work")
    (said,) = [each for each in found if each.check == "lengths" and "test rows" in each.message]
    assert said.level == "warn"
    assert "32 of 32 test rows (100.0%) are longer than 24 tokens, of the train rows 0.0%" in said.message
