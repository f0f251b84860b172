"""The rival of `benchmarks.exports`: what an analyst would write to tag a file, pandas and transformers' pipeline.

As a program it prints the seconds from opening the file to having written the other, with the model loaded before.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pandas
import torch
from transformers import AutoTokenizer, pipeline

from benchmarks.rival import MeanPooledForSequenceClassification, quiet

_THRESHOLD = 0.5


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    for name in ("input", "output", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("column")
    for name in ("threads", "max-length", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    quiet()
    torch.set_num_threads(options.threads)
    classify: Any = pipeline(
        "text-classification",
        model=MeanPooledForSequenceClassification.from_pretrained(options.folder),
        tokenizer=AutoTokenizer.from_pretrained(options.folder),
        device="cpu",
        top_k=None,
        truncation=True,
        max_length=options.max_length,
    )
    began = time.perf_counter()
    table = pandas.read_csv(options.input)
    found = classify(table[options.column].tolist(), batch_size=options.batch)
    table["tags"] = ["|".join(tag["label"] for tag in tags if tag["score"] >= _THRESHOLD) for tags in found]
    table.to_csv(options.output, index=False)
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
