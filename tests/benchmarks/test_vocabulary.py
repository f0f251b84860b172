"""The trimmed vocabulary against the full one, on a tiny encoder that also knows Cyrillic."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.errors import BenchmarkError
from benchmarks.vocabulary import Comparison, Counts, app
from model.bundle import Bundle
from tests.benchmarks import trained
from tests.encoders import tiny_encoder
from training import encoder as encoders


@pytest.fixture(scope="module")
def comparison(small: Path, encoder_folder: Path) -> Comparison:
    return Comparison.of(Bundle.read(small), encoders.load(str(encoder_folder)))


def test_texts_in_the_kept_languages_lose_nothing(comparison: Comparison) -> None:
    counts = comparison.counts(trained.texts())
    assert counts == Counts(texts=80, tokens=counts.tokens)
    assert counts.tokens > 80


def test_texts_in_another_script_are_cut_otherwise(comparison: Comparison) -> None:
    counts = comparison.counts(trained.FOREIGN)
    assert 0 < counts.tokens_differ <= counts.texts == len(trained.FOREIGN)


def test_texts_with_the_same_tokens_get_the_same_answer(comparison: Comparison) -> None:
    assert comparison.drift(trained.texts()) == 0.0
    assert comparison.drift(trained.FOREIGN) == 0.0  # those that have other tokens do not count


def test_other_tokens_are_another_answer_of_the_same_network(comparison: Comparison) -> None:
    full, trimmed = (side.logits(trained.FOREIGN) for side in (comparison.full, comparison.trimmed))
    assert full.shape == trimmed.shape
    assert abs(full - trimmed).max() > 1e-4


def test_counts_add_up() -> None:
    one = Counts(texts=4, tokens=100, unknown_full=1, unknown_trimmed=3, tokens_differ=2, tags_differ=1)
    assert asdict(one + one) == {name: 2 * value for name, value in asdict(one).items()}
    assert (one + one).more_unknown == pytest.approx(0.02)
    assert (one + one).same_tags == pytest.approx(0.75)


def test_the_program_reads_both_sources_and_says_whether_the_bounds_hold(
    small: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    data, page = tmp_path / "data", tmp_path / "page.md"
    (data / "mentions").mkdir(parents=True)
    (data / "xlmt").mkdir()
    rows = "".join(f'{number},"{text}"\n' for number, text in enumerate(trained.texts()))
    (data / "mentions" / "fr_shop.csv").write_text("id,message\n" + rows, encoding="utf-8")
    for side, texts in {"train": trained.PROBLEMS, "test": trained.PRAISES}.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (data / "xlmt" / f"it_{side}.jsonl").write_text(lines, encoding="utf-8")
    options = ["--bundle", str(small), "--encoder", str(encoder_folder), "--markdown", str(page)]
    result = CliRunner().invoke(app, ["--data", str(data), *options], catch_exceptions=False)
    assert result.exit_code == 0
    written = page.read_text(encoding="utf-8")
    assert "| fr_shop | 80 |" in written
    assert "| xlmt it | 8 |" in written
    assert "| all | 88 |" in written
    assert written.count("100.00 |") == 3
    assert ": held." in written


def test_an_encoder_that_the_bundle_was_not_trained_from_is_refused(small: Path, tmp_path: Path) -> None:
    other = tiny_encoder(tmp_path / "other", [text.upper() for text in trained.texts()])
    with pytest.raises(BenchmarkError, match="is not what it was trained from"):
        Comparison.of(Bundle.read(small), encoders.load(str(other)))


def test_word_embeddings_that_were_trained_are_refused(small: Path, encoder_folder: Path) -> None:
    encoder = encoders.load(str(encoder_folder))
    encoder.network.get_input_embeddings().weight.data += 1
    with pytest.raises(BenchmarkError, match="frozen embeddings"):
        Comparison.of(Bundle.read(small), encoder)


def test_a_folder_without_the_public_data_is_refused(small: Path, encoder_folder: Path, tmp_path: Path) -> None:
    options = ["--data", str(tmp_path), "--bundle", str(small), "--encoder", str(encoder_folder)]
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, BenchmarkError)
