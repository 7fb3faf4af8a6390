"""How much of its teacher a student keeps: the runs behind docs/results.md, and the tables made of them.

    python benchmarks/retention.py run --data DATA --out runs/bench base base-shapes chinese
    python benchmarks/retention.py table --out runs/bench
    python benchmarks/retention.py picture --out runs/bench --picture docs/retention.png

DATA holds one folder a dataset with train/validation/test.jsonl. Every run resumes: give the command again
after a kill. A seed covers the whole way, its own teacher and its own student; but in the suite "general",
where ways to begin are compared, all learn from one teacher.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tinybert

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEEDS = (42, 43, 44)
MINILM, MPNET, E5 = "bundled:minilm", "bundled:mpnet", "bundled:e5"
GENERAL = "general-4l-312d"
FILLER_STEPS = 400
STARTS: dict[str, dict] = {
    "general": {"shape": GENERAL},
    "projected": {},
    "random": {"overrides": ("student.start=random",)},
}
"""Variant of the suite "general" → how its student begins: general distillation, projection, chance."""
HALF = ("student.hidden_size=64", "student.intermediate_size=256")
AUGMENTED = (
    "data.max_train_rows=500",
    "augment.copies=20",
    "teacher.num_epochs=8",
    "teacher.learning_rate=1e-4",
)
HARD_ONLY = ("distill.losses.hard=1",)
LOW_RATE, HIGH_RATE = "train.learning_rate=3e-5", "train.learning_rate=1e-4"
HALF_FROZEN = "train.frozen_layers=6"  # of twelve: a third less time for the sets with the longest rows
BASE: dict[str, tuple[str, tuple[str, ...]]] = {
    "sst2_sentences": ("classification", ("train.num_epochs=3",)),
    "mrpc": ("classification", ("train.num_epochs=3", LOW_RATE)),
    "stsb": ("regression", ("train.num_epochs=3",)),
    "banking77": ("classification", ("train.num_epochs=3", HIGH_RATE)),
    "conll2003": ("ner", ("train.num_epochs=2",)),
    "cola": ("classification", ("train.num_epochs=3", LOW_RATE)),
    "rte": ("classification", ("train.num_epochs=3", LOW_RATE, HALF_FROZEN)),
    "squad11": ("qa", ("train.num_epochs=2", "train.batch_size=16", HALF_FROZEN)),
}
"""Data set → its task and how its base-size teacher is fine-tuned."""
FEW_QUESTIONS = ("train.batch_size=16", "train.num_epochs=4")  # 3,500 make few steps
SMALL: dict[str, tuple[str, ...]] = {
    "sst2_sentences": ("train.num_epochs=3",),
    "cluener2020_zh": (HIGH_RATE,),
    "banking77": (HIGH_RATE,),
    "conll2003": (HIGH_RATE,),
    "squad11": (HIGH_RATE, *FEW_QUESTIONS),
}
"""Data set → how MiniLM and E5 are fine-tuned on it, where not by default."""
RANDOM = ("student.start=random",)
TRIM = ("student.vocabulary=trim",)
PHRASES = {"unlabelled": "sst2_phrases", "baseline": False}
THREE_SEEDS = ("sst2_sentences", "mrpc", "banking77", "conll2003")

TITLES = {
    "sst2_sentences": "SST-2",
    "mrpc": "MRPC",
    "stsb": "STS-B",
    "banking77": "Banking77",
    "conll2003": "CoNLL-2003",
    "cola": "CoLA",
    "rte": "RTE",
    "squad11": "SQuAD 1.1",
}
MODELS = {
    "student": ("o", "distilled"),
    "fine_tune_only": ("s", "fine-tuned only"),
    "tfidf": ("^", "TF-IDF"),
}
"""Model → its mark in the picture, and its name."""


@dataclass(frozen=True)
class Job:
    """One distillation, its run named by what it is.

    ``shape`` is the named one that overrides change, or a run of another suite to start from; a ``teacher``
    that is named is not fine-tuned beforehand; one of another seed may be shared. ``model`` is what the
    teacher is fine-tuned from, with ``teacher_overrides`` or as ``SMALL`` says; the student is cut from
    ``source``, fine-tuned on the same rows, instead of the teacher. The training rows of ``unlabelled``,
    another data set, are added without their labels.
    """

    dataset: str
    student: str
    seed: int = 42
    variant: str = "default"
    task: str = "classification"
    overrides: tuple[str, ...] = ()
    teacher_overrides: tuple[str, ...] | None = None
    baseline: bool = True
    shape: str | None = None
    teacher: str | None = None
    teacher_seed: int | None = None
    model: str = MINILM
    unlabelled: str | None = None
    source: str | None = None

    @property
    def name(self) -> str:
        """The run's folder."""
        return f"{self.dataset}-{self.student}-{self.variant}-{self.seed}"

    def fine_tuned_name(self, model: str) -> str:
        """The folder of a model that is fine-tuned on the rows."""
        family = "" if model == MINILM else f"-{model.partition(':')[2]}"
        return f"{self.dataset}{family}-teacher-{self.teacher_seed or self.seed}"


