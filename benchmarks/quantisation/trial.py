"""One form of a network on trial: how fast it answers, and how far its answers are from another's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from benchmarks.quantisation.batches import BATCH, batched
from benchmarks.quantisation.forms import Form
from labels.record import Record
from model.bundle import Bundle
from model.decode import Floats
from model.tagger import Tagger, Window
from training.evaluate import figures


@dataclass(frozen=True)
class Court:
    """What is the same for every form: the bundle that says how to read and decode, the records, the threads."""

    bundle: Bundle
    records: Sequence[Record]
    threads: int

    def tagger(self, model: Path, entries: Mapping[str, str]) -> Tagger:
        """A tagger on another network than the bundle's own: one call a text, as many side by side as threads."""
        tokenizer = Tokenizer.from_file(str(self.bundle.tokenizer_file))
        return Tagger(
            bundle=self.bundle, session=_session(model, 1, entries), tokenizer=tokenizer, threads=self.threads
        )

    def trials(self, form: Form, model: Path) -> list[Trial]:
        """The form in file `model`, called in either way."""
        tagger = self.tagger(model, form.entries)
        windows = tagger.encode([record.prepared() for record in self.records])
        session = _session(model, self.threads, form.entries)
        alone = np.concatenate([tagger.outputs([window]) for window in windows])
        ways: dict[str, Callable[[Sequence[Window]], Floats]] = {
            f"batches of {BATCH}": lambda given: batched(session, given),
            "one a text": tagger.outputs,
        }
        return [Trial(form, way, model.stat().st_size, self, tagger, windows, run, alone) for way, run in ways.items()]


@dataclass
class Trial:
    """A form in one way of calling it. `alone` are the logits (windows, labels) of one call a window, in sequence."""

    form: Form
    way: str
    size: int
    court: Court
    tagger: Tagger
    windows: Sequence[Window]
    run: Callable[[Sequence[Window]], Floats]
    alone: Floats
    logits: Floats = field(init=False)
    seconds: list[float] = field(default_factory=list)

    def go(self) -> None:
        """Answer all windows once more, and keep the answers and the time."""
        began = time.perf_counter()
        self.logits = self.run(self.windows)
        self.seconds.append(time.perf_counter() - began)

    @property
    def rate(self) -> float:
        """Mentions a second in the median round."""
        return len(self.court.records) / float(np.median(self.seconds))

    @property
    def probabilities(self) -> Floats:
        """Of every record (records, labels)."""
        return self._probabilities(self.logits)

    @property
    def decisions(self) -> npt.NDArray[np.bool_]:
        """The tags given (records, labels)."""
        return self.tagger.decoder.decisions(self.probabilities)

    @property
    def neighbours(self) -> float:
        """The largest difference of a probability between this way and every text computed by itself."""
        return float(np.abs(self.probabilities - self._probabilities(self.alone)).max())

    @property
    def macro_f1(self) -> float:
        """The mean over groups."""
        report = figures(self.court.records, self.probabilities, self.decisions, self.tagger.taxonomy)
        return float(np.mean([group["macro_f1"] for group in report["groups"].values()]))

    def _probabilities(self, logits: Floats) -> Floats:
        """Of a text of several windows the largest, as the tagger has it."""
        found = np.zeros((len(self.court.records), logits.shape[1]), dtype=np.float32)
        rows = [window.text for window in self.windows]
        np.maximum.at(found, rows, self.tagger.decoder.probabilities(logits))
        return found


def _session(model: Path, threads: int, entries: Mapping[str, str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
