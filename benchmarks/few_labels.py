"""What a few labels are enough for: teacher, student and baselines on small draws of the training rows.

    python benchmarks/few_labels.py run --data DATA --out runs/few [NAMES]
    python benchmarks/few_labels.py table --out runs/few
    python benchmarks/few_labels.py trace --data DATA --out runs/few NAMES [--set train.contrastive_weight=0]

DATA holds one folder a dataset with train.jsonl and test.jsonl; the tests' rows are all scored. Each case is
drawn three times; NAMES are cases (``sst2-300``) or draws (``sst2-300-1``), all where none is given. Validation
rows are taken from the draw, as a user's would be. Beside the run stands TF-IDF with logistic regression, and
SetFit where OUT/setfit is a virtual environment that has it:

    python -m venv OUT/setfit && OUT/setfit/bin/pip install torch setfit==1.2.0

SetFit begins from the same encoder and gets the same rows, validation rows included. What is finished is not
done again; a killed run resumes. ``trace`` fine-tunes the teacher alone and scores the test split too after
each validation: which weights are kept is decided without it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tinybert
from tinybert.models import load_tokenizer
from tinybert.sources import fetch
from tinybert.training.trainer import ObjectiveTrainer

DRAWS = (1, 2, 3)
TEACHER, STUDENT = "bundled:minilm", "4l-384d"
MODELS = ("teacher", "student", "fine_tune_only", "tfidf", "setfit")
SETFIT = """
import json, sys, time
from datasets import Dataset
from sentence_transformers import SentenceTransformer, models
from setfit import SetFitModel, Trainer, TrainingArguments

rows, encoder, folder = sys.argv[1:]
train, test = ([json.loads(line) for line in open(f"{rows}/{name}.jsonl")] for name in ("train", "test"))
labels = sorted({row["label"] for row in train})
word = models.Transformer(encoder, max_seq_length=128)
body = SentenceTransformer(modules=[word, models.Pooling(word.get_word_embedding_dimension())])
model = SetFitModel.from_pretrained(encoder, labels=labels)
model.model_body = body
began = time.perf_counter()
arguments = TrainingArguments(
    output_dir=folder, batch_size=16, num_epochs=1, num_iterations=20, save_strategy="no", seed=42
)
Trainer(model=model, args=arguments, train_dataset=Dataset.from_list(train)).train()
seconds = time.perf_counter() - began
predicted = model.predict([row["text"] for row in test])
score = sum(str(one) == row["label"] for one, row in zip(predicted, test)) / len(test)
print(json.dumps({"score": score, "train_seconds": seconds}))
"""
"""SetFit with its own defaults and the 20 pairs of each kind a text of its paper, arXiv:2209.11055.

Its later default, all pairs there are, is half a million for 1,000 rows.
"""


@dataclass(frozen=True)
class Case:
    """So many rows of a dataset, or of each of its classes."""

    dataset: str
    num_rows: int
    each_class: bool = False
    task: str = "classification"


CASES = {
    "sst2-100": Case("sst2_sentences", 100),
    "sst2-300": Case("sst2_sentences", 300),
    "sst2-1000": Case("sst2_sentences", 1000),
    "banking77-5": Case("banking77", 5, each_class=True),
    "banking77-10": Case("banking77", 10, each_class=True),
    "conll-100": Case("conll2003", 100, task="ner"),
    "conll-300": Case("conll2003", 300, task="ner"),
    "conll-1000": Case("conll2003", 1000, task="ner"),
}


def draw(case: Case, number: int, *, data: Path, folder: Path) -> Path:
    """Write the rows of one draw, and the whole test split beside them."""
    lines = (data / case.dataset / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rng = random.Random(number)
    rng.shuffle(lines)
    chosen = first_of_each(lines, case) if case.each_class else lines[: case.num_rows]
    rng.shuffle(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    (folder / "test.jsonl").write_bytes((data / case.dataset / "test.jsonl").read_bytes())
    return folder


def first_of_each(lines: list[str], case: Case) -> list[str]:
    """Return the first rows of each class."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(json.loads(line)["label"], []).append(line)
    return [line for each in found.values() for line in each[: case.num_rows]]


def distil(case: Case, rows: Path, out: Path, *, overrides: tuple[str, ...]) -> dict:
    """Distil, and return each model's score and seconds."""
    run = tinybert.distill(rows, *overrides, teacher=TEACHER, student=STUDENT, task=case.task, out=out)
    metrics = run.metrics
    return {
        name: {"score": row["test"][metrics["main_metric"]], "train_seconds": row["train_seconds"]}
        for name in ("teacher", "student", "fine_tune_only")
        if isinstance(row := metrics.get(name), dict)
    }


