"""Odd checkpoints and tokenizers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tests import easy, encdec
from tests.odd.odd_input import Odd, Refused, Scene, changed, command, predicted, setting
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

BOTH = ["positive", "negative"]
WEIGHTS = "model.safetensors"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0f\nsize 437951328\n"
NOT_THOSE = Refused("its weights are not those its config.json asks for")


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    """Change the weights of a checkpoint."""

    def write(folder: Path) -> None:
        new = change(load_file(folder / WEIGHTS))
        save_file({name: tensor.contiguous() for name, tensor in new.items()}, folder / WEIGHTS)

    return write


def renamed(old: str, new: str) -> Callable[[Path], None]:
    return weights(lambda all_: {name.replace(old, new, 1): tensor for name, tensor in all_.items()})


def prefixed(prefix: str) -> Callable[[Path], None]:
    return weights(lambda all_: {prefix + name: tensor for name, tensor in all_.items()})


def text(file: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text(content) and None


def marked(file: str, encoding: str = "utf-8-sig") -> Callable[[Path], None]:
    """Write a file once more behind a byte-order mark; one that is not there holds two pieces."""

    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(path.read_text() if path.exists() else "[PAD]\n[UNK]\n", encoding)

    return change


def cut(file: str, num_bytes: int) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:num_bytes]) and None


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def in_shards(*, missing: bool) -> Callable[[Path], None]:
    def split(folder: Path) -> None:
        model = BertForSequenceClassification.from_pretrained(folder)
        (folder / WEIGHTS).unlink()
        model.save_pretrained(folder, max_shard_size="40KB")
        if missing:
            sorted(folder.glob("model-*.safetensors"))[-1].unlink()

    return split


def sentence_transformer(folder: Path) -> None:
    part = folder / "0_Transformer"
    part.mkdir()
    for file in [each for each in folder.iterdir() if each.is_file()]:
        file.rename(part / file.name)
    (folder / "modules.json").write_text(json.dumps([{"path": "0_Transformer", "type": "x.Transformer"}]))


def more_tokens(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<user>", "<url>"])
    tokenizer.save_pretrained(folder)


def twelve_labels(scene: Scene) -> Path:
    """The eleventh of twelve labels is always predicted; config.json has them as text is sorted."""
    model = BertForSequenceClassification(
        easy.make_config(num_labels=12, id2label={number: f"c{number}" for number in range(12)})
    )
    model.classifier.bias.data[10] = 50
    folder = scene.folder / "model"
    model.save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    setting("config.json", id2label={str(number): f"c{number}" for number in sorted(map(str, range(12)))})(
        folder
    )
    return folder


def roberta(**changes: object) -> Callable[[Scene], Path]:
    def make(scene: Scene) -> Path:
        torch.manual_seed(0)
        size = {**easy.SIZE, "num_hidden_layers": 1, "vocab_size": len(easy.WORDS) + 5, "num_labels": 2}
        model = RobertaForSequenceClassification(RobertaConfig(**{**size, "pad_token_id": 0, **changes}))
        model.classifier.out_proj.bias.data[1] = 9
        model.save_pretrained(scene.folder / "model")
        easy.make_tokenizer().save_pretrained(scene.folder / "model")
        return scene.folder / "model"

    return make


def deberta(scene: Scene) -> Path:
    torch.manual_seed(0)
    size = {**easy.SIZE, "num_hidden_layers": 1, "vocab_size": len(easy.WORDS) + 5, "num_labels": 2}
    model = DebertaV2ForSequenceClassification(DebertaV2Config(**size, type_vocab_size=0))
    model.classifier.bias.data[1] = 9
    model.save_pretrained(scene.folder / "model")
    easy.make_tokenizer().save_pretrained(scene.folder / "model")
    return scene.folder / "model"


def rows_for(
    teacher: Callable[[Scene], Path], labels: tuple[str, str] = ("negative", "positive")
) -> Callable[[Scene], Path]:
    """Rows of two labels, beside the teacher that is to teach them."""

    def make(scene: Scene) -> Path:
        teacher(scene)
        for split in ("train", "validation"):
            rows = [{**row, "label": labels[row["label"] == "positive"]} for row in easy.make_rows(6)]
            easy.write_rows(scene.folder / f"{split}.jsonl", rows)
        return scene.folder

    return make


def doctored(scene: Scene, data: object) -> None:
    command("doctor", "--teacher", scene.folder / "model", *easy.TINY_STUDENT)(scene, data)


def swapped(scene: Scene) -> Path:
    return easy.permuted_copy(scene.classifier, scene.folder / "model")


TABLE = [
    Odd(
        "old names of LayerNorm",
        changed(renamed("LayerNorm.weight", "LayerNorm.gamma"), renamed("LayerNorm.bias", "LayerNorm.beta")),
        predicted(),
        BOTH,
        "huggingface/transformers#11809",
    ),
    Odd(
        "weights of DataParallel",
        changed(prefixed("module.")),
        predicted(),
        NOT_THOSE,
        "pytorch/pytorch#9176",
    ),
    Odd(
        "weights of a compiled model",
        changed(prefixed("_orig_mod.")),
        predicted(),
        NOT_THOSE,
        "FareedKhan-dev/train-llm-from-scratch#37",
    ),
    Odd(
        "weights of a bare encoder's names",
        changed(renamed("bert.", "")),
        predicted(),
        BOTH,
        "huggingface/transformers#217",
    ),
    Odd(
        "a pointer of Git LFS for weights",
        changed(text(WEIGHTS, POINTER)),
        predicted(),
        Refused("model.safetensors is a pointer of Git LFS, not the file itself; run `git lfs pull`"),
        "huggingface/transformers#27923",
    ),
    Odd(
        "a pointer of Git LFS for a config",
        changed(text("config.json", POINTER)),
        predicted(),
        Refused("config.json is a pointer of Git LFS"),
        "docs",
    ),
    Odd(
        "a pointer of Git LFS for a tokenizer",
        changed(text("tokenizer.json", POINTER)),
        predicted(),
        Refused("tokenizer.json is a pointer of Git LFS"),
        "docs",
    ),
    Odd(
        "names of labels as a list",
        changed(setting("config.json", id2label=["negative", "positive"])),
        predicted(),
        Refused('id2label is no mapping; write {"0": "first label"'),
        "docs",
    ),
    Odd(
        "one name for two labels",
        changed(setting("config.json", id2label={"0": "negative", "1": "negative"})),
        predicted(),
        Refused("id2label names 'negative' twice; give each output its own name"),
        "docs",
    ),
    Odd(
        "labels numbered from 1",
        changed(setting("config.json", id2label={"1": "negative", "2": "positive"})),
        predicted(),
        Refused("id2label has the keys 1, 2; number the outputs from 0 on"),
        "docs",
    ),
    Odd(
        "label2id contradicts id2label",
        changed(setting("config.json", label2id={"negative": 1, "positive": 0})),
        predicted(),
        Refused("label2id says that 'negative' is output 1, id2label says 'positive'"),
        "docs",
    ),
    Odd(
        "label2id of names that are replaced",
        changed(setting("config.json", label2id={"LABEL_0": 0, "LABEL_1": 1})),
        predicted(),
        BOTH,
        "docs",
    ),
    Odd(
        "a RoBERTa without token types",
        roberta(type_vocab_size=0),
        predicted(),
        Refused("token_type_embeddings has no rows; correct type_vocab_size"),
        "docs",
    ),
    Odd(
        "weights cut short", changed(cut(WEIGHTS, 5000)), predicted(), Refused("cut short or damaged"), "docs"
    ),
    Odd("empty weights", changed(cut(WEIGHTS, 0)), predicted(), Refused("cut short or damaged"), "docs"),
    Odd(
        "a weight that is not a number",
        changed(weights(lambda all_: {**all_, "classifier.bias": torch.full((2,), torch.nan)})),
        predicted(),
        Refused("NaN or infinite"),
        "docs",
    ),
    Odd(
        "weights of half precision",
        changed(weights(lambda all_: {name: tensor.half() for name, tensor in all_.items()})),
        predicted(),
        BOTH,
        "docs",
    ),
    Odd("weights in shards", changed(in_shards(missing=False)), predicted(), BOTH, "docs"),
    Odd(
        "a shard that is missing",
        changed(in_shards(missing=True)),
        predicted(),
        Refused("model-00005-of-00005.safetensors"),
        "docs",
    ),
    Odd(
        "pickled weights",
        changed(pickled),
        predicted(),
        Refused("its weights are pickled; if you trust them, convert them"),
        "docs",
    ),
    Odd(
        "the paper's release",
        changed(pickled, setting("config.json", model_type=None, architectures=None)),
        predicted(),
        Refused("as in the release of the TinyBERT paper"),
        "docs",
    ),
    Odd("no weights", changed(without(WEIGHTS)), predicted(), Refused("no weights here"), "docs"),
    Odd(
        "no config",
        changed(without("config.json")),
        predicted(),
        Refused("no config.json here: not a checkpoint"),
        "docs",
    ),
    Odd(
        "no tokenizer",
        changed(without("tokenizer.json", "tokenizer_config.json")),
        predicted(),
        Refused("no tokenizer here"),
        "docs",
    ),
    Odd(
        "a config without its model_type",
        changed(setting("config.json", model_type=None)),
        predicted(),
        Refused("`model_type` key in its config.json; it says the family, such as bert: copy the file again"),
        "docs",
    ),
    Odd(
        "more names of labels than outputs",
        changed(setting("config.json", id2label={"0": "a", "1": "b", "2": "c"})),
        predicted(),
        NOT_THOSE,
        "huggingface/transformers#10449",
    ),
    Odd(
        "no names of labels",
        changed(setting("config.json", id2label=None, label2id=None)),
        predicted(),
        ["LABEL_1", "LABEL_0"],
        "huggingface/transformers#2487",
    ),
    Odd("twelve labels sorted as text", twelve_labels, predicted("bab"), ["c10"], "MIC-DKFZ/nnUNet#607"),
    Odd("a folder of old sentence-transformers", changed(sentence_transformer), predicted(), BOTH, "docs"),
    Odd(
        "tokens without a row of the table",
        changed(more_tokens),
        predicted(),
        Refused("they do not belong together; call resize_token_embeddings"),
        "docs",
    ),
    Odd(
        "a tokenizer without a longest text",
        changed(setting("tokenizer_config.json", model_max_length=int(1e30))),
        predicted("bad " * 300),
        ["negative"],
        "docs",
        said="truncated to 64 tokens",
    ),
    Odd(
        "a tokenizer without a padding token",
        changed(setting("tokenizer_config.json", pad_token=None)),
        predicted("good bab bel", "bad"),
        BOTH,
        "docs",
    ),
    Odd(
        "a RoBERTa with a BERT tokenizer",
        roberta(type_vocab_size=1),
        predicted("bab", "bel"),
        ["LABEL_1"] * 2,
        "docs",
    ),
    Odd(
        "positions behind a padding number of 3",
        roberta(type_vocab_size=1, pad_token_id=3),
        predicted("bab " * 200),
        ["LABEL_1"],
        "rinnakk/japanese-pretrained-models#3",
        said="truncated to 60 tokens",
    ),
    Odd("a model that knows no types", deberta, predicted("bab"), ["LABEL_1"], "docs"),
    Odd(
        "a teacher with the labels in another order",
        rows_for(swapped),
        doctored,
        None,
        "huawei-noah/Pretrained-Language-Model#229",
        said="the same labels in another order",
    ),
    Odd(
        "a teacher of other labels", rows_for(swapped, ("bad", "good")), doctored, Refused("✗ labels"), "docs"
    ),
    Odd(
        "a teacher whose labels have no names",
        rows_for(changed(setting("config.json", id2label=None, label2id=None))),
        doctored,
        Refused("✗ labels"),
        "docs",
    ),
    *(
        Odd(
            f"a byte-order mark in {file}",
            changed(marked(file)),
            predicted(),
            Refused(
                f"{file}: a byte-order mark at the beginning, as editors of Windows write it; save as UTF-8"
            ),
            "docs",
        )
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json")
    ),
    Odd(
        "a byte-order mark in the vocabulary",
        changed(without("tokenizer.json"), marked("vocab.txt")),
        predicted(),
        Refused("vocab.txt: a byte-order mark at the beginning"),
        "docs",
    ),
    Odd(
        "a byte-order mark in a vocabulary beside tokenizer.json",
        changed(marked("vocab.txt")),
        predicted(),
        BOTH,
        "docs",
    ),
    Odd(
        "a config in UTF-16",
        changed(marked("config.json", "utf-16")),
        predicted(),
        Refused("config.json: a byte-order mark at the beginning"),
        "docs",
    ),
    Odd(
        "a byte-order mark in a file that nobody reads",
        changed(text("NOTICE.txt", "\ufeffa notice")),
        predicted(),
        BOTH,
        "docs",
    ),
    Odd(
        "a regression with two outputs",
        changed(setting("config.json", problem_type="regression")),
        predicted(),
        Refused(
            "regression with 2 outputs (negative, positive), where a number has one; if they are classes"
        ),
        "docs",
    ),
    Odd(
        "several labels, of which there is one",
        changed(
            setting(
                "config.json",
                problem_type="multi_label_classification",
                id2label={"0": "positive"},
                label2id={"positive": 0},
            ),
            weights(
                lambda all_: {
                    name: tensor[1:] if name.startswith("classifier") else tensor
                    for name, tensor in all_.items()
                }
            ),
        ),
        predicted(),
        [["positive"], []],
        "docs",
    ),
    Odd(
        "an encoder–decoder for a runtime that writes no texts",
        lambda scene: encdec.save(scene.folder / "pair"),
        command("export", "--format", "openvino"),
        Refused("format 'openvino': not for models that write texts; take --format onnx"),
        "docs",
    ),
]
