"""How fast texts are written: this engine against transformers and CTranslate2, in turns, in one run.

    python benchmarks/writing.py                      # a random encoder–decoder, 4-1l-256d with 8,000 pieces
    python benchmarks/writing.py RUN --threads 2      # the shape of a run of yours
    python benchmarks/writing.py --rows 8 --rounds 1  # do all parts work?

Sources are random tokens, 8 to 30 a text, as long as the sentences of Multi30k. All write greedily and just
20 tokens a text, whatever the weights: none may end before. Ours begins with tokens and ends with text,
transformers and CTranslate2 end with tokens. CTranslate2 is measured where it is installed, on a random
Marian of the same size; it has threads in one of two ways, both are printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    MarianConfig,
    MarianMTModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from tinybert import Predictor
from tinybert.inference.backends import Seq2SeqEngine, Tokens
from tinybert.inference.bench import model_bytes
from tinybert.inference.choice import CPU_FILE, processor_name
from tinybert.inference.export import write_unproved
from tinybert.metrics.timing import take_turns
from tinybert.models import load_seq2seq
from tinybert.models.seq2seq import join_decoder, special_tokens, whole_state

PIECES, WIDTH, LAYERS, HEADS = 8000, 256, (4, 1), 4
LENGTHS = (8, 30)
WRITTEN = 20
BATCHES = (32, 64)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLASSES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instructions that decide how fast whole numbers are multiplied."""

Rows = list[list[int]]
Contestants = dict[str, Callable[[], object]]


def make_model(folder: Path) -> None:
    """Save a random model and a tokenizer of words that are numbers."""
    vocabulary = {piece: place for place, piece in enumerate([*SPECIAL, *map(str, range(PIECES - 5))])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name}_token": piece for name, piece in names.items()},
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=PIECES,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS[0],
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=128,
    )
    tokens = special_tokens(tokenizer)
    model = join_decoder(BertModel(config), tokens, num_layers=LAYERS[1], start="random", seed=0)
    model.save_pretrained(folder, state_dict=whole_state(model))
    tokenizer.save_pretrained(folder)


def make_rows(count: int, vocab_size: int) -> Rows:
    """Return the tokens of some texts."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(LENGTHS[0], LENGTHS[1] + 1, count)
    return [rng.integers(len(SPECIAL), vocab_size, length).tolist() for length in lengths]


class Uncached:
    """A decoder that reads all tokens at every step, as one without a cache does."""

    def __init__(self, model: PreTrainedModel, batch: Tokens) -> None:
        self.model = model
        self.mask = torch.from_numpy(batch["attention_mask"])
        with torch.inference_mode():
            self.states = model.get_encoder()(torch.from_numpy(batch["input_ids"]), self.mask)[0]
        self.read = torch.zeros(len(self.mask), 0, dtype=torch.int64)

    @torch.inference_mode()
    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Read one more token a row, and return the logits of the next one."""
        self.read = torch.cat([self.read, torch.from_numpy(tokens)[:, None]], dim=1)
        output = self.model(
            encoder_outputs=(self.states,),
            attention_mask=self.mask,
            decoder_input_ids=self.read,
            use_cache=False,
        )
        return output.logits[:, -1].numpy()

    def select(self, rows: np.ndarray) -> None:
        """Continue with these rows."""
        self.read, self.states, self.mask = self.read[rows], self.states[rows], self.mask[rows]


def ours(folder: Path, backend: str, *, engine: Seq2SeqEngine | None = None) -> Predictor:
    """Return a predictor that writes texts of one length greedily."""
    predictor = Predictor(folder, backend=backend, check=False)
    assert predictor.writing is not None
    settings = replace(
        predictor.writing.settings,
        num_beams=1,
        no_repeat_ngram_size=0,
        eos_token_ids=(),
        max_new_tokens=WRITTEN,
    )
    predictor.writing = replace(predictor.writing, settings=settings)
    if engine is not None:
        vars(predictor).update(alone=engine, together=None)
    return predictor


def write(predictor: Predictor, rows: Rows, *, batch_size: int) -> None:
    """Write a text of each row."""
    predictor.batch_size = batch_size
    texts = predictor.write({"input_ids": rows})
    assert {text.num_tokens for text in texts} == {WRITTEN}


def generate_alone(model: PreTrainedModel, rows: Rows) -> None:
    """Write a text of each row by ``generate`` of transformers, one at a time."""
    for row in rows:
        ids = torch.tensor([row])
        written: Any = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=WRITTEN,
            min_new_tokens=WRITTEN,
            num_beams=1,
            do_sample=False,
        )
        assert written.shape[1] == WRITTEN + 1


