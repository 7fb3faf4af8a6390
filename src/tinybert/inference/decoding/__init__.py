"""Decoding: an encoder–decoder's logits → texts. Greedy, beam search and sampling, in numpy.

Shapes: B rows of a batch, A rows that are still being written, K beams, R = A · K rows of the decoder,
T tokens of a text, V tokens of the vocabulary.
"""

from tinybert.inference.decoding.decode import generate, stream
from tinybert.inference.decoding.generated import Generated

__all__ = ["Generated", "generate", "stream"]