def suites() -> dict[str, list[Job]]:
    """Return the suites by name."""
    sst2 = "sst2_sentences"
    main = [Job(sst2, shape, seed) for seed in SEEDS for shape in ("4l-384d", "3l-384d", "4l-312d")]
    start = [
        Job(sst2, "4l-384d", variant="hard-only", overrides=HARD_ONLY, baseline=False),
        Job(sst2, "4l-312d", variant="random", overrides=RANDOM, baseline=False),
    ]
    shapes = [Job(sst2, shape, seed) for seed in SEEDS for shape in ("4l-192d", "2l-128d")]
    shapes.append(Job(sst2, "2l-64d", shape="2l-128d", overrides=HALF))
    datasets = [
        Job("mrpc", "4l-384d"),
        Job("rte", "4l-384d"),
        Job("cola", "4l-384d"),
        Job("stsb", "4l-384d", task="regression"),
        Job("banking77", "4l-384d"),
        Job("waimai_10k_zh", "4l-384d"),
    ]
    conll = [Job("conll2003", shape, seed, task="ner") for seed in SEEDS for shape in ("4l-384d", "4l-312d")]
    spread_out = {"task": "ner", "variant": "uniform", "overrides": ("student.layer_map=uniform",)}
    uniform = [
        Job("conll2003", shape, seed, **spread_out) for seed in SEEDS for shape in ("4l-384d", "4l-312d")
    ]
    cluener = [Job("cluener2020_zh", "4l-384d", task="ner")]
    squad = [Job("squad11", "4l-384d", seed, task="qa", overrides=FEW_QUESTIONS) for seed in SEEDS]
    starts = [
        Job(dataset, "4l-312d", seed, variant, teacher_seed=42, baseline=False, **how)
        for seed in SEEDS
        for dataset in (sst2, "mrpc", "banking77")
        for variant, how in STARTS.items()
    ]
    few = [Job(sst2, "4l-384d", seed, "few", overrides=AUGMENTED, teacher="bundled:minilm") for seed in SEEDS]
    tokens = {"conll": conll, "conll-uniform": uniform, "cluener": cluener, "squad": squad}
    raw = {"general": starts, "augmentation": few, **base_suites()}
    return {**raw, "sst2": main, "start": start, "shapes": shapes, "datasets": datasets, **tokens}


def base_suites() -> dict[str, list[Job]]:
    """Return the suites of base-size and Chinese teachers, one teacher a data set."""

    def job(dataset: str, student: str, seed: int = 42, variant: str = "mpnet", **changes: object) -> Job:
        task, own = BASE[dataset]
        given = {"task": task, "teacher_overrides": own, "teacher_seed": 42, "model": MPNET, "source": MINILM}
        return Job(dataset, student, seed, variant, **(given | changes))

    main = [
        job(dataset, "4l-312d", seed, baseline=seed == SEEDS[0])
        for dataset in BASE
        for seed in (SEEDS if dataset in THREE_SEEDS else SEEDS[:1])
    ]
    shapes = [job(dataset, shape) for shape in ("6l-384d", "4l-192d", "2l-128d") for dataset in BASE]
    random = [
        job(dataset, "4l-312d", variant="mpnet-random", overrides=RANDOM, baseline=False, source=None)
        for dataset in THREE_SEEDS
    ]
    own = [job(dataset, "4l-312d", variant="mpnet-own", source=None) for dataset in THREE_SEEDS]
    phrases = [job("sst2_sentences", "4l-312d", seed, "mpnet-phrases", **PHRASES) for seed in SEEDS]
    small = [
        Job(dataset, "4l-312d", 42, "minilm", task, baseline=False) for dataset, (task, _) in BASE.items()
    ]
    chinese = [
        Job("waimai_10k_zh", "4l-312d", variant="e5", model=E5),
        Job("waimai_10k_zh", "4l-312d", variant="e5-trimmed", model=E5, overrides=TRIM, baseline=False),
        Job("cluener2020_zh", "4l-312d", variant="e5-trimmed", model=E5, task="ner", overrides=TRIM),
    ]
    return {
        "base": main,
        "base-shapes": shapes,
        "base-own": own,
        "base-random": random,
        "base-phrases": phrases,
        "base-minilm": small,
        "chinese": chinese,
    }