def save_marian(folder: Path, config: Any) -> list[str]:
    """Save a random Marian as large as a model; return its pieces."""
    encoder, decoder = config.encoder, config.decoder
    size = decoder.vocab_size
    marian = MarianConfig(
        vocab_size=size,
        d_model=encoder.hidden_size,
        encoder_layers=encoder.num_hidden_layers,
        decoder_layers=decoder.num_hidden_layers,
        encoder_attention_heads=encoder.num_attention_heads,
        decoder_attention_heads=decoder.num_attention_heads,
        encoder_ffn_dim=encoder.intermediate_size,
        decoder_ffn_dim=decoder.intermediate_size,
        activation_function="gelu",
        max_position_embeddings=128,
        pad_token_id=size - 1,
        decoder_start_token_id=size - 1,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(0)
    MarianMTModel(marian).save_pretrained(folder)
    return ["</s>", "<unk>", *(f"w{place}" for place in range(size - 3)), "<pad>"]


def ctranslate2_translators(folder: Path, config: Any, *, threads: int) -> dict[str, Any]:
    """Convert a random Marian to int8; return who translates with it."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    pieces = save_marian(folder / "marian", config)
    words = Tokenizer(models.WordLevel({piece: place for place, piece in enumerate(pieces)}, "<unk>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )

    class Converter(TransformersConverter):
        def load_tokenizer(self, tokenizer_class: object, name: str, **settings: object) -> object:
            return tokenizer

    Converter(str(folder / "marian")).convert(str(folder / "ctranslate2"), quantization="int8")
    ways = dict.fromkeys([(threads, 1), (1, threads)])
    return {
        f"CTranslate2 int8, {inter} × {intra} threads": ctranslate2.Translator(
            str(folder / "ctranslate2"), compute_type="int8", inter_threads=inter, intra_threads=intra
        )
        for inter, intra in ways
    }


def translate(translator: Any, texts: Sequence[list[str]], *, batch_size: int) -> None:
    """Write a text of each row by CTranslate2."""
    found = translator.translate_batch(
        texts,
        max_batch_size=batch_size,
        beam_size=1,
        min_decoding_length=WRITTEN,
        max_decoding_length=WRITTEN,
    )
    assert {len(each.hypotheses[0]) for each in found} == {WRITTEN}


def contestants(folder: Path, num_rows: int, *, threads: int) -> Contestants:
    """Return all that take turns."""
    model = load_seq2seq(folder)
    rows = make_rows(num_rows, model.config.encoder.vocab_size)
    found: Contestants = {"transformers generate, one at a time": partial(generate_alone, model, rows)}
    engines = {name: ours(folder, name) for name in ("torch", "onnx-fp32", "onnx-int8")}
    engines["torch without a cache"] = ours(folder, "torch", engine=partial(Uncached, model))
    for name, engine in engines.items():
        print(f"{name}: {model_bytes(engine) / 1e6:.1f} MB")
        for size in BATCHES:
            found[f"ours, {name}, batch {size}"] = partial(write, engine, rows, batch_size=size)
    if importlib.util.find_spec("ctranslate2"):
        translators = ctranslate2_translators(folder, model.config, threads=threads)
        size = (folder / "ctranslate2" / "model.bin").stat().st_size
        print(f"CTranslate2 int8: {size / 1e6:.1f} MB")
        texts = [[f"w{token % 1000}" for token in row] for row in rows]
        for name, translator in translators.items():
            for size in BATCHES:
                found[f"{name}, batch {size}"] = partial(translate, translator, texts, batch_size=size)
    return found


def show(taken: dict[str, list[float]], num_rows: int) -> None:
    """Print medians, and how many times as fast as transformers each is."""
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    slowest = next(iter(medians.values()))
    for name, seconds in sorted(medians.items(), key=lambda item: -item[1]):
        speed = num_rows / seconds
        times = f"{slowest / seconds:6.2f}x"
        print(f"  {name:<48} {speed:8.1f} sentences/s {WRITTEN * speed:9.0f} tokens/s {times}")


def instructions() -> str:
    """Return which of ``CLASSES`` the processor has."""
    lines = CPU_FILE.read_text().splitlines() if CPU_FILE.is_file() else []
    flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return ", ".join(name for name in CLASSES if name in flags) or "unknown instructions"


def main() -> None:
    """Measure all in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?", help="a run of a task that writes; else a random model")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    disable_progress_bar()
    torch.set_num_threads(options.threads)
    print(f"{processor_name()} ({instructions()}), {options.threads} threads, {options.rows} sources")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        if options.run is None:
            make_model(folder)
        else:
            shutil.copytree(options.run, folder, ignore=shutil.ignore_patterns("exports"))
        task = Predictor(folder, backend="torch").task
        for precision in ("fp32", "int8"):
            write_unproved(folder, "onnx", precision, task=task)
        taken = take_turns(contestants(folder, options.rows, threads=options.threads), rounds=options.rounds)
    show(taken, options.rows)


if __name__ == "__main__":
    main()
