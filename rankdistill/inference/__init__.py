"""Fast and exact inference of sentence-transformers encoders and cross-encoders: same numbers, less waste."""

from rankdistill.inference.encoder import TextEncoder
from rankdistill.inference.pair_scorer import PairScorer

__all__ = ["PairScorer", "TextEncoder"]
