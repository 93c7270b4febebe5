"""pynife: a table made from the teacher and a tokeniser with the texts' words, then trained by cosine in its space."""

from __future__ import annotations

from typing import Any

from common import make, static_model, texts
from datasets import Dataset
from pynife.embedding import TrainableStaticEmbedding
from pynife.initialization import initialize_from_model
from pynife.losses import CosineLoss
from pynife.tokenizer.count_vocabulary import count_tokens_in_dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from skeletoken import TokenizerModel


def work(said: dict[str, Any]) -> Any:
    """Its recommended settings (batch 128, rate .01, cosine schedule with a warm-up of a tenth, 5 passes)."""
    read, vectors = texts(said)
    teacher = SentenceTransformer(said["teacher"], device="cpu")
    tokenizer = _with_words(teacher.tokenizer, read, said.get("words") or 56_000)
    _with_special_tokens(teacher.tokenizer)
    table = initialize_from_model(teacher, tokenizer)
    module = TrainableStaticEmbedding(tokenizer=tokenizer, embedding_weights=table)
    model = SentenceTransformer(modules=[module], device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=f"{said['out']}.checkpoints",
        per_device_train_batch_size=128,
        learning_rate=0.01,
        lr_scheduler_type="cosine",
        warmup_steps=0.1,
        weight_decay=0.01,
        num_train_epochs=said.get("epochs") or 5,
        max_steps=said.get("max_steps") or -1,
        save_strategy="no",
        report_to="none",
        seed=said["seed"],
        use_cpu=True,
    )
    rows = Dataset.from_dict({"text": read, "label": vectors.tolist()})
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=CosineLoss(model=model)).train()
    return static_model(module.embedding.weight.detach().numpy(), module.tokenizer)


def _with_special_tokens(tokenizer: Any) -> None:
    """Give the tokeniser the method that `pynife.initialization` calls, which transformers 5 has no longer."""
    if not hasattr(tokenizer, "build_inputs_with_special_tokens"):
        first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
        tokenizer.build_inputs_with_special_tokens = lambda ids: [first, *ids, last]


def _with_words(tokenizer: Any, read: list[str], size: int) -> Any:
    """The tokeniser with the most frequent words of the texts, but numbers, as `pynife.tokenizer.expand` adds them.

    That one adds word by word, which newer releases of skeletoken do in a copy that is lost; here all go in at once.
    """
    model = TokenizerModel.from_transformers_tokenizer(tokenizer)
    counted = sorted(count_tokens_in_dataset(tokenizer, read), key=lambda item: item["frequency"], reverse=True)
    known = set(model.vocabulary)
    words = [item["token"] for item in counted if item["token"] not in known and not item["token"].isdecimal()]
    added = words[: max(0, size - model.vocabulary_size)]
    return model.add_tokens_to_vocabulary(added, preprocess_tokens=False).to_transformers()


if __name__ == "__main__":
    make(work)
