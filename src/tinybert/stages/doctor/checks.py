"""The doctor: what goes wrong silently elsewhere is looked at before training, and said with its fix."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import psutil
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.data import (
    WINDOWED,
    Collator,
    Form,
    TextData,
    count_truncated,
    encode_split,
    gold_labels,
    lengths_of,
    sorted_by_length,
    tokenise,
)
from tinybert.inference import Predictor
from tinybert.metrics.timing import median_seconds
from tinybert.models import load_config, random_start, student_config
from tinybert.models.head import CLASSES, head_kind
from tinybert.models.inputs import model_inputs
from tinybert.models.label_order import label_mismatch, label_order
from tinybert.models.tokenizers import same_tokenizer
from tinybert.objectives import HARD, HardObjective, Teaching, is_intermediate
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.prepare import label_arguments
from tinybert.storage import cache_folder
from tinybert.tasks.qa import MAX_ANSWER_PIECES
from tinybert.teachers import TeacherShape, estimate_mb

MAX_ROWS_SCORED = 500
TIMED_STEPS = 3
BYTES_A_TRAINED_PARAMETER = 16  # weight, gradient and two Adam moments in fp32
RARE_LABEL_ROWS = 5
MAX_ANSWERS_COUNTED = 2000
IMBALANCE = 10.0
MARGIN_OVER_MAJORITY = 0.02


def checks_before(plan: DistillPlan, data: TextData, tokenizer: PreTrainedTokenizerBase) -> list[Finding]:
    """Check everything that needs no weights."""
    return [
        check_label_order(plan, data),
        check_tokenizers(plan, tokenizer),
        check_layers(plan),
        check_truncation(plan, data, tokenizer),
        check_balance(data),
        check_leakage(data),
        check_memory(plan, data),
        check_disk(plan, data, tokenizer),
    ]


def check_label_order(plan: DistillPlan, data: TextData) -> Finding:
    """Compare the teacher's labels with the data's."""
    name = "labels"
    if plan.teacher.kind != "classifier":
        return _labels_learned(plan)
    id2label = load_config(plan.teacher.path).id2label
    order = label_order(id2label, data.labels.names)
    if order is None:
        return Finding("stop", name, "the teacher " + label_mismatch(id2label, data.labels.names))
    if order != list(range(len(order))):
        return Finding(
            "warn",
            name,
            "the teacher has the same labels in another order; its outputs are put in "
            f"the data's order: {', '.join(data.labels.names[:8])}",
        )
    return Finding("ok", name, f"{data.labels.num_labels} on both sides, in the same order")


def _labels_learned(plan: DistillPlan) -> Finding:
    """Say that a teacher without a head for this task is taught the data's labels."""
    if plan.teacher.kind == "file":
        return Finding("ok", "labels", "checked with the file of scores, row by row")
    head = head_kind(load_config(plan.teacher.path))
    if head is not None:
        return Finding(
            "warn",
            "labels",
            f"the teacher answers another task ({CLASSES[head]}): its head is replaced, and it is fine-tuned "
            "on the train rows",
        )
    return Finding("ok", "labels", "the teacher learns the data's own labels")


def check_tokenizers(plan: DistillPlan, tokenizer: PreTrainedTokenizerBase) -> Finding:
    """Say whether student and teacher read the same tokens."""
    if plan.teacher.kind == "file" or plan.source == plan.teacher.path:
        return Finding(
            "ok", "tokenizers", f"the student reads with its source's tokenizer ({len(tokenizer):,} pieces)"
        )
    from tinybert.models import load_tokenizer

    if same_tokenizer(tokenizer, load_tokenizer(plan.teacher.path)):
        return Finding("ok", "tokenizers", "the same on both sides")
    per_piece = plan.task.label_kind in WINDOWED
    exact = [name for name in plan.losses if name == HARD or not (per_piece or is_intermediate(name))]
    pooled = [name for name in plan.losses if name not in exact]
    text = "different: each side reads with its own"
    if not pooled:
        return Finding("ok", "tokenizers", f"{text}; all losses are exact ({', '.join(exact)})")
    return Finding(
        "warn",
        "tokenizers",
        f"{text}; exact: {', '.join(exact) or 'none'}; approximate: {', '.join(pooled)} (the "
        "teacher's pieces over one of the student's are averaged, weighted by the characters they share)",
    )


