"""What the trimmed vocabulary of a bundle loses on real texts, against the full one of its encoder.

The bundle's network is run twice, with its own table of word embeddings and with the encoder's whole one, in which
the rows that both have are the bundle's: the two differ in nothing but their vocabulary. Texts that both cut into
the same tokens get the same answer, so that only the others are run; that they do is checked on a sample.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import torch
import typer
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from benchmarks import weights
from benchmarks.errors import BenchmarkError
from benchmarks.report import MarkdownOption, Report, Table, percent, start
from benchmarks.texts import distinct, prepared
from model.bundle import PRETRAINED, Bundle
from model.decode import Decoder, Floats
from model.registry import resolve
from training import encoder as encoders
from training.network import Network

app = typer.Typer(add_completion=False, help="The trimmed vocabulary against the full one.")

MORE_UNKNOWN, SAME_TAGS = 0.001, 0.995
"""The bounds that the trimmed vocabulary is held to: unknown tokens more, and texts with the same tags."""
_SOURCES = {"mentions/*.csv": "message", "xlmt/*.jsonl": "text"}
"""Files of the public data, and the column of their texts."""
_COLUMNS = (
    *("texts of", "texts", "tokens", "full: <unk> %", "trimmed: <unk> %", "more, points"),
    *("tokens differ, % of texts", "same tags, % of texts"),
)
_SAMPLE = 200
_ALIKE = 0.02
"""Largest difference of a row, as a share of the table's largest value, that 8-bit storage explains."""


@dataclass(frozen=True)
class Side:
    """A vocabulary with the network that reads it."""

    tokenizer: Tokenizer
    network: Network
    max_length: int

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids, without special tokens."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits (texts, labels), of a long text those of its first `max_length` tokens."""
        self.tokenizer.enable_truncation(self.max_length)
        rows = []
        with torch.inference_mode():
            for text in texts:
                ids = torch.tensor([self.tokenizer.encode(text).ids])
                rows.append(self.network(ids, torch.ones_like(ids))[0].numpy())
        self.tokenizer.no_truncation()
        found: Floats = np.array(rows, dtype=np.float32).reshape(len(rows), len(self.network.taxonomy.labels))
        return found


@dataclass(frozen=True)
class Counts:
    """Of one source of texts: how many texts and tokens, unknown ones, and what differs."""

    texts: int = 0
    tokens: int = 0
    unknown_full: int = 0
    unknown_trimmed: int = 0
    tokens_differ: int = 0
    tags_differ: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def more_unknown(self) -> float:
        """The share of tokens that only the trimmed vocabulary does not know."""
        return (self.unknown_trimmed - self.unknown_full) / max(1, self.tokens)

    @property
    def same_tags(self) -> float:
        """The share of texts that get the same tags."""
        return 1 - self.tags_differ / max(1, self.texts)

    def row(self, name: str) -> tuple[str, ...]:
        """For the table."""
        unknown = (self.unknown_full, self.unknown_trimmed, self.unknown_trimmed - self.unknown_full)
        return (
            *(name, str(self.texts), str(self.tokens)),
            *(percent(count / max(1, self.tokens), 3) for count in unknown),
            percent(self.tokens_differ / max(1, self.texts)),
            percent(self.same_tags),
        )


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder of the public data: mentions/ and xlmt/ are read.")] = Path(
        "../shared/data"
    ),
    bundle: Annotated[
        Path, typer.Option(help="A bundle with a trimmed vocabulary.", show_default="the one that ships")
    ] = PRETRAINED,
    encoder: Annotated[str, typer.Option(help="The encoder that it was trained from: the source of the full one.")] = (
        encoders.PACKAGE
    ),
    markdown: MarkdownOption = None,
) -> None:
    """Compare the two vocabularies by their unknown tokens and by the tags that come of them.

    For example:

    python -m benchmarks.vocabulary

    python -m benchmarks.vocabulary --bundle runs/mine --encoder intfloat/multilingual-e5-small --markdown trim.md
    """
    found = Bundle.read(resolve(bundle))
    comparison = Comparison.of(found, encoders.load(encoder))
    counts = {name: comparison.counts(texts) for name, texts in _texts(data)}
    every = sum(counts.values(), Counts())
    rows = (*(part.row(name) for name, part in counts.items()), every.row("all"))
    Report((Table("Trimmed against full vocabulary", _COLUMNS, rows),), _notes(comparison, found, every, data)).give(
        markdown
    )


def _notes(comparison: Comparison, bundle: Bundle, every: Counts, data: Path) -> tuple[str, ...]:
    full, small = (side.tokenizer.get_vocab_size() for side in (comparison.full, comparison.trimmed))
    languages = ", ".join(bundle.provenance.get("keep_languages", ())) or "none named"
    held = every.more_unknown <= MORE_UNKNOWN and every.same_tags >= SAME_TAGS
    sample = [text for _, texts in _texts(data) for text in texts]
    random.Random(0).shuffle(sample)  # noqa: S311 — no secret
    return (
        f"The full vocabulary has {full} pieces, the trimmed one {small} (kept for {languages}): {full / small:.2f} "
        "times smaller. Distinct prepared texts.",
        "One network, once with either table of word embeddings; its tags are those of the bundle's thresholds. "
        f"Largest difference of a probability on texts with the same tokens: {comparison.drift(sample[:_SAMPLE]):.1e}.",
        f"Bounds: {percent(MORE_UNKNOWN, 1)} points more <unk>, the same tags on {percent(SAME_TAGS, 1)} % of texts: "
        f"{'held' if held else 'NOT held'}.",
    )