def run_job(job: Job, data: Path, out: Path) -> None:
    """Fine-tune the dataset's teacher with the job's seed, once, and distil it."""
    source = str(data / job.dataset)
    teacher = job.teacher or fine_tuned(job, job.model, job.teacher_overrides, data, out)
    overrides, student = job.overrides, job.shape or job.student
    if job.source:
        cut_from = fine_tuned(job, job.source, None, data, out)
        overrides = (*overrides, f"student.source={cut_from}")
    if job.unlabelled:
        source = str(with_unlabelled(job, data, out))
    if student == GENERAL:
        student = out / GENERAL
        general(data, out)
    if AUGMENTED[1] in overrides:
        overrides = (*overrides, f"augment.model={filler(data, out)}")
    tinybert.distill(
        source,
        f"train.seed={job.seed}",
        *overrides,
        teacher=teacher,
        student=student,
        task=job.task,
        baseline=job.baseline,
        out=out / job.name,
    )


def fine_tuned(job: Job, model: str, overrides: tuple[str, ...] | None, data: Path, out: Path) -> Path:
    """Fine-tune a model on the job's rows, once; return its run."""
    overrides = SMALL.get(job.dataset, ()) if overrides is None else overrides
    return tinybert.finetune(
        data / job.dataset,
        f"train.seed={job.teacher_seed or job.seed}",
        *overrides,
        model=model,
        task=job.task,
        out=out / job.fine_tuned_name(model),
    ).path


