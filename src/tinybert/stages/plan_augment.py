"""What augmentation lacks, said before anything is read."""

from __future__ import annotations

from transformers import PreTrainedConfig

from tinybert.augment import BUILTIN, needs
from tinybert.config import AugmentSection
from tinybert.lookup import nearest
from tinybert.models.masked_lm import has_masked_lm_head


def augment_problems(
    section: AugmentSection, *, model: PreTrainedConfig | None, has_embeddings: bool
) -> list[str]:
    """Return why copies cannot be made, one line each.

    Args:
        section: The recipe's.
        model: Config of ``augment.model``; None where it is not set.
        has_embeddings: A teacher's embeddings may serve as word vectors.
    """
    method = section.method
    if method not in BUILTIN and ":" not in method:
        allowed = ", ".join(BUILTIN)
        hint = nearest(method, BUILTIN)
        return [
            f"augment.method = {method!r}: unknown augmentation{hint} (allowed: {allowed}; or "
            "package.module:attr)"
        ]
    wanted = needs(method, "other" if section.language == "auto" else section.language)
    if "filler" in wanted and model is None:
        return [
            f"augment.model is missing: method {method} asks a masked language model for words; give one, or "
            "train a head on raw text: tinybert pretrain TEXT --model bundled:minilm --out runs/filler "
            "pretrain.train_only=head; or set augment.method=neighbours or synonyms"
        ]
    if "filler" in wanted and model is not None and not has_masked_lm_head(model):
        return [
            f"augment.model = {section.model}: has no masked-LM head, so it cannot fill in words; train one: "
            f"tinybert pretrain TEXT --model {section.model} --out runs/filler pretrain.train_only=head"
        ]
    if "vectors" in wanted and not (section.word_vectors or model is not None or has_embeddings):
        return [
            f"augment.word_vectors is missing: method {method} needs a file of word vectors, or a model "
            "whose embeddings it may use (augment.model, or a teacher)"
        ]
    return []
