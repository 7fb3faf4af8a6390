"""Trimming: on the text a vocabulary was trimmed to, nothing changes."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
import transformers
from tests.unit.models.tiny import CONFIGS as FAMILY_CONFIGS
from tests.unit.models.tiny import SIZE
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    ElectraConfig,
    ErnieConfig,
    GPT2Config,
    GPT2Model,
    MPNetConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from tinybert.corpus.wordpiece import make_tokenizer
from tinybert.errors import ModelError
from tinybert.models.trim import (
    PieceCounts,
    choose_pieces,
    count_pieces,
    load_for_trimming,
    trim_model,
    trim_tokenizer,
    write_trimmed,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
UNUSED = [f"[unused{i}]" for i in range(6)]
# the special tokens stand where BERT has them: not at the beginning
PIECES = [
    *("[PAD]", *UNUSED, "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(*LETTERS, *(f"##{letter}" for letter in LETTERS), "!", "?"),
    *("red", "redder", "##der", "fox", "foxes", "##es", "##xes", "lazy", "dog", "dogs", "##gs"),
    "jump",
]
TEXTS = ["Red foxes jump!", "a lazy fox", "the redder dog", "red red fox"]
SHAPE = {**SIZE, "vocab_size": len(PIECES) + 5}  # some rows more than pieces, as checkpoints have
CONFIGS = {
    "bert": BertConfig(**SHAPE),
    "ernie": ErnieConfig(**SHAPE),
    "electra": ElectraConfig(**SHAPE, embedding_size=16),
    "mpnet": MPNetConfig(**SHAPE),
    "distilbert": DistilBertConfig(
        vocab_size=SHAPE["vocab_size"], dim=32, n_layers=3, n_heads=4, hidden_dim=48
    ),
}
HEADS = (
    *("Model", "ModelForSequenceClassification", "ModelForTokenClassification"),
    *("ModelForQuestionAnswering", "ModelForMaskedLM", "ModelForPreTraining"),
)


def save(
    folder: Path,
    head: str = "ModelForSequenceClassification",
    *,
    family: str = "bert",
    tokenizer: PreTrainedTokenizerBase | None = None,
    **changes: object,
) -> Path:
    """Save a checkpoint with weights large enough to matter."""
    config = copy.deepcopy(CONFIGS[family])
    config.update(changes)
    torch.manual_seed(0)
    model = getattr(transformers, f"Auto{head}").from_config(config)
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    (tokenizer or make_tokenizer(PIECES, lowercase=True)).save_pretrained(folder)
    return folder


def trim(source: Path, target: Path, texts: list[str], **limits: int | None) -> list[int]:
    model, tokenizer = load_for_trimming(source)
    kept = choose_pieces(tokenizer, model.config, count_pieces(tokenizer, texts), **limits)
    write_trimmed(target, trim_model(model, kept), trim_tokenizer(tokenizer, kept))
    return kept


def pieces_of(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))


def answers(folder: Path, texts: list[str]) -> tuple[list[list[str]], list[torch.Tensor]]:
    """Return the pieces of each text and all that the model answers, with no code of ours."""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model: PreTrainedModel = getattr(transformers, name).from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    if model.config.model_type in ("distilbert", "mpnet"):
        del batch["token_type_ids"]
    with torch.no_grad():
        output = model.eval()(**batch)
    return [tokenizer.convert_ids_to_tokens(ids) for ids in batch["input_ids"]], list(output.values())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", CONFIGS)
def test_on_its_text_the_trimmed_model_answers_as_before(
    tmp_path: Path, family: str, head: str, tied: bool
) -> None:
    source = save(tmp_path / "whole", head, family=family, tie_word_embeddings=tied)
    kept = trim(source, tmp_path / "small", TEXTS)
    pieces, before = answers(source, TEXTS)
    small_pieces, after = answers(tmp_path / "small", TEXTS)
    assert small_pieces == pieces
    assert len(kept) < len(PIECES)
    for one, other in zip(before, after, strict=True):
        expected = one[..., kept] if one.shape[-1] == SHAPE["vocab_size"] else one
        torch.testing.assert_close(other, expected, rtol=0, atol=1e-6)
    model, tokenizer = load_for_trimming(tmp_path / "small")
    assert model.config.vocab_size == len(tokenizer) == len(kept)
    for tensor in model.state_dict().values():
        assert SHAPE["vocab_size"] not in tensor.shape


def test_what_is_kept_and_in_which_order(tmp_path: Path) -> None:
    model, tokenizer = load_for_trimming(save(tmp_path))
    counts = count_pieces(tokenizer, ["Red foxes?"])
    kept = [PIECES[i] for i in choose_pieces(tokenizer, model.config, counts)]
    letters = [piece for piece in PIECES if len(piece.removeprefix("##")) == 1 and piece[-1] in "redfoxs?"]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert kept == [*specials, *letters, "red", "foxes"]
    assert kept == sorted(kept, key=PIECES.index)


def test_min_count_drops_rare_pieces(tmp_path: Path) -> None:
    model, tokenizer = load_for_trimming(save(tmp_path))
    counts = count_pieces(tokenizer, TEXTS)

    def words(**limits: int | None) -> set[str]:
        kept = choose_pieces(tokenizer, model.config, counts, **limits)
        return {PIECES[i] for i in kept if len(PIECES[i].removeprefix("##")) > 1} - {
            *tokenizer.all_special_tokens
        }

    assert words() == {"red", "foxes", "jump", "lazy", "fox", "redder", "dog"}
    assert words(min_count=2) == {"red", "fox"}  # three times, twice
    assert words(min_count=3) == {"red"}
    fewest = len(choose_pieces(tokenizer, model.config, counts, min_count=99))
    assert words(vocab_size=fewest + 2) == {"red", "fox"}
    assert words(vocab_size=fewest) == set()
    assert words(vocab_size=10_000) == words()
    with pytest.raises(ModelError, match=rf"are {fewest} pieces; set vocab_size to {fewest} or more"):
        words(vocab_size=fewest - 1)


def test_under_a_cap_every_text_can_still_be_read(tmp_path: Path) -> None:
    source = save(tmp_path / "whole")
    model, tokenizer = load_for_trimming(source)
    counts = count_pieces(tokenizer, TEXTS)
    fewest = len(choose_pieces(tokenizer, model.config, counts, min_count=99))
    kept = trim(source, tmp_path / "small", TEXTS, vocab_size=fewest + 1)
    assert len(kept) == fewest + 1
    pieces, _ = answers(tmp_path / "small", TEXTS)
    assert not any("[UNK]" in each for each in pieces)
    assert pieces[0][:8] == ["[CLS]", "red", "f", "##o", "##x", "##e", "##s", "j"]


def test_counts_of_two_texts_add_up() -> None:
    both = PieceCounts(Counter({3: 1}), {"a"}) + PieceCounts(Counter({3: 2, 5: 1}), {"b"})
    assert dict(both.pieces) == {3: 3, 5: 1}
    assert both.characters == {"a", "b"}


def test_special_tokens_keep_their_roles(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(PIECES, lowercase=True)
    tokenizer.add_tokens(["<product>"])
    source = save(
        tmp_path / "whole",
        tokenizer=tokenizer,
        pad_token_id=PIECES.index("[MASK]"),
        sep_token_id=PIECES.index("[SEP]"),
        bos_token_id=SHAPE["vocab_size"] - 1,
    )
    trim(source, tmp_path / "small", TEXTS)
    model, small = load_for_trimming(tmp_path / "small")
    assert pieces_of(small)[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert pieces_of(small)[-1] == "<product>"
    assert [small.pad_token_id, small.unk_token_id, small.cls_token_id, small.sep_token_id] == [0, 1, 2, 3]
    assert model.config.pad_token_id == small.mask_token_id == 4  # the config's own word, odd as it is
    assert model.config.sep_token_id == 3
    assert model.config.bos_token_id is None  # a row without a piece
    assert small.tokenize("red <product>") == ["red", "<product>"]
    settings = json.loads((tmp_path / "small" / "tokenizer.json").read_text())
    assert {token["content"]: token["id"] for token in settings["added_tokens"]} == {
        piece: small.get_vocab()[piece] for piece in (*small.all_special_tokens, "<product>")
    }


@pytest.mark.parametrize("kind", ["bert", "template", "sequence"])
def test_every_kind_of_post_processor_is_renumbered(tmp_path: Path, kind: str) -> None:
    sep, cls = ("[SEP]", PIECES.index("[SEP]")), ("[CLS]", PIECES.index("[CLS]"))
    template = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[sep, cls]
    )
    backend = Tokenizer.from_str(make_tokenizer(PIECES, lowercase=True).backend_tokenizer.to_str())
    backend.post_processor = {
        "bert": processors.BertProcessing(sep, cls),
        "template": template,
        "sequence": processors.Sequence([template, processors.ByteLevel(trim_offsets=False)]),
    }[kind]
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, **names)
    source = save(tmp_path / "whole", tokenizer=fast)
    trim(source, tmp_path / "small", TEXTS)
    assert answers(tmp_path / "small", TEXTS)[0] == answers(source, TEXTS)[0]
    backend = Tokenizer.from_file(str(tmp_path / "small" / "tokenizer.json"))
    assert backend.encode("red", "fox").tokens == ["[CLS]", "red", "[SEP]", "fox", "[SEP]"]
    assert backend.encode("red").ids[0] == backend.token_to_id("[CLS]") == 2


def test_the_precision_stays(tmp_path: Path) -> None:
    source = save(tmp_path / "whole")
    BertForSequenceClassification.from_pretrained(source, dtype=torch.bfloat16).save_pretrained(source)
    trim(source, tmp_path / "small", TEXTS)
    model, _ = load_for_trimming(tmp_path / "small")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_trimming_draws_nothing_and_leaves_the_model_alone(tmp_path: Path) -> None:
    model, tokenizer = load_for_trimming(save(tmp_path))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    kept = choose_pieces(tokenizer, model.config, count_pieces(tokenizer, TEXTS))
    trim_model(model, kept)
    trim_tokenizer(tokenizer, kept)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.config.vocab_size == SHAPE["vocab_size"]
    assert pieces_of(tokenizer) == PIECES


SCORED = [("▁", -2.0), *((letter, -4.0) for letter in "redfoxszlhagjump!?é"), ("dogs", -9.0), ("▁fo", -5.0)]
SCORED += [(f"▁{word}", -6.0) for word in ("red", "fox", "foxes", "lazy", "dog", "unused", "the", "a")]
MERGES = [
    ("r", "e"),
    ("Ġ", "f"),
    ("o", "x"),
    ("re", "d"),
    ("Ġf", "ox"),
    ("Ġ", "red"),
    ("Ġred", "d"),
    ("e", "s"),
]
MERGES += [("d", "o"), ("Ġfox", "es"), ("Ã", "©"), ("l", "a")]
UNUSED_WORDS = {"▁lazy", "▁unused", "▁the", "▁fo"}
SENTENCES = ["red foxes", "red red fox", "a foxé dog!"]


def sentencepiece(name: str) -> PreTrainedTokenizerBase:
    """Return a tokenizer of XLM-R or CamemBERT, as their classes build it, with a token of its own."""
    if name == "camembert":
        first = [("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0)]
        first += [("<unk>NOTUSED", -100.0), ("<s>", 0.0), ("</s>", 0.0)]
        kind = transformers.CamembertTokenizer
    else:
        first = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        kind = transformers.XLMRobertaTokenizer
    tokenizer = kind(vocab=[*first, *SCORED, ("<mask>", 0.0)])
    tokenizer.add_tokens(["<product>"])
    return tokenizer


def byte_level() -> PreTrainedTokenizerBase:
    first = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    pieces = [*first, *("".join(pair) for pair in MERGES), "<mask>"]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    return transformers.RobertaTokenizer(vocab=vocabulary, merges=MERGES)


TOKENIZERS = {
    "xlm-roberta": lambda: sentencepiece("xlm-roberta"),
    "camembert": lambda: sentencepiece("camembert"),
    "bert": lambda: sentencepiece("xlm-roberta"),  # as multilingual E5 has it
    "roberta": byte_level,
}


@pytest.mark.parametrize("family", TOKENIZERS)
@pytest.mark.parametrize("head", ["ModelForSequenceClassification", "ModelForMaskedLM"])
def test_other_kinds_of_vocabulary(tmp_path: Path, family: str, head: str) -> None:
    tokenizer = TOKENIZERS[family]()
    config = copy.deepcopy(FAMILY_CONFIGS[family])
    config.update({"vocab_size": len(tokenizer) + 35, "pad_token_id": tokenizer.pad_token_id})
    torch.manual_seed(0)
    model = getattr(transformers, f"Auto{head}").from_config(config)
    for parameter in model.parameters():
        parameter.data += 0.15 * torch.randn_like(parameter)
    source = tmp_path / "whole"
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    kept = trim(source, tmp_path / "small", SENTENCES)
    pieces, before = answers(source, SENTENCES)
    small_pieces, after = answers(tmp_path / "small", SENTENCES)
    assert small_pieces == pieces
    assert len(kept) < len(tokenizer)
    for one, other in zip(before, after, strict=True):
        expected = one[..., kept] if one.shape[-1] == config.vocab_size else one
        torch.testing.assert_close(other, expected, rtol=0, atol=1e-6)
    small_model, small = load_for_trimming(tmp_path / "small")
    assert small_model.config.vocab_size == len(small) == len(kept)
    assert small.convert_ids_to_tokens(list(range(len(small)))) == [
        tokenizer.convert_ids_to_tokens(index) for index in kept
    ]
    for name in ("pad", "unk", "cls", "sep", "mask"):
        assert getattr(small, f"{name}_token") == getattr(tokenizer, f"{name}_token")
    assert small("red", "fox").tokens() == tokenizer("red", "fox").tokens()
    gone = set(tokenizer.get_vocab()) - set(small.get_vocab())
    scored = {*"zlhjump?", *UNUSED_WORDS} | ({"dogs"} if family == "camembert" else set())  # else the lowest
    assert gone == ({"Ġredd", "la"} if family == "roberta" else scored)
    unread = "the unused jump"
    assert (small.unk_token_id in small(unread)["input_ids"]) == (family != "roberta")
    if family == "roberta":
        assert small.decode(small(unread)["input_ids"], skip_special_tokens=True) == unread


def test_rows_before_the_padding_stay_where_positions_begin_behind_it(tmp_path: Path) -> None:
    """RoBERTa numbers positions from the padding's id on: another id of it would read other positions."""
    backend = byte_level().backend_tokenizer
    tree = json.loads(backend.to_str())
    order = ["z", "y", *(piece for piece in tree["model"]["vocab"] if piece not in "yz")]
    tree["model"]["vocab"] = {piece: at for at, piece in enumerate(order)}
    tree["post_processor"], tree["added_tokens"] = None, []
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(tree)), pad_token="<pad>", unk_token="<unk>"
    )
    config = copy.deepcopy(FAMILY_CONFIGS["roberta"])
    config.update({"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id})
    kept = choose_pieces(tokenizer, config, PieceCounts())
    assert tokenizer.pad_token_id == 3
    assert kept[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["WordLevel", "BPE"])
def test_other_tokenizers_are_refused(tmp_path: Path, kind: str) -> None:
    backend, problem = {
        "WordLevel": (
            models.WordLevel({"a": 0, "<unk>": 1}, "<unk>"),
            "how it builds its pieces is not known",
        ),
        "BPE": (
            models.BPE({"a</w>": 0, "<unk>": 1}, [], end_of_word_suffix="</w>"),
            "it marks its pieces by end_of_word_suffix '</w>'",
        ),
    }[kind]
    fast = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(backend), unk_token="<unk>")
    source = save(tmp_path, tokenizer=fast)
    with pytest.raises(ModelError, match=rf"its tokenizer is {kind}: {problem}; those that can be trimmed: "):
        load_for_trimming(source)


def test_other_families_are_refused(tmp_path: Path) -> None:
    GPT2Model(GPT2Config(vocab_size=90, n_embd=8, n_layer=1, n_head=1, n_positions=8)).save_pretrained(
        tmp_path
    )
    make_tokenizer(PIECES, lowercase=True).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"model_type gpt2: .*supported: bert, roberta"):
        load_for_trimming(tmp_path)


