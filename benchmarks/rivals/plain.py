"""FastAPI before a plain session of ONNX Runtime: every call is computed by itself, in padded batches.

As many calls are computed side by side as there are processors for the threads of one.
"""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from tokenizers import Tokenizer

Scores = list[dict[str, float]]


class Asked(BaseModel):
    inputs: list[str]


class Classifier:
    """A folder's model.onnx, in batches of at most `batch` texts with `threads` threads inside."""

    def __init__(self, folder: Path, *, batch: int, threads: int, max_length: int) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_length)
        self._tokenizer.enable_padding(pad_id=config.get("pad_token_id") or 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=providers)
        self._batch = batch

    def __call__(self, texts: list[str]) -> Scores:
        return [
            scores
            for start in range(0, len(texts), self._batch)
            for scores in self._classified(texts[start : start + self._batch])
        ]

    def _classified(self, texts: list[str]) -> Scores:
        encodings = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        }
        (logits,) = self._session.run(["logits"], feed)
        return [dict(zip(self._labels, row, strict=True)) for row in (1 / (1 + np.exp(-logits))).tolist()]


def create_app(classify: Classifier, side_by_side: int) -> FastAPI:
    app, pool = FastAPI(), ThreadPoolExecutor(side_by_side)

    @app.post("/classify")
    async def answered(asked: Asked) -> JSONResponse:
        return JSONResponse(await asyncio.get_running_loop().run_in_executor(pool, classify, asked.inputs))

    return app


def _options() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    for name in ("port", "batch", "threads", "processors", "max-length"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    options = _options()
    classify = Classifier(options.model, batch=options.batch, threads=options.threads, max_length=options.max_length)
    app = create_app(classify, max(1, options.processors // options.threads))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
