"""The tagger: mentions in, tags out, on ONNX Runtime.

Steps that are usable alone: `plan` (mentions to the distinct texts they need), `encode` (texts to windows of tokens),
`output` (a window to logits) and `results` (what was computed to what was asked). `tag` runs them over a batch.

Every window is its own call of the network, and as many run side by side as there are threads. On a CPU that is
as fast as batches or faster, since nothing is padded and threads do not wait for one another inside a call; and
an 8-bit model, which scales activations by call, then answers the same whatever else is in the batch.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from model.bundle import Bundle
from model.decode import Decoder, Floats, Score
from model.errors import BundleError, ComputationError, MentionError, TympanError
from model.language import detect
from model.mention import MAX_CHARACTERS, Mention, named, prepare, wording
from model.processor import processor_limit
from model.registry import resolve
from model.watchlist import Organisation, Watchlist, considered

_SLOWER = ["SkipLayerNormFusion"]
"""Optimisations that make it slower on x86: a sum and a layer norm in one take three times as long as the two."""
_VECTORS = "vectors"
_OVERLAP = 16
"""Tokens that two neighbouring windows of a long text share."""

Tags = Mapping[str, tuple[Score, ...]]


@dataclass(frozen=True)
class TargetTags:
    """The tags of one mention towards one organisation of the watchlist that it names."""

    name: str
    role: str
    tags: Tags


@dataclass(frozen=True)
class Tagged:
    """A tagged mention: `tags` towards its own target, `targets` towards every organisation found in it."""

    id: str
    lang: str
    tags: Tags
    targets: tuple[TargetTags, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A mention that could not be tagged, and why."""

    id: str
    error: MentionError


@dataclass(frozen=True)
class Window:
    """Tokens of one text, or of one part of a long one; `text` is the text's position in its batch.

    They are an array, since a queue holds many: a list takes nine times as much.
    """

    text: int
    ids: Sequence[int]