@dataclass(frozen=True)
class Comparison:
    """The network of a bundle with either vocabulary; `renamed` is each trimmed id's number in the full one."""

    full: Side
    trimmed: Side
    decoder: Decoder
    renamed: Sequence[int]

    @classmethod
    def of(cls, bundle: Bundle, encoder: encoders.Encoder) -> Comparison:
        """Put the bundle's layers on the encoder's table; BenchmarkError if the bundle was not trained from it."""
        tokenizer = Tokenizer.from_file(str(bundle.tokenizer_file))
        pieces = [tokenizer.id_to_token(position) or "" for position in range(tokenizer.get_vocab_size())]
        renamed = [found for piece in pieces if (found := encoder.tokenizer.token_to_id(piece)) is not None]
        state = weights.state(bundle)
        embeddings = cast(nn.Embedding, encoder.network.get_input_embeddings())
        table, own = embeddings.weight.detach().clone(), state[weights.OWN]
        if len(renamed) < len(pieces) or own.shape[1] != table.shape[1]:
            raise BenchmarkError(f"{bundle.path}: --encoder", "is not what it was trained from", "Name the right one")
        kept = torch.tensor(renamed[: len(own)])
        if float((table[kept] - own).abs().max()) > _ALIKE * float(own.abs().max()):
            raise BenchmarkError(
                str(bundle.path), "has other word embeddings than the encoder", "Train it with frozen embeddings"
            )
        table[kept] = own
        full = {**state, weights.OWN: table[: len(table) - encoder.added]}
        return cls(
            full=_side(bundle, encoder.tokenizer, full, encoder.added),
            trimmed=_side(bundle, tokenizer, state, encoder.added),
            decoder=Decoder(bundle.taxonomy, bundle.calibration),
            renamed=renamed,
        )

    def counts(self, texts: Sequence[str]) -> Counts:
        """Compare the two on distinct prepared texts."""
        full, trimmed = self.full.tokens(texts), self._translated(texts)
        unknown = _unknown(self.full.tokenizer)
        differing = [text for text, one, other in zip(texts, full, trimmed, strict=True) if one != other]
        decided = [self.decoder.decisions(probabilities) for probabilities in self._probabilities(differing)]
        return Counts(
            texts=len(texts),
            tokens=sum(map(len, full)),
            unknown_full=sum(row.count(unknown) for row in full),
            unknown_trimmed=sum(row.count(unknown) for row in trimmed),
            tokens_differ=len(differing),
            tags_differ=int((decided[0] != decided[1]).any(axis=1).sum()),
        )

    def drift(self, texts: Sequence[str]) -> float:
        """The largest difference of a probability on those of `texts` that have the same tokens on either side."""
        full, trimmed = self.full.tokens(texts), self._translated(texts)
        same = [text for text, one, other in zip(texts, full, trimmed, strict=True) if one == other]
        one, other = self._probabilities(same)
        return float(np.abs(one - other).max(initial=0.0))

    def _translated(self, texts: Sequence[str]) -> list[list[int]]:
        """The trimmed vocabulary's tokens, by their ids in the full one."""
        return [[self.renamed[token] for token in row] for row in self.trimmed.tokens(texts)]

    def _probabilities(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        full, trimmed = (self.decoder.probabilities(side.logits(texts)) for side in (self.full, self.trimmed))
        return full, trimmed


def _side(bundle: Bundle, tokenizer: Tokenizer, state: Mapping[str, torch.Tensor], added: int) -> Side:
    rows = len(state[weights.OWN]) + added
    body = BertModel(weights.config(bundle, vocabulary=rows), add_pooling_layer=False)
    encoder = encoders.Encoder(body, tokenizer, "read back from a bundle", added)
    network = Network(encoder, bundle.taxonomy, train_embeddings=False).eval()
    network.load_state_dict(dict(state), strict=False)  # a bundle does not tell which tags had the loss of rare ones
    return Side(tokenizer, network, bundle.max_length)


def _unknown(tokenizer: Tokenizer) -> int:
    """The id of the piece that stands for whatever has none."""
    return int(json.loads(tokenizer.to_str())["model"]["unk_id"])


def _texts(data: Path) -> Iterator[tuple[str, list[str]]]:
    """The distinct prepared texts of each source; the sides of a dataset in one language are one source."""
    files: dict[str, dict[Path, str]] = {}
    for pattern, column in _SOURCES.items():
        for file in sorted(data.glob(pattern)):
            name = file.stem if file.suffix == ".csv" else f"{file.parent.name} {file.stem.partition('_')[0]}"
            files.setdefault(name, {})[file] = column
    if not files:
        raise BenchmarkError(f"{data}: --data", f"has none of {', '.join(_SOURCES)}", "Give the folder of public data")
    for name, columns in files.items():
        yield name, distinct(text for file, column in columns.items() for text in prepared(file, column))


if __name__ == "__main__":
    start(app)
