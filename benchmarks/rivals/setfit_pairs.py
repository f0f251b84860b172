"""SetFit on labelled texts: contrastive pairs for the encoder, then a logistic regression on its vectors.

It reads one JSON object from the first file: `encoder` (a folder), `texts`, `targets` (a number for each text, or a
row of 0 and 1), `asked` (texts), `max_length`, `seed`, and `steps` (null: every pair once). It writes `answers` and
`seconds` to the second. All else is as SetFit has it.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, models  # type: ignore[import-not-found]  # of its own environment
from setfit import SetFitModel, Trainer, TrainingArguments  # type: ignore[import-not-found]
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("given", type=Path)
    parser.add_argument("answers", type=Path)
    options = parser.parse_args()
    given = json.loads(options.given.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    words = models.Transformer(given["encoder"], max_seq_length=given["max_length"])
    body = SentenceTransformer(modules=[words, models.Pooling(words.get_embedding_dimension())], device="cpu")
    several = isinstance(given["targets"][0], list)
    head = OneVsRestClassifier(LogisticRegression()) if several else LogisticRegression()  # as SetFit makes them
    model = SetFitModel(model_body=body, model_head=head, multi_target_strategy="one-vs-rest" if several else None)
    arguments = TrainingArguments(
        output_dir=str(options.answers.parent / "setfit"),
        max_steps=given["steps"] or -1,  # which SetFit would take in any case, over and over the same pairs
        seed=given["seed"],
        report_to="none",
        save_strategy="no",
        show_progress_bar=False,
    )
    labelled = Dataset.from_dict({"text": given["texts"], "label": given["targets"]})
    began = time.perf_counter()
    Trainer(model=model, args=arguments, train_dataset=labelled).train()
    seconds = time.perf_counter() - began
    answers = np.asarray(model.predict(given["asked"], as_numpy=True)).tolist()
    options.answers.write_text(json.dumps({"answers": answers, "seconds": round(seconds, 1)}), encoding="utf-8")


if __name__ == "__main__":
    main()