class Tagger:
    """One bundle, loaded. Safe to call from several threads."""

    def __init__(
        self, *, bundle: Bundle, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, threads: int
    ) -> None:
        self.bundle = bundle
        self.taxonomy = bundle.taxonomy
        self.decoder = Decoder(bundle.taxonomy, bundle.calibration)
        self._session = session
        self._tokenizer = tokenizer
        self.threads = threads
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="tagger")
        self._start, self._end = _frame(tokenizer)

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> Tagger:
        """Read and check a bundle, or a registry's champion. `threads` defaults to the processors allowed.

        Raises BundleError if the bundle is missing, altered, or cannot be run.
        """
        bundle = Bundle.read(resolve(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # calls run side by side instead
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(bundle.model_file), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
            )
            tokenizer = Tokenizer.from_file(str(bundle.tokenizer_file))
        except Exception as error:  # both libraries raise their own and bare Exception
            raise BundleError(str(bundle.path), "cannot be run", "Export it again with this version") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(bundle=bundle, session=session, tokenizer=tokenizer, threads=threads or processor_limit())

    def tag(
        self,
        mentions: Sequence[Mention],
        *,
        watchlist: Watchlist | None = None,
        min_score: float = 0.0,
    ) -> list[Tagged | Failed]:
        """One result per mention, in order. A mention that cannot be read fails alone.

        Tags are towards the mention's `target`; without one, towards the only brand of `watchlist`; without a
        watchlist, of the text as it is. `min_score` is a floor added to the tags' own thresholds.
        """
        plans = self.plan(mentions, watchlist)
        return self.results(plans, self.probabilities(plans.texts), min_score)

    def plan(self, mentions: Sequence[Mention], watchlist: Watchlist | None = None, *, most: float = math.inf) -> Plans:
        """Prepare mentions: a text that several need is in the plans once. Beyond `most` characters it breaks off."""
        items: list[_Plan | Failed] = []
        texts: dict[str, None] = {}
        characters = 0
        for mention in mentions:
            items.append(item := _plan(mention, watchlist or Watchlist()))
            for text in item.texts() if isinstance(item, _Plan) else ():
                characters += len(text) * (text not in texts)
                texts[text] = None
            if characters > most:
                break
        return Plans(tuple(items), tuple(texts))

    def results(
        self, plans: Plans, probabilities: Floats, min_score: float = 0.0, *, failed: Container[str] = ()
    ) -> list[Tagged | Failed]:
        """One result per mention from the probabilities (texts, labels) of its plans' texts.

        A mention that needs one of the texts in `failed` has failed.
        """
        tags = dict(zip(plans.texts, self.decoder.tags(probabilities, min_score), strict=True))
        return [item.result(tags, failed) if isinstance(item, _Plan) else item for item in plans.items]

    def probabilities(self, prepared: Sequence[str]) -> Floats:
        """Prepared texts → calibrated probabilities (texts, labels); a long text's are the largest of its windows."""
        windows = self.encode(prepared)
        found = np.zeros((len(prepared), len(self.taxonomy.labels)), dtype=np.float32)
        if windows:
            rows = [window.text for window in windows]
            np.maximum.at(found, rows, self.decoder.probabilities(self.outputs(windows)))
        return found

    def encode(self, prepared: Sequence[str]) -> list[Window]:
        """Prepared texts → windows of at most the bundle's `max_length` tokens."""
        room = self.bundle.max_length - len(self._start) - len(self._end)
        windows = []
        if len(prepared) == 1:  # by itself it would be handed to another thread, which takes longer than to read it
            encodings = [self._tokenizer.encode(prepared[0], add_special_tokens=False)]
        else:
            encodings = self._tokenizer.encode_batch_fast(prepared, add_special_tokens=False)
        for position, encoding in enumerate(encodings):
            for part in _parts(encoding.ids, room):
                windows.append(Window(position, array("i", [*self._start, *part, *self._end])))
        return windows

    def vocabulary_of(self, prepared: Sequence[str]) -> tuple[int, int]:
        """How many tokens of prepared texts the vocabulary has, and how many are unknown to it."""
        encodings = self._tokenizer.encode_batch_fast(prepared, add_special_tokens=False)
        tokens, missing = [one for encoding in encodings for one in encoding.ids], _unknown(self._tokenizer)
        unknown = sum(one == missing for one in tokens)
        return len(tokens) - unknown, unknown

    def outputs(self, windows: Sequence[Window]) -> Floats:
        """Windows, at least one → logits (windows, labels)."""
        longest_first = sorted(range(len(windows)), key=lambda position: -len(windows[position].ids))
        rows = self._workers.map(lambda position: self.output(windows[position].ids), longest_first)
        found = np.empty((len(windows), len(self.taxonomy.labels)), dtype=np.float32)
        found[longest_first] = list(rows)
        return found

    def output(self, ids: Sequence[int]) -> Floats:
        """One window's tokens → logits (labels), in one call of the network."""
        return self._run("logits", ids)

    def vectors(self, prepared: Sequence[str]) -> Floats | None:
        """Prepared texts → vectors (texts, width) of their first windows; None if the network gives none."""
        if _VECTORS not in (output.name for output in self._session.get_outputs()):
            return None
        first = {window.text: window.ids for window in reversed(self.encode(prepared))}
        rows = self._workers.map(lambda text: self._run(_VECTORS, first[text]), range(len(prepared)))
        return np.array(list(rows))

    def _run(self, output: str, ids: Sequence[int]) -> Floats:
        row = np.array([ids], dtype=np.int64)
        found: Floats = self._session.run([output], {"input_ids": row, "attention_mask": np.ones_like(row)})[0][0]
        return found


@dataclass(frozen=True)
class _Plan:
    """What one mention needs computed: its text towards its target and towards every organisation found."""

    mention: Mention
    lang: str
    main: str
    towards: tuple[tuple[Organisation, str], ...]

    def texts(self) -> list[str]:
        return [self.main, *(text for _, text in self.towards)]

    def result(self, tags: Mapping[str, Tags], failed: Container[str]) -> Tagged | Failed:
        if any(text in failed for text in self.texts()):
            return Failed(
                self.mention.id,
                ComputationError("text", "could not be computed", "Send it again, and report it if it fails again"),
            )
        targets = tuple(TargetTags(found.name, found.role, tags[text]) for found, text in self.towards)
        return Tagged(self.mention.id, self.lang, tags[self.main], targets)


@dataclass(frozen=True)
class Plans:
    """What a batch of mentions needs: a plan for each, or why there is none, and all `texts` to compute, once each."""

    items: tuple[_Plan | Failed, ...]
    texts: tuple[str, ...]

    @property
    def mains(self) -> tuple[str | None, ...]:
        """For every mention which of the texts its own tags come from; None for one that has failed."""
        return tuple(item.main if isinstance(item, _Plan) else None for item in self.items)


def _plan(mention: Mention, watchlist: Watchlist) -> _Plan | Failed:
    try:
        return _planned(mention, watchlist)
    except MentionError as error:
        return Failed(mention.id, error)
    except TympanError as error:
        return Failed(mention.id, MentionError(error.where, error.problem, error.remedy))


def _planned(mention: Mention, watchlist: Watchlist) -> _Plan:
    if len(mention.text) > MAX_CHARACTERS:
        raise MentionError(
            "text", f"has {len(mention.text):,} characters", f"Send at most {MAX_CHARACTERS:,}, or split it"
        )
    watchlist, target = considered(watchlist, mention.target)
    main = prepare(mention.text, watchlist=watchlist, target=target)
    if not main:
        raise MentionError("text", "is empty", "Send the text of the mention")
    found = [
        (organisation, prepare(mention.text, watchlist=watchlist, target=organisation.name))
        for organisation in named(mention.text, watchlist)
    ]
    return _Plan(mention, mention.lang or detect(wording(main)), main, tuple(found))


def _parts(ids: Sequence[int], room: int) -> Iterator[Sequence[int]]:
    if len(ids) <= room:
        yield ids
        return
    overlap = min(_OVERLAP, room // 2)
    for start in range(0, len(ids) - overlap, room - overlap):
        yield ids[start : start + room]


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    framed: list[int] = tokenizer.encode("a").ids
    bare: list[int] = tokenizer.encode("a", add_special_tokens=False).ids
    before = next(i for i in range(len(framed)) if framed[i : i + len(bare)] == bare)
    return framed[:before], framed[before + len(bare) :]


def _unknown(tokenizer: Tokenizer) -> int | None:
    """The id of the token that stands for what the vocabulary does not have; None if there is no such token."""
    model = json.loads(tokenizer.to_str())["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    return tokenizer.token_to_id(model["unk_token"]) if model.get("unk_token") else None


def as_dicts(tags: Tags) -> dict[str, list[dict[str, Any]]]:
    """Tags as the API and files write them."""
    return {group: [score.to_dict() for score in scores] for group, scores in tags.items()}
