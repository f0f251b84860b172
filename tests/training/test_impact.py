"""What a new model would change in the counts of recent mentions."""

from __future__ import annotations

from pathlib import Path

from labels.record import Record
from model.tagger import Tagger
from tests.bundles import keyword_bundle
from training.impact import shifts


def reading(folder: Path, *words: str) -> Tagger:
    """A tagger that takes each of `words` for friction."""
    return Tagger.load(keyword_bundle(folder, words={"intent/friction": list(words)}), threads=1)


def test_every_tag_that_flips_is_counted_and_shown_by_mentions_that_gain_or_lose_it(tmp_path: Path) -> None:
    mentions = [
        Record(id=f"{word}-{number}", text=word, tags={})
        for word, count in (("panne", 2), ("cher", 5), ("merci", 4))
        for number in range(count)
    ]
    before, after = reading(tmp_path / "a", "panne"), reading(tmp_path / "b", "cher")
    (shift,) = shifts(mentions, before, after)
    assert (shift.label, shift.before, shift.after, shift.gained, shift.lost) == ("intent/friction", 2, 5, 5, 2)
    assert shift.examples == ("−panne-0", "−panne-1", "+cher-0")
    assert shift.to_dict()["examples"] == list(shift.examples)
    assert shifts(mentions, before, before) == []
