"""The engine against what users have today, all on the same rows in one run: the figures of docs/results.md.

    python benchmarks/engine.py speed --data DATA --run RUN       # SST-2 test sentences, 4l-312d
    python benchmarks/engine.py speed --data DATA --run RUN --teacher TEACHER   # and its own teacher's pipeline
    python benchmarks/engine.py entities --data DATA --run RUN    # CoNLL-2003
    python benchmarks/engine.py kept --data DATA --runs RUN…      # test scores of every int8 export
    python benchmarks/engine.py peak --run RUN                    # share of the matrix peak
    python benchmarks/engine.py million --data DATA --run RUN     # a file of 1,000,000 rows

RUN has exports (``tinybert export RUN``, ``tinybert export RUN --format openvino``). Everybody takes turns in
each round; medians of the rounds are printed, and ratios of the medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openvino
import psutil
import torch
import transformers
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    pipeline,
)

import tinybert
from tinybert.data import load
from tinybert.inference.batches import batches_of, padded
from tinybert.inference.bench import random_rows, score_of
from tinybert.inference.exports import exports_of
from tinybert.inference.files import predict_file
from tinybert.runs import Run

NUM_ROWS, NUM_ALONE, ROUNDS = 512, 128, 5
LARGE_SHARE = 4
"""A large model reads every fourth row: else it would take nearly all of a round."""
BATCH, TOKENS = 32, 128

Contestants = dict[str, Callable[[], object]]


def rows_a_second(contestants: Contestants, num_rows: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Let all take turns; return rows a second by the medians of all rounds but a first one."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, answer in contestants.items():
            start = time.perf_counter()
            answer()
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: num_rows / statistics.median(seconds) for name, seconds in taken.items()}


def show(title: str, speeds: dict[str, float], ours: str) -> None:
    """Print speeds, and how many times as fast ours is."""
    print(f"\n{title}")
    for name, speed in sorted(speeds.items(), key=lambda item: -item[1]):
        print(f"  {name:<46} {speed:9.1f} rows/s   {ours} is {speeds[ours] / speed:6.2f}x")


def speed(run: Path, data: Path, teacher: Path | None) -> None:
    """Student, engine and rivals on sentences; the large model is the teacher, or BERT-base's shape."""
    lines = (data / "sst2_sentences" / "test.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    texts = [texts[index] for index in np.linspace(0, len(texts) - 1, NUM_ROWS).astype(int)]
    names = ["torch", "torch-bf16", *(export.name for export in exports_of(run))]
    engines = {name: tinybert.Predictor(run, backend=name) for name in names}
    auto = tinybert.Predictor(run)
    print(f"auto chooses {auto.backend}; {torch.get_num_threads()} threads")
    student = pipeline("text-classification", model=str(run), tokenizer=str(run), device="cpu")
    large = pipeline("text-classification", model=str(teacher), device="cpu") if teacher else bert_base(run)
    large_name = f"pipeline, {'teacher' if teacher else 'BERT-base'}, batch {BATCH}"
    handmade = Handmade(run)
    together: Contestants = {f"engine {name}": lambda e=engine: e(texts) for name, engine in engines.items()}
    together |= {
        "pipeline, student, batch 32": lambda: student(texts, batch_size=BATCH),
        large_name: lambda: large(texts[::LARGE_SHARE], batch_size=BATCH),
        "hand-written ONNX int8 loop, as they come": lambda: handmade(texts, sort=False),
        "hand-written ONNX int8 loop, sorted": lambda: handmade(texts, sort=True),
    }
    speeds = rows_a_second(together, NUM_ROWS)
    speeds[large_name] /= LARGE_SHARE
    best = max(
        (name for name in speeds if "int8" in name and "engine" in name), key=lambda name: speeds[name]
    )
    show(f"{NUM_ROWS} sentences at once, batches of {BATCH}", speeds, best)
    alone = texts[:: NUM_ROWS // NUM_ALONE]

    def one_by_one(answer: Callable[[list[str]], object]) -> Callable[[], object]:
        return lambda: [answer([text]) for text in alone]

    single: Contestants = {f"engine {name}": one_by_one(engine) for name, engine in engines.items()}
    single["pipeline, student"] = one_by_one(lambda text: student(text))
    single["hand-written ONNX int8"] = one_by_one(lambda text: handmade(text, sort=False))
    speeds = rows_a_second(single, len(alone))
    best = max(
        (name for name in speeds if "int8" in name and "engine" in name), key=lambda name: speeds[name]
    )
    show("one text a call", speeds, best)
    for name in (auto.backend, *(other for other in names if "int8" in other and other != auto.backend)):
        overhead(engines[name], alone)
        shares(engines[name], texts)


def bert_base(run: Path) -> object:
    """Return a pipeline of BERT-base's shape; its weights are random, which costs the same."""
    torch.manual_seed(0)
    config = BertConfig(num_labels=2)
    model = BertForSequenceClassification(config).eval()
    return pipeline(
        "text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(run), device="cpu"
    )


class Handmade:
    """What many write: the model as it is, exported, quantised, run batch after batch."""

    def __init__(self, run: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(run)
        model = AutoModelForSequenceClassification.from_pretrained(run).eval()
        folder = Path(tempfile.mkdtemp())
        batch = torch.export.Dim("batch", min=1, max=4096)
        tokens = torch.export.Dim("tokens", min=2, max=512)
        example = self.tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
        names = list(example)
        program = torch.onnx.export(
            model,
            kwargs=dict(example),
            dynamo=True,
            verbose=False,
            dynamic_shapes={name: {0: batch, 1: tokens} for name in names},
            input_names=names,
            output_names=["logits"],
        )
        program.save(str(folder / "model.onnx"))
        quantize_dynamic(
            folder / "model.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True
        )
        self.session = InferenceSession(str(folder / "int8.onnx"))
        self.names = [each.name for each in self.session.get_inputs()]

    def __call__(self, texts: Sequence[str], *, sort: bool) -> list[int]:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row])) if sort else range(len(texts))
        answers = [0] * len(texts)
        for start in range(0, len(texts), BATCH):
            rows = list(order)[start : start + BATCH]
            batch = self.tokenizer([texts[row] for row in rows], padding=True, return_tensors="np")
            (logits,) = self.session.run(None, {name: batch[name] for name in self.names})
            for row, answer in zip(rows, logits.argmax(-1).tolist(), strict=True):
                answers[row] = answer
        return answers


