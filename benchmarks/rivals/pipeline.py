"""FastAPI before transformers' `text-classification` pipeline, on torch.

One queue and one loop that computes what waits together, as https://huggingface.co/docs/transformers/pipeline_webserver
advises. With a batch size of 1, calls are computed one after the other.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from transformers import pipeline

Scores = list[Any]
"""For each text, its labels with their scores."""


class Asked(BaseModel):
    inputs: list[str]


def create_app(classify: Callable[[list[str]], Scores], batch: int) -> FastAPI:
    queue: asyncio.Queue[tuple[list[str], asyncio.Future[Scores]]] = asyncio.Queue()

    async def work() -> None:
        while True:
            calls = [await queue.get()]
            while sum(len(texts) for texts, _ in calls) < batch and not queue.empty():
                calls.append(queue.get_nowait())
            found = iter(await asyncio.to_thread(classify, [text for texts, _ in calls for text in texts]))
            for texts, answer in calls:
                answer.set_result([next(found) for _ in texts])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(work())
        yield
        worker.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/classify")
    async def answered(asked: Asked) -> JSONResponse:
        answer: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        queue.put_nowait((asked.inputs, answer))
        return JSONResponse(await answer)

    return app


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--model", required=True)
    for name in ("port", "batch", "threads", "max-length"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pipe = pipeline(
        "text-classification",
        model=options.model,
        device="cpu",
        trust_remote_code=True,  # the checkpoint's own class
        top_k=None,
        truncation=True,
        max_length=options.max_length,
    )
    app = create_app(lambda texts: pipe(texts, batch_size=options.batch), options.batch)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