def check_layers(plan: DistillPlan) -> Finding:
    """Say which teacher layers the student starts and learns from, and how the heads compare."""
    info = plan.teacher.info
    if not plan.layer_map:
        return Finding("ok", "layers", f"start: {plan.start}; no layers are matched")
    text = (
        f"start: {plan.start}; student layers 1–{len(plan.layer_map)} ← teacher layers {list(plan.layer_map)}"
    )
    if info is not None and info.num_attention_heads != plan.shape.num_attention_heads:
        text += (
            f"; {plan.shape.num_attention_heads} heads against {info.num_attention_heads}: attention scores "
            "cannot be compared (relation_kl can)"
        )
    return Finding("ok", "layers", text)


def check_truncation(plan: DistillPlan, data: TextData, tokenizer: PreTrainedTokenizerBase) -> Finding:
    """Count the rows that ``data.max_length`` cuts, or makes windows of."""
    limit = plan.training.max_length
    cut = count_truncated(data.splits["train"], tokenizer, max_length=limit)
    share = cut.rows / max(cut.sampled, 1)
    if long := _long_answers(data, tokenizer) if plan.task.label_kind == "span" else "":
        return Finding("warn", "lengths", long)
    if cut.rows == 0:
        return Finding("ok", "lengths", f"the longest row has {cut.longest} tokens, the limit is {limit}")
    longer = f"{cut.rows:,} of {cut.sampled:,} train rows ({share:.1%}) are longer than {limit} tokens"
    if plan.task.label_kind in WINDOWED:
        return Finding("ok", "lengths", f"{longer} and are read in windows; the longest has {cut.longest}")
    text = (
        f"{longer} and lose "
        f"{cut.tokens_cut / cut.rows:.0f} on average; the longest has {cut.longest}; raise data.max_length "
        "to keep them"
    )
    return Finding("warn" if share > 0.01 else "ok", "lengths", text)


def _long_answers(data: TextData, tokenizer: PreTrainedTokenizerBase) -> str:
    """Say how many answers are longer than one that is ever given; empty when none is."""
    rows = data.splits["train"].select(range(min(MAX_ANSWERS_COUNTED, len(data.splits["train"]))))
    answers = [
        context[start:end]
        for context, spans in zip(rows["text_pair"], rows["label"], strict=True)
        for start, end in spans or []
    ]
    long = sum(len(pieces) > MAX_ANSWER_PIECES for pieces in tokenise(answers, tokenizer))
    if not long:
        return ""
    return (
        f"{long:,} of {len(answers):,} train answers are longer than {MAX_ANSWER_PIECES} pieces, the longest "
        "answer that is ever given; they cannot be found whole: ask for shorter ones"
    )


def check_balance(data: TextData) -> Finding:
    """Compare the most frequent label, or type of entity, with the rarest; count questions with answers."""
    kind, names = data.labels.kind, data.labels.names
    if kind == "span":
        found = Counter(bool(label) for label in data.splits["train"]["label"] if label is not None)
        return Finding(
            "ok", "balance", f"{found[True]:,} train questions have an answer, {found[False]:,} have none"
        )
    if kind not in ("single", "tags"):
        return Finding("ok", "balance", "not a question for this task")
    given = (label for label in data.splits["train"]["label"] if label is not None)
    if kind == "single":
        counts, unit = Counter(names[label] for label in given), "train rows"
    else:
        counts = Counter(names[tag][2:] for tags in given for tag in tags if tag % 2)
        unit = "entities in train"
    if not counts:
        return Finding("ok", "balance", "no train row has a label: the teacher labels them")
    (top, most), (low, least) = counts.most_common()[0], counts.most_common()[-1]
    text = f"{top!r} has {most:,} {unit}, {low!r} has {least:,}"
    if least < RARE_LABEL_ROWS or most / least > IMBALANCE:
        return Finding("warn", "balance", f"{text}; judge by macro_f1 too, or label more of the rare ones")
    return Finding("ok", "balance", text)