def with_unlabelled(job: Job, data: Path, out: Path) -> Path:
    """Write the job's rows with those of another data set beside them, without labels; return the folder."""
    folder = out / f"{job.dataset}-with-{job.unlabelled}"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        shutil.copyfile(data / job.dataset / f"{split}.jsonl", folder / f"{split}.jsonl")
    lines = (data / str(job.unlabelled) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.dumps({"text": json.loads(line)["text"]}, ensure_ascii=False) for line in lines]
    (folder / "unlabelled.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder


def general(data: Path, out: Path) -> Path:
    """Distil the general student, once, on all the unlabelled text; return its run."""
    return tinybert.distill(
        data / "unlabelled_en", task="general", teacher="bundled:minilm", student="4l-312d", out=out / GENERAL
    ).path


def filler(data: Path, out: Path) -> Path:
    """Pre-train the model that proposes words, once; return its run."""
    return tinybert.pretrain(
        data / "unlabelled_en", f"train.num_steps={FILLER_STEPS}", model="bundled:minilm", out=out / "filler"
    ).path


def finished(out: Path) -> dict[tuple[str, str, str], list[dict]]:
    """Return the metrics of finished runs, grouped by (dataset, student, variant)."""
    groups: dict[tuple[str, str, str], list[dict]] = defaultdict(list)
    jobs = {job.name: job for jobs in suites().values() for job in jobs}  # some stand in two suites
    for job in jobs.values():
        file = out / job.name / "metrics.json"
        if file.exists():
            groups[job.dataset, job.student, job.variant].append(json.loads(file.read_text(encoding="utf-8")))
    return groups


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation in percent, or the one value."""
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def table(out: Path) -> str:
    """Return the Markdown table of all finished runs."""
    lines = [
        "| data | metric | student | start | seeds | teacher | TF-IDF | fine-tuned | distilled | kept | parameters |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (dataset, student, variant), runs in sorted(finished(out).items()):
        first, base, free = runs[0], scores(runs, "fine_tune_only"), scores(runs, "tfidf")
        cells = [
            dataset if first["split"] == "test" else f"{dataset} ({first['split']})",
            first["main_metric"],
            student,
            first["student_start"] + ("" if variant in ("default", "random") else f", {variant}"),
            str(len(runs)),
            spread(scores(runs, "teacher")),
            spread(free[:1]) if free else "–",
            spread(base) if base else "–",
            spread(scores(runs, "student")),
            spread([run["retention"] for run in runs]) + " %",
            f"{first['student']['num_parameters']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def scores(runs: list[dict], name: str) -> list[float]:
    """Return one model's scores on the main metric over the runs' seeds."""
    return [run[name][run["split"]][run["main_metric"]] for run in runs if run.get(name)]


def picture(out: Path, path: Path) -> None:
    """Draw what students of mpnet keep on each data set, and on SST-2 their score against their size."""
    from matplotlib.figure import Figure

    groups = {key[:2]: runs for key, runs in finished(out).items() if key[2] == "mpnet"}
    if not any(name == "sst2_sentences" for name, _ in groups):
        raise SystemExit(
            f"{out}: no finished run of SST-2 in the suites base and base-shapes; run them first"
        )
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    by_dataset, by_size = figure.subplots(1, 2, width_ratios=(3, 2))
    draw_datasets(by_dataset, {name: runs for (name, shape), runs in groups.items() if shape == "4l-312d"})
    draw_sizes(by_size, {shape: runs for (name, shape), runs in groups.items() if name == "sst2_sentences"})
    figure.savefig(path, dpi=120)


def draw_datasets(axes: Axes, groups: dict[str, list[dict]]) -> None:
    """Draw the share of the teacher's score that each model reaches, a row a data set."""
    names = [name for name in BASE if name in groups]
    for model, (style, title) in MODELS.items():
        points = [
            (100 * statistics.mean(shares), -row)
            for row, name in enumerate(names)
            if (shares := shares_of_teacher(groups[name], model))
        ]
        axes.plot(*zip(*points, strict=True), style, label=title, markersize=8)
    axes.axvline(100, color="black", lw=1, ls="--", label="teacher (mpnet, 12 × 768, 109 million)")
    axes.axvline(97, color="grey", lw=0.8, ls=":", label="97 %")
    axes.set_yticks([-row for row in range(len(names))], [TITLES[name] for name in names])
    axes.set_xlabel("4l-312d: score, % of the teacher's")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def draw_sizes(axes: Axes, groups: dict[str, list[dict]]) -> None:
    """Draw the score on SST-2 against the number of parameters."""
    for model in ("student", "fine_tune_only"):
        style, title = MODELS[model]
        points = sorted(
            (runs[0]["student"]["num_parameters"] / 1e6, 100 * statistics.mean(found), shape)
            for shape, runs in groups.items()
            if (found := scores(runs, model))
        )
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], style + "-", label=title)
        for x, y, shape in points if model == "student" else ():
            axes.annotate(shape, (x, y), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    runs = next(iter(groups.values()))
    teacher = 100 * statistics.mean(scores(runs, "teacher"))
    axes.plot(runs[0]["teacher"]["num_parameters"] / 1e6, teacher, "k*", markersize=12, label="teacher")
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_xlabel("parameters, millions")
    axes.set_ylabel("SST-2 test accuracy, %")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")


def shares_of_teacher(runs: list[dict], model: str) -> list[float]:
    """Return a model's scores over the teacher's, of the runs that have it."""
    return [
        run_scores[0] / scores([run], "teacher")[0] for run in runs if (run_scores := scores([run], model))
    ]


def main() -> None:
    """Run, or make the tables of what has been run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "table", "picture"))
    parser.add_argument("suites", nargs="*", default=[], help="suite names, or single run names")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--picture", type=Path, default=Path("docs/retention.png"))
    options = parser.parse_intermixed_args()
    if options.action == "table":
        print(table(options.out))
        return
    if options.action == "picture":
        picture(options.out, options.picture)
        return
    known = suites()
    for job in (job for jobs in known.values() for job in jobs):
        if job.name in options.suites or any(job in known.get(name, ()) for name in options.suites):
            run_job(job, options.data, options.out)


if __name__ == "__main__":
    main()