def tfidf(rows: Path) -> dict:
    """Score words and characters with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    train, test = (
        [json.loads(line) for line in (rows / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("train", "test")
    )
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
    began = time.perf_counter()
    model.fit([row["text"] for row in train], [row["label"] for row in train])
    seconds = time.perf_counter() - began
    score = model.score([row["text"] for row in test], [row["label"] for row in test])
    return {"score": score, "train_seconds": seconds}


def setfit(rows: Path, python: Path, folder: Path) -> dict:
    """Train SetFit in its own environment on the same rows, from the same encoder."""
    words = [python, "-c", SETFIT, rows, fetch(TEACHER), folder]
    done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def once(file: Path, make: Callable[[], dict]) -> dict:
    """Return what a file holds; it is made where it is not there."""
    if not file.exists():
        content = json.dumps(make(), indent=2)
        file.write_text(content, encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def run_draw(name: str, number: int, *, data: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Do all that is measured on one draw."""
    case, place = CASES[name], out / f"{name}-{number}"
    rows = draw(case, number, data=data, folder=place / "rows")
    once(place / "distilled.json", lambda: distil(case, rows, place / "run", overrides=overrides))
    if case.task != "classification":
        return
    once(place / "tfidf.json", lambda: tfidf(rows))
    python = out / "setfit" / "bin" / "python"
    if python.exists():
        once(place / "setfit.json", lambda: setfit(rows, python, place / "setfit"))


def trace(name: str, number: int, *, data: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Fine-tune the teacher, and print validation and test score of each of its evaluations."""
    case, place = CASES[name], out / f"{name}-{number}"
    rows = draw(case, number, data=data, folder=place / "rows")
    scored: list[tuple[int, float, Path]] = []
    plain = ObjectiveTrainer.evaluate

    def evaluate(trainer: ObjectiveTrainer, *given: object, **named: object) -> dict[str, float]:
        scores = plain(trainer, *given, **named)  # type: ignore[arg-type]
        step, folder = trainer.state.global_step, place / "trace" / f"step-{trainer.state.global_step}"
        trainer.model.save_pretrained(folder)  # type: ignore[union-attr]
        load_tokenizer(TEACHER).save_pretrained(folder)
        scored.append((step, scores[f"eval_{trainer.evaluator.main_metric}"], folder))
        return scores

    ObjectiveTrainer.evaluate = evaluate  # type: ignore[method-assign]
    target = place / "traced"
    shutil.rmtree(target, ignore_errors=True)
    run = tinybert.finetune(rows, *overrides, model=TEACHER, task=case.task, out=target)
    ObjectiveTrainer.evaluate = plain  # type: ignore[method-assign]
    metric = run.metrics["main_metric"]
    print("| step | validation | test |\n| --- | --- | --- |")
    for step, score, folder in scored:
        test = tinybert.evaluate(folder, rows)[metric]
        print(f"| {step} | {100 * score:.1f} | {100 * test:.1f} |", flush=True)
        shutil.rmtree(folder)
    print(f"| kept | | {100 * run.metrics['model']['test'][metric]:.1f} |")


def results(place: Path) -> dict[str, dict]:
    """Return model → what was measured, of one draw."""
    files = {name: place / f"{name}.json" for name in ("distilled", "tfidf", "setfit")}
    found = {
        name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()
    }
    return found.pop("distilled", {}) | found


def table(out: Path) -> str:
    """Return the Markdown table of what is finished: mean ± standard deviation, and seconds of training."""
    lines = [f"| rows | draws | {' | '.join(MODELS)} |", f"| --- | --- |{' --- |' * len(MODELS)}"]
    for name in CASES:
        draws = [found for number in DRAWS if (found := results(out / f"{name}-{number}"))]
        if draws:
            cells = [cell([found[model] for found in draws if model in found]) for model in MODELS]
            lines.append(f"| {name} | {len(draws)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(found: list[dict]) -> str:
    """Return scores in percent and the mean seconds."""
    if not found:
        return "–"
    scores = [100 * each["score"] for each in found]
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    seconds = [each["train_seconds"] for each in found if each["train_seconds"] is not None]
    return f"{statistics.mean(scores):.1f}{spread}" + (
        f" ({statistics.mean(seconds):.0f} s)" if seconds else ""
    )


def main() -> None:
    """Run cases, or print the table of what has been run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "table", "trace"))
    parser.add_argument("names", nargs="*", default=[], help="cases or draws; all where none is given")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/few"))
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe, key.path=value")
    options = parser.parse_intermixed_args()
    if options.action == "table":
        print(table(options.out))
        return
    act = trace if options.action == "trace" else run_draw
    for name in CASES:
        for number in DRAWS:
            if not options.names or {name, f"{name}-{number}"} & set(options.names):
                act(name, number, data=options.data, out=options.out, overrides=tuple(options.set))


if __name__ == "__main__":
    main()