def test_a_tokenizer_with_more_pieces_than_rows_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path, vocab_size=len(PIECES) - 1)
    with pytest.raises(ModelError, match=r"has 77 pieces, its embedding table 76 rows"):
        load_for_trimming(source)


def test_numbers_that_no_piece_has(tmp_path: Path) -> None:
    """A vocab.txt that lists a piece twice gives it the later number; the earlier one stands for nothing."""
    gap = {piece: i for i, piece in enumerate(PIECES) if piece != "redder"}
    tokenizer = make_tokenizer(PIECES, lowercase=True)
    source = save(tmp_path / "whole", tokenizer=type(tokenizer)(vocab=gap, do_lower_case=True))
    trim(source, tmp_path / "small", TEXTS)
    before, after = answers(source, TEXTS), answers(tmp_path / "small", TEXTS)
    assert after[0] == before[0]
    torch.testing.assert_close(after[1], before[1], rtol=0, atol=1e-6)


def test_a_bare_encoder_without_a_named_class(tmp_path: Path) -> None:
    source = save(tmp_path / "whole", "Model")
    config = json.loads((source / "config.json").read_text())
    del config["architectures"]
    (source / "config.json").write_text(json.dumps(config))
    model, _ = load_for_trimming(source)
    assert isinstance(model, BertModel)