def check_leakage(data: TextData) -> Finding:
    """Repeat what reading the rows found out about rows that stand in two splits."""
    found = [warning for warning in data.warnings if "in train too" in warning]
    return (
        Finding("warn", "leakage", "; ".join(found))
        if found
        else Finding("ok", "leakage", "none between splits")
    )


def check_memory(plan: DistillPlan, data: TextData) -> Finding:
    """Compare the memory a step needs, roughly, with what is free."""
    parameters = num_parameters(plan, data)
    info = plan.teacher.info
    teacher = (
        0
        if info is None
        else 12 * info.num_hidden_layers * info.hidden_size**2 + (info.vocab_size * info.hidden_size)
    )
    layers, width = plan.shape.num_hidden_layers, plan.shape.hidden_size
    batch_size = min(plan.recipe.train.batch_size, len(data.splits["train"]))
    activations = batch_size * plan.training.max_length * width * layers * 34 * 2
    needed = (parameters * BYTES_A_TRAINED_PARAMETER + teacher * 4 + activations) / 1e9
    free = psutil.virtual_memory().available / 1e9
    text = f"about {needed:.1f} GB at the longest batch, {free:.1f} GB free"
    if needed > free:
        return Finding(
            "stop", "memory", f"{text}; lower train.batch_size or data.max_length, or take a smaller shape"
        )
    return Finding("ok", "memory", text)


def num_parameters(plan: DistillPlan, data: TextData) -> int:
    """Count the student's parameters without making them."""
    config = student_config(
        load_config(plan.source),
        plan.shape,
        same_family=plan.start == "slice",
        **label_arguments(plan.task, data.labels),  # pyright: ignore[reportArgumentType]
    )
    with torch.device("meta"):
        model = random_start(config, seed=0)
    return sum(parameter.numel() for parameter in model.parameters())


def check_disk(plan: DistillPlan, data: TextData, tokenizer: PreTrainedTokenizerBase) -> Finding:
    """Compare checkpoints and the teacher store with the free disk."""
    checkpoints = 2 * 12 * num_parameters(plan, data) / 1e6
    store = store_estimate(plan, data, tokenizer)
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e6
    kept = store if plan.recipe.teacher.store != "off" and store <= plan.recipe.teacher.store_budget_mb else 0
    text = (
        f"checkpoints about {checkpoints:,.0f} MB, teacher store {store:,.0f} MB"
        + ("" if kept else " (not kept: over the budget or off)")
        + f"; {free:,.0f} MB free"
    )
    if checkpoints + kept > free:
        return Finding("stop", "disk", f"{text}; free some, or set teacher.store=off")
    return Finding("ok", "disk", text)


