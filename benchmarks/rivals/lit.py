"""LitServe, which batches calls across requests: before transformers' pipeline on torch, or ONNX Runtime.

A batch of LitServe is one of calls; the network gets its texts in batches of the same size. As many workers run side by
side as there are processors for the threads of one.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, cast

import litserve
from fastapi import Response

_WAIT = 0.005
"""Seconds that a batch waits for more calls."""
Scores = list[Any]


class Classifier(litserve.LitAPI):  # type: ignore[misc]  # it is not installed where types are checked
    """Texts of several calls in, their scores out."""

    def __init__(self, options: Namespace, **batching: Any) -> None:  # noqa: ANN401 — LitServe's own
        super().__init__(**batching)
        self._options = options

    def setup(self, device: str) -> None:
        load = _onnx if (self._options.model / "model.onnx").exists() else _torch
        self._classify = load(self._options)

    def decode_request(self, request: dict[str, list[str]]) -> list[str]:
        return request["inputs"]

    def batch(self, inputs: list[list[str]]) -> list[list[str]]:
        return inputs

    def predict(self, given: list[Any]) -> Scores:
        if given and isinstance(given[0], str):  # a call by itself, where batches are of one
            return self._classify(given)
        found = iter(self._classify([text for texts in given for text in texts]))
        return [list(islice(found, len(texts))) for texts in given]

    def unbatch(self, output: Scores) -> Scores:
        return output

    def encode_response(self, output: Scores) -> Response:  # LitServe takes it from here that nothing is to be checked
        return cast(Response, output)


def _torch(options: Namespace) -> Callable[[list[str]], Scores]:
    import torch  # noqa: PLC0415 — each form loads its own libraries only
    from transformers import pipeline  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    pipe = pipeline(
        "text-classification",
        model=str(options.model),
        device="cpu",
        trust_remote_code=True,
        top_k=None,
        truncation=True,
        max_length=options.max_length,
    )
    return lambda texts: list(pipe(texts, batch_size=options.batch))


def _onnx(options: Namespace) -> Callable[[list[str]], Scores]:
    from plain import Classifier as Plain  # type: ignore[import-not-found]  # noqa: PLC0415 — of this folder

    folder, batch, threads = options.model, options.batch, options.threads
    classify: Callable[[list[str]], Scores] = Plain(folder, batch=batch, threads=threads, max_length=options.max_length)
    return classify


def _options() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    for name in ("port", "batch", "threads", "processors", "max-length"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    options = _options()
    api = Classifier(options, max_batch_size=options.batch, batch_timeout=_WAIT, api_path="/classify")
    workers = max(1, options.processors // options.threads)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers, timeout=False)
    server.run(host="127.0.0.1", port=options.port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