def overhead(engine: tinybert.Predictor, texts: Sequence[str]) -> None:
    """Print what a call takes beside tokenising and running, one text a call."""
    inside = 0.0

    def timed(work: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            nonlocal inside
            start = time.perf_counter()
            try:
                return work(*given)
            finally:
                inside += time.perf_counter() - start

        return call

    whole: list[float] = []
    rest: list[float] = []
    encode, alone = engine.encode, engine.alone
    vars(engine).update(encode=timed(encode), alone=timed(alone))
    for text in [*texts] * 3:
        inside = 0.0
        start = time.perf_counter()
        engine([text])
        whole.append(time.perf_counter() - start)
        rest.append(whole[-1] - inside)
    vars(engine).update(alone=alone)
    del vars(engine)["encode"]
    p50, p50_rest = 1000 * statistics.median(whole), 1000 * statistics.median(rest)
    print(
        f"\n{engine.backend}: one text a call {p50:.3f} ms at p50, {p50_rest:.3f} ms of it neither tokenise nor run"
    )


def shares(engine: tinybert.Predictor, texts: Sequence[str]) -> None:
    """Print where the time goes in batches."""
    parts: dict[str, list[float]] = {"tokenise": [], "order": [], "all": []}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        features = engine.encode(engine.task.format.columns_of(texts))
        tokenised = time.perf_counter()
        list(batches_of(np.array([len(ids) for ids in features["input_ids"]]), batch_size=BATCH))
        ordered = time.perf_counter()
        engine(texts)
        parts["tokenise"].append(tokenised - start)
        parts["order"].append(ordered - tokenised)
        parts["all"].append(time.perf_counter() - ordered)
    middle = {name: statistics.median(seconds) for name, seconds in parts.items()}
    share = (middle["tokenise"] + middle["order"]) / middle["all"]
    print(
        f"{engine.backend}: of {1000 * middle['all']:.0f} ms for {len(texts)} rows {1000 * middle['tokenise']:.1f} "
        f"tokenise and {1000 * middle['order']:.1f} order: {share:.1%}"
    )


def entities(run: Path, data: Path) -> None:
    """NER against the pipeline: speed, and the entities of both."""
    rows = [json.loads(line) for line in (data / "conll2003" / "test.jsonl").read_text().splitlines()]
    rows = [rows[index] for index in np.linspace(0, len(rows) - 1, NUM_ROWS).astype(int)]
    texts = [" ".join(row["tokens"]) for row in rows]
    gold = [gold_spans(row) for row in rows]
    names = ["torch", *(export.name for export in exports_of(run))]
    engines = {name: tinybert.Predictor(run, backend=name) for name in names}
    rival = pipeline(
        "token-classification", model=str(run), tokenizer=str(run), device="cpu", aggregation_strategy="first"
    )
    together: Contestants = {f"engine {name}": lambda e=engine: e(texts) for name, engine in engines.items()}
    together["pipeline, batch 32"] = lambda: rival(texts, batch_size=BATCH)
    together["pipeline, batch 1"] = lambda: rival(texts)
    speeds = rows_a_second(together, NUM_ROWS, rounds=3)
    best = max((name for name in speeds if "int8" in name), key=lambda name: speeds[name])
    show(f"{NUM_ROWS} sentences of CoNLL-2003", speeds, best)
    found = {
        name: [{(each.start, each.end, each.label) for each in row.entities} for row in engine(texts)]
        for name, engine in engines.items()
    }
    answers = rival(texts, batch_size=BATCH)
    found["pipeline"] = [
        {(each["start"], each["end"], each["entity_group"]) for each in row} for row in answers
    ]
    for name, spans in found.items():
        print(
            f"  {name:<16} F1 {agreement(spans, gold):.4f}; F1 against the checkpoint's own entities "
            f"{agreement(spans, found['torch']):.4f}"
        )


Spans = list[set[tuple[int, int, str]]]


def gold_spans(row: dict[str, list[str]]) -> set[tuple[int, int, str]]:
    """Return the entities of tokens that are joined by spaces."""
    spans: list[list] = []
    place = 0
    for token, tag in zip(row["tokens"], row["tags"], strict=True):
        if tag.startswith("B-"):
            spans.append([place, place + len(token), tag[2:]])
        elif tag.startswith("I-"):
            spans[-1][1] = place + len(token)
        place += len(token) + 1
    return {(start, end, kind) for start, end, kind in spans}


def agreement(ones: Spans, others: Spans) -> float:
    """Return the F1 of two lists of entities."""
    same = sum(len(one & other) for one, other in zip(ones, others, strict=True))
    return 2 * same / (sum(map(len, ones)) + sum(map(len, others)))


def kept(runs: Sequence[Path], data: Path) -> None:
    """Test scores of all exports over those of their checkpoints."""
    for run in runs:
        reference = tinybert.Predictor(run, backend="torch")
        recipe = Run(run).recipe
        folder = data / Path(str(recipe.data.path)).name
        rows = load(
            folder,
            settings=recipe.data,
            format=reference.task.format,
            need=("test",),
            known_labels=reference.labels,
        ).splits["test"]
        score = score_of(reference, rows)
        print(f"\n{folder.name}: {len(rows):,} test rows, {reference.task.main_metric} {score:.4f}")
        for export in exports_of(run):
            found = score_of(tinybert.Predictor(run, backend=export.name), rows)
            print(
                f"  {export.name:<16} {found:.4f}  {found / score:.2%}  left in fp32: {export.metadata['in_full']}"
            )


def peak(run: Path) -> None:
    """Share of the machine's matrix peak at 32 rows of 128 tokens."""
    threads = torch.get_num_threads()
    tops = {"fp32": matrix_peak(torch.float32), "bf16": matrix_peak(torch.bfloat16), "int8": int8_peak()}
    print(
        f"\n{threads} threads; matrix peak, 10^9 operations a second: { ({k: round(v) for k, v in tops.items()}) }"
    )
    names = ["torch", "torch-bf16", *(export.name for export in exports_of(run))]
    engines = {name: tinybert.Predictor(run, backend=name) for name in names}
    config = engines["torch"].config
    operations = count_operations(config, TOKENS, whole=False) * BATCH
    full = count_operations(config, TOKENS, whole=True) * BATCH
    print(
        f"{operations / 1e9:.1f} of {full / 1e9:.1f} billion operations a batch, without what no answer reads"
    )
    features = random_rows(engines["torch"], BATCH * 2 * threads, TOKENS)
    contest: Contestants = {name: lambda e=engine: e.run(features) for name, engine in engines.items()}
    for name, rows in rows_a_second(contest, BATCH * 2 * threads).items():
        done = (full if name.startswith("torch") else operations) * rows / BATCH / 1e9
        kind = "int8" if "int8" in name else "bf16" if "bf16" in name else "fp32"
        print(
            f"  {name:<16} {rows:8.1f} rows/s  {done:7.1f} G/s  {done / tops[kind]:6.1%} of the {kind} peak"
        )

    for name in names:
        if "onnx" in name:
            operators(name, onnx_seconds(run, name))
        elif "openvino" in name:
            operators(name, openvino_seconds(run, name))


def operators(name: str, seconds: dict[str, float]) -> None:
    """Print which operators the time of a batch goes to."""
    whole = sum(seconds.values())
    parts = sorted(seconds.items(), key=lambda item: -item[1])[:8]
    print(f"  {name} by operator: " + ", ".join(f"{kind} {taken / whole:.0%}" for kind, taken in parts))


def long_batch(run: Path) -> dict[str, np.ndarray]:
    """Return 32 rows of 128 random tokens."""
    engine = tinybert.Predictor(run, backend="torch")
    return dict(padded(random_rows(engine, BATCH, TOKENS), range(BATCH), pad_token_id=0))


def onnx_seconds(run: Path, name: str) -> dict[str, float]:
    """Return seconds by operator, as ONNX Runtime's own profile has them, on one thread."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(tempfile.mkdtemp()) / "profile")
    file = next((run / "exports" / name / "onnx").glob("*.onnx"))
    session, batch = InferenceSession(str(file), options), long_batch(run)
    for _ in range(ROUNDS):
        session.run(None, batch)
    events = json.loads(Path(session.end_profiling()).read_text())
    seconds: dict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            seconds[event["args"]["op_name"]] += event["dur"] / 1e6
    return seconds


def openvino_seconds(run: Path, name: str) -> dict[str, float]:
    """Return seconds by operator, as OpenVINO's own counters have them, on one thread."""
    settings = {"PERF_COUNT": "YES", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
    file = run / "exports" / name / "openvino_model.xml"
    request = openvino.Core().compile_model(str(file), "CPU", settings).create_infer_request()
    batch = long_batch(run)
    seconds: dict[str, float] = defaultdict(float)
    for _ in range(ROUNDS):
        request.infer(batch)
        for node in request.profiling_info:
            seconds[node.node_type] += node.real_time.total_seconds()
    return seconds


def count_operations(config: transformers.PreTrainedConfig, num_tokens: int, *, whole: bool) -> int:
    """Return multiplications and additions of the matrices for one row."""
    width, wide = config.hidden_size, config.intermediate_size
    a_token = 2 * (2 * width * width + 2 * width * wide)  # query, output, feed-forward
    keys = 2 * 2 * width * width
    attention = 2 * 2 * num_tokens * width
    layer = num_tokens * (a_token + keys + attention)
    last = layer if whole else num_tokens * keys + a_token + attention
    return (config.num_hidden_layers - 1) * layer + last


def matrix_peak(dtype: torch.dtype, size: int = 1536) -> float:
    """Return the billions of operations a second of a large matrix product, the best of many."""
    one, other = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return _best(lambda: one @ other, size)


def int8_peak(size: int = 1536) -> float:
    """The same for ONNX Runtime's product of int8 matrices."""
    from onnx import TensorProto, helper

    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    weights = np.random.default_rng(0).integers(-127, 127, (size, size), dtype=np.int8)
    graph = helper.make_graph(
        [node],
        "peak",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [size, size])],
        [helper.make_tensor("b", TensorProto.INT8, [size, size], weights.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = InferenceSession(model.SerializeToString())
    given = {"a": np.random.default_rng(1).integers(0, 255, (size, size), dtype=np.uint8)}
    return _best(lambda: session.run(None, given), size)


def _best(work: Callable[[], object], size: int) -> float:
    seconds: list[float] = []
    for _ in range(30):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def million(run: Path, data: Path, num_rows: int) -> None:
    """Answer a large file and print the memory beyond the model."""
    lines = (data / "sst2_sentences" / "test.jsonl").read_text().splitlines()
    folder = Path(tempfile.mkdtemp())
    source = folder / "rows.jsonl"
    with source.open("w") as file:
        for start in range(0, num_rows, len(lines)):
            file.write("\n".join(lines[: num_rows - start]) + "\n")
        file.write('{"text": "cut short\n')
    engine = tinybert.Predictor(run)
    engine([json.loads(lines[0])["text"]] * 64)
    process = psutil.Process()
    before, most, start = process.memory_info().rss, 0, time.perf_counter()
    call = type(engine).__call__

    class Watched(type(engine)):
        def __call__(self, rows: object) -> object:
            nonlocal most
            found = call(self, rows)
            most = max(most, process.memory_info().rss)
            return found

    engine.__class__ = Watched
    counts = predict_file(engine, source, folder / "answers.jsonl")
    seconds = time.perf_counter() - start
    print(
        f"{counts.num_rows:,} rows, {counts.num_bad} bad, in {seconds:.0f} s ({counts.num_rows / seconds:,.0f} a second), "
        f"{engine.backend}; memory {before / 1e6:.0f} MB with the model, at most {(most - before) / 1e6:.0f} MB beyond it"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["speed", "entities", "kept", "peak", "million"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--runs", type=Path, nargs="*")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if options.part == "kept":
        kept(options.runs, options.data)
    elif options.part == "peak":
        peak(options.run)
    elif options.part == "million":
        million(options.run, options.data, options.rows)
    elif options.part == "entities":
        entities(options.run, options.data)
    else:
        speed(options.run, options.data, options.teacher)


if __name__ == "__main__":
    main()