def store_estimate(plan: DistillPlan, data: TextData, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return the teacher store's size in MB, from the lengths of at most 2,000 rows."""
    info, train = plan.teacher.info, data.splits["train"]
    if info is None:
        return 4 * data.labels.num_labels * len(train) / 1e6
    sample = train.select(range(min(2000, len(train))))
    form = Form(data.labels.kind)
    encoded = encode_split(sample, tokenizer, max_length=plan.training.max_length, form=form)
    lengths = lengths_of(encoded)
    wanted = Teaching(plan.losses, plan.layer_map).wanted()
    shape = TeacherShape(
        data.labels.num_labels,
        info.hidden_size,
        info.num_attention_heads,
        every_token=form.kind in WINDOWED,
    )
    return estimate_mb(lengths, shape, wanted) * len(train) / len(sample)


def checks_of_teacher(plan: DistillPlan, data: TextData, *, trained_here: bool = False) -> list[Finding]:
    """Check what needs the teacher's weights: that it knows the task.

    A teacher that somebody brought and that does not is a mistake, and stops. One that was fine-tuned in this
    very run had too few rows or epochs; that is said, and the run goes on.
    """
    if plan.teacher.kind == "encoder":
        return [
            Finding("ok", "teacher", "has no head for this task: it is fine-tuned on the train rows first")
        ]
    if plan.teacher.kind == "file":
        return [Finding("ok", "teacher", "a file of scores")]
    score, floor = teacher_score(plan, data)
    metric = plan.task.main_metric
    text = (
        f"validation {metric} {score:.4f}, {floor:.4f} for {'the majority class' if floor else 'a constant'}"
    )
    if score < floor + MARGIN_OVER_MAJORITY and trained_here:
        return [
            Finding("warn", "teacher", f"{text}: it learned little; more rows or teacher.num_epochs may help")
        ]
    if score < floor + MARGIN_OVER_MAJORITY:
        return [
            Finding(
                "stop",
                "teacher",
                f"{text}: it does not know this task; fine-tune it first "
                "(`tinybert finetune`), or check its labels",
            )
        ]
    return [Finding("ok", "teacher", text)]


def teacher_score(plan: DistillPlan, data: TextData) -> tuple[float, float]:
    """Return the teacher's score on at most 500 validation rows, and that of always saying the same."""
    rows = data.splits["validation"].shuffle(seed=0)
    rows = rows.select(range(min(MAX_ROWS_SCORED, len(rows))))
    teacher = Predictor(
        plan.teacher.path,
        backend="torch",
        max_length=plan.training.max_length,
        labels=data.labels,
    )
    gold = gold_labels(rows, data.labels.kind)
    score = plan.task.metrics(teacher.outputs(rows), gold)[plan.task.main_metric]
    if plan.task.label_kind != "single":
        return score, 0.0
    return score, float(np.bincount(np.asarray(gold)).max() / len(rows))


def check_time(plan: DistillPlan, data: TextData, train: Dataset, collator: Collator) -> Finding:
    """Time a few steps of the student and a few answers of the teacher, and say what the whole will take."""
    batch_size = plan.recipe.train.batch_size
    rows = sorted_by_length(train)
    middle = max(0, len(rows) // 2 - batch_size // 2)
    batch = collator([rows[i] for i in range(middle, min(middle + batch_size, len(rows)))])
    config = student_config(
        load_config(plan.source),
        plan.shape,
        same_family=plan.start == "slice",
        **label_arguments(plan.task, data.labels),  # pyright: ignore[reportArgumentType]
    )
    student = random_start(config, seed=0).train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5)
    objective = HardObjective(plan.task.hard_loss(plan.recipe.hard_loss))

    def step() -> None:
        torch.stack(list(objective(student, batch).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    student_s = median_seconds(step, repeats=TIMED_STEPS)
    teacher_s = 0.0
    if plan.teacher.kind != "file":
        from tinybert.models import load_encoder

        encoder = load_encoder(plan.teacher.path)
        with torch.inference_mode():
            teacher_s = median_seconds(lambda: encoder(**model_inputs(encoder, batch)), repeats=TIMED_STEPS)
    num_batches = -(-len(train) // batch_size)
    epochs = plan.training.num_epochs
    if plan.recipe.distill.phases == "two":
        epochs += plan.recipe.distill.intermediate_num_epochs
    seconds = num_batches * (student_s * epochs * (2 if plan.recipe.baseline else 1) + teacher_s)
    if plan.teacher.kind == "encoder":
        seconds += num_batches * 3 * teacher_s * plan.recipe.teacher.num_epochs
    return Finding(
        "ok",
        "time",
        f"about {seconds / 60:.0f} min in fp32 on this machine, now ({student_s:.2f} s a "
        f"student step, {teacher_s:.2f} s a teacher answer to {batch_size} rows)",
    )
