"""Students that pad nothing (token tables), and causal ones whose tokeniser has no padding token."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.inference import TextEncoder
from rankdistill.inference.loading import load_cross_encoder
from rankdistill.models import resolve
from rankdistill.students import dense
from rankdistill.training import columns
from rankdistill.training.config import TrainConfig
from rankdistill.training.embedding import same_text, stack_columns
from rankdistill.training.run import train
from rankdistill.training.vector_scores import VectorScores
from tests.training.conftest import MemoryStore

TEXTS = ["river", "the violin on the old river", "a deep river and a bridge near the violin", "river"]
END = "<|endoftext|>"
SETTINGS = {"batch_size": 4, "negatives": 2, "eval_steps": 2, "log_steps": 2, "steps": 2, "precision": "float32"}


def _tokenizer(tiny_data: Dataset) -> object:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        tiny_data.contents.values(),
        trainers.BpeTrainer(vocab_size=400, special_tokens=[END], initial_alphabet=alphabet, show_progress=False),
    )
    return made


@pytest.fixture
def static(tiny_data: Dataset, tmp_path: Path) -> str:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(_tokenizer(tiny_data), embedding_dim=32)], device="cpu")
    model.save_pretrained(str(tmp_path / "static"), create_model_card=False)
    return str(tmp_path / "static")


def _gpt(tiny_data: Dataset, folder: Path, head: str, end: str | None = END) -> str:
    import transformers

    made = _tokenizer(tiny_data)
    torch.manual_seed(0)
    sizes = {"vocab_size": made.get_vocab_size(), "n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}  # type: ignore[attr-defined]
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, num_labels=1, attn_pdrop=0.0)
    getattr(transformers, head)(config).save_pretrained(str(folder))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token=end, model_max_length=128)
    tokenizer.save_pretrained(str(folder))
    return str(folder)


@pytest.fixture
def gpt(tiny_data: Dataset, tmp_path: Path) -> str:
    """A GPT-2 whose tokeniser has an end of a text and no padding token."""
    return _gpt(tiny_data, tmp_path / "gpt", "GPT2Model")


@pytest.mark.parametrize("kind", ["static", "gpt"])
@pytest.mark.parametrize("settings", [{"loss": "margin_mse"}, {"loss": "kl", "contrastive_weight": 0.5}])
def test_they_train_and_load_in_the_plain_library(
    kind: str,
    settings: dict[str, object],
    tiny_data: Dataset,
    tiny_store: MemoryStore,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    student = request.getfixturevalue(kind)
    out = train(tiny_data, tiny_store, student, tmp_path / "out", TrainConfig(**SETTINGS, **settings), dev_split="dev")
    trained = SentenceTransformer(str(out), device="cpu")
    before = dense.load(student).encode(TEXTS)
    assert np.abs(trained.encode(TEXTS) - before).max() > 1e-6
    assert json.loads((out / "training_log.json").read_text())["steps"] == 2
    np.testing.assert_allclose(TextEncoder(str(out)).encode(TEXTS), trained.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("kind", ["static", "gpt"])
def test_scores_of_a_batch_are_those_of_the_library(kind: str, request: pytest.FixtureRequest) -> None:
    student = dense.load(request.getfixturevalue(kind)).eval()
    queries, documents = TEXTS[:2], [TEXTS[1:3], TEXTS[:2], [TEXTS[2], TEXTS[0]]]
    rows = [
        {
            "query": query,
            "positive": documents[0][place],
            "negative_1": documents[1][place],
            "negative_2": documents[2][place],
        }
        for place, query in enumerate(queries)
    ]
    names = ["query", "positive", "negative_1", "negative_2"]
    collate = columns.text_collator(student, names, TrainConfig())
    features = columns.split(collate([row | {"label": [0.0]} for row in rows]), names)
    with torch.no_grad():
        found = VectorScores("cosine", columns.pad_token(student), True, False)(student, features)
    for place, query in enumerate(queries):
        # One text at a time: nothing is padded.
        vectors = [
            student.encode([text], normalize_embeddings=True)[0] for text in (query, *(d[place] for d in documents))
        ]
        expected = [float(vectors[0] @ vector) for vector in vectors[1:]]
        np.testing.assert_allclose(found.own[place].numpy(), expected, atol=1e-5)
    assert found.candidates is not None


@pytest.mark.parametrize("kind", ["static", "gpt"])
def test_equal_texts_are_known_by_their_tokens(kind: str, request: pytest.FixtureRequest) -> None:
    student = dense.load(request.getfixturevalue(kind))
    features = student.preprocess([*TEXTS, f"river{END}"])
    numbers = same_text(features).tolist()
    assert numbers[0] == numbers[3]
    assert len(set(numbers)) == 4  # a text that ends in the padding token is another one
    assert len(same_text(stack_columns([features, features], columns.pad_token(student))).unique()) == 4


def test_an_empty_text_of_a_token_table_keeps_its_place(static: str) -> None:
    student = dense.load(static)
    one, other = student.preprocess(["", "river"]), student.preprocess(["violin", ""])
    stacked = student.forward(stack_columns([one, other], 0))["sentence_embedding"].detach().numpy()
    np.testing.assert_allclose(stacked, student.encode(["", "violin", "river", ""]), atol=1e-6)


def test_the_encoder_gives_what_the_library_gives_with_the_end_as_padding(gpt: str) -> None:
    plain = SentenceTransformer(gpt, device="cpu")
    with pytest.raises(ValueError, match="padding token"):
        plain.encode(TEXTS)
    plain.tokenizer.pad_token = plain.tokenizer.eos_token
    found = TextEncoder(gpt).encode(TEXTS)
    np.testing.assert_allclose(found, plain.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(found[0], found[3], atol=1e-6)
    np.testing.assert_allclose(found, [plain.encode([text])[0] for text in TEXTS], atol=1e-5)


def test_a_causal_cross_encoder_scores_a_batch_as_each_pair_alone(tiny_data: Dataset, tmp_path: Path) -> None:
    folder = _gpt(tiny_data, tmp_path / "pairs", "GPT2ForSequenceClassification")
    pairs = [(TEXTS[0], text) for text in TEXTS]
    model = load_cross_encoder(resolve(folder), "cpu", None)
    alone = CrossEncoder(folder, device="cpu", activation_fn=model.activation_fn)
    alone.tokenizer.pad_token = alone.tokenizer.eos_token
    expected = [float(alone.predict([pair])[0]) for pair in pairs]
    np.testing.assert_allclose(model.predict(pairs), expected, atol=1e-5)


def test_a_tokeniser_with_nothing_to_pad_with_is_one_clear_error(tiny_data: Dataset, tmp_path: Path) -> None:
    folder = _gpt(tiny_data, tmp_path / "bare", "GPT2Model", end=None)
    with pytest.raises(ConfigError, match="padding token"):
        TextEncoder(folder)
    with pytest.raises(ConfigError, match="padding token"):
        dense.load(folder)


def test_a_length_that_a_token_table_would_ignore_is_refused(
    static: str, tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="reads whole texts"):
        train(tiny_data, tiny_store, static, tmp_path / "out", TrainConfig(**SETTINGS, max_document_length=8))
