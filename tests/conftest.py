"""Fixtures shared by all tests: a tiny BEIR folder, tiny random models, the real data sets where they are at hand."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.towers import static_student, stranger, student, teacher, teacher_space  # noqa: F401

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

TOPICS = ("river", "planet", "bread", "violin", "harbour", "engine")
WORDS = ("deep", "old", "bright", "slow", "small", "round", "north", "glass", "iron", "sweet", "north", "stone")


@pytest.fixture(scope="session", autouse=True)
def export_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Models exported by tests stay out of this user's cache."""
    os.environ["RANKDISTILL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """Nothing waits for the disk, 15 ms a file: no test cuts the power. tests/test_files.py holds what is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def still_clock() -> Iterator[None]:
    """What stores write down of their teachers' time is the same each time, so that all of their bytes are compared."""
    from rankdistill.stores import times

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "now", lambda: 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C is heard, also where the tests were started in the background of a shell, which ignores it there."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The back end `auto` takes torch, for tests that train many tiny models: exporting one takes the longest.

    tests/inference holds every back end; tests/cli and a run in tests/recipe/test_leaf_run.py take what is installed.
    """
    from rankdistill.inference.backends import registry

    monkeypatch.setattr(registry, "FASTEST_FIRST", ("torch",))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have empty pictures, for tests of whole runs: drawing takes a third of their time.

    tests/evaluation draws each picture; tests/recipe/test_distill.py and test_tune.py draw those of a run.
    """
    from rankdistill.evaluation import ann_report, gate_report, plots, robustness_report
    from rankdistill.evaluation.fidelity import report

    for module in (plots, ann_report, gate_report, robustness_report, report):  # all that have the names of their own
        monkeypatch.setattr(module, "svg", lambda drawing, themed=True: '<svg viewBox="0 0 1 1"></svg>')
    for module in (plots, ann_report, robustness_report):
        monkeypatch.setattr(module, "png", lambda drawing, path: path.write_bytes(b"no picture"))


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts small file systems; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"mounted-{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("mounting a tmpfs is not allowed here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets named by RANKDISTILL_DATA; skips where there is none."""
    folder = os.environ.get("RANKDISTILL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RANKDISTILL_DATA names no folder with the real data sets")
    return Path(folder)


def _documents() -> list[dict[str, str]]:
    generator = random.Random(7)
    rows = []
    for number in range(40):
        topic = TOPICS[number % len(TOPICS)]
        words = " ".join(generator.choices(WORDS, k=generator.randint(4, 14)))
        rows.append({"_id": f"d{number:02d}", "title": f"{topic} {number}", "text": f"the {topic} is {words}"})
    return rows


@pytest.fixture
def tiny_beir(tmp_path: Path) -> Path:
    """A BEIR folder: 40 documents; 12 train, 6 dev, 6 test queries, each with one to three relevant documents."""
    return write_tiny_beir(tmp_path / "tiny")


def write_tiny_beir(root: Path) -> Path:
    """`tiny_beir` into `root`."""
    (root / "qrels").mkdir(parents=True)
    documents = _documents()
    (root / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    generator = random.Random(11)
    queries = []
    for split, start, count in (("train", 0, 12), ("dev", 12, 6), ("test", 18, 6)):
        lines = ["query-id\tcorpus-id\tscore"]
        for number in range(start, start + count):
            topic = TOPICS[number % len(TOPICS)]
            queries.append({"_id": f"q{number:02d}", "text": f"what is the {generator.choice(WORDS)} {topic} {number}"})
            same_topic = [row["_id"] for row in documents if row["title"].startswith(topic)]
            for doc_id in sorted(generator.sample(same_topic, generator.randint(1, 3))):
                lines.append(f"q{number:02d}\t{doc_id}\t1")
        (root / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    (root / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    return root


def _vocabulary() -> list[str]:
    digits = [*"0123456789", *(f"##{digit}" for digit in "0123456789")]
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = sorted({*TOPICS, *WORDS, "the", "is", "what"} - set(letters))
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *digits, *letters, *words]


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random three-layer BERT (hidden 32) with its WordPiece tokeniser, as a plain transformers folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = _vocabulary()
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny BERT as a sentence-transformers model: mean pooling, unit length, cosine."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    folder = tmp_path_factory.mktemp("tiny-encoder")
    transformer = Transformer(str(tiny_bert), max_seq_length=64)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(
        str(folder), create_model_card=False
    )
    return str(folder)


@pytest.fixture(scope="session")
def tiny_cross_encoder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny BERT with a random one-logit head, as a sentence-transformers CrossEncoder."""
    import torch
    from sentence_transformers import CrossEncoder

    folder = tmp_path_factory.mktemp("tiny-cross-encoder")
    torch.manual_seed(5)
    CrossEncoder(str(tiny_bert), num_labels=1, device="cpu", max_length=64).save_pretrained(str(folder))
    return str(folder)


@pytest.fixture(scope="session")
def tiny_multi_vector(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny BERT as a ColBERT-like encoder: 16 dimensions a token, unit vectors, prompts, full stops left out."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    folder = tmp_path_factory.mktemp("tiny-multi-vector")
    torch.manual_seed(23)
    modules = [
        Transformer(str(tiny_bert), max_seq_length=64, query_length=16, document_length=40),
        Dense(32, 16, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings"),
        MultiVectorMask(skiplist_words=["what"]),
        Normalize(module_input_name="token_embeddings"),
    ]
    prompts = {"query": "the old ", "document": "the deep "}
    model = MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_splade(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny BERT with a random masked-language-model head, as a plain transformers folder."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("tiny-splade")
    torch.manual_seed(19)
    BertForMaskedLM(BertConfig.from_pretrained(tiny_bert)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def six_layers(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> str:
    """A random encoder of six layers, 48 dimensions: what documents do with all-MiniLM-L6-v2 it can do."""
    return _of_six_layers(tmp_path_factory.mktemp("six-layers"), tiny_bert, 48)


@pytest.fixture(scope="session")
def six_wide_layers(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> str:
    """The same with 160 dimensions, of which some can be left out."""
    return _of_six_layers(tmp_path_factory.mktemp("six-wide-layers"), tiny_bert, 160)


def _of_six_layers(folder: Path, tiny_bert: Path, dimensions: int) -> str:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    plain, whole = folder / "bert", folder / "encoder"
    torch.manual_seed(3)
    config = BertConfig.from_pretrained(
        tiny_bert, hidden_size=dimensions, num_hidden_layers=6, intermediate_size=96, initializer_range=0.3
    )
    BertModel(config).save_pretrained(plain)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=64)
    modules = [transformer, Pooling(dimensions, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(whole), create_model_card=False)
    return str(whole)


_frozen = 0
"""Modules that were loaded when garbage collection was last told of them."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What the libraries hold for good is taken out of garbage collection, and no training asks for one.

    They are loaded by tests too, which is seen from the number of modules.
    """
    global _frozen
    if len(sys.modules) > _frozen + 20:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
    if memory := sys.modules.get("accelerate.utils.memory"):
        memory.gc = _NotAsked()  # type: ignore[attr-defined]


class _NotAsked:
    """Garbage collection as accelerate is given it: at the end of each training it asks for one of all objects."""

    def collect(self) -> int:
        """Python's own turn comes."""
        return 0
