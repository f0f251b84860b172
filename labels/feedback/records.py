"""Corrections as records to learn from, and as mentions to label again where people disagree.

What is corrected is a text towards a target, under whatever id it came, and however its links, handles and blanks are
written. Of what one person says of a group of its tags the newest counts, and people must agree: no majority is taken,
since few correct one mention.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labels.feedback.correction import Correction
from labels.record import Record
from labels.task import key
from model.errors import TympanError
from model.language import detect
from model.mention import Mention, prepare, wording
from model.taxonomy import Group, Taxonomy
from model.watchlist import Watchlist

SOURCE = "feedback"
"""The source of these records."""
_Key = tuple[str, str | None]  # a prepared text, and towards whom it is read


@dataclass(frozen=True)
class Gathered:
    """What corrections come to. `disputes` are rows of a file for `tympan labels push`, each with its reasons.

    `problems` name the corrections that were left out, by id: their tags are none of the taxonomy's, or
    their watchlist names an organisation twice.
    """

    records: list[Record] = field(default_factory=list)
    disputes: list[dict[str, str | None]] = field(default_factory=list)
    problems: list[TympanError] = field(default_factory=list)


@dataclass(frozen=True)
class _Settled:
    """What is known of one group: the tags that are right, and those of which nobody said anything."""

    tags: tuple[str, ...]
    unsure: tuple[str, ...] = ()


def gather(corrections: Iterable[Correction], taxonomy: Taxonomy) -> Gathered:
    """Corrections, the earlier ones first, under the present names of `taxonomy`.

    A group on which people disagree is left out of the mention's record. So is an exclusive one of which it is only
    known what is wrong: the loss has no place for that.
    """
    found = Gathered()
    for said in _by_mention(corrections):
        by_group: dict[str, list[Correction]] = defaultdict(list)
        for correction in said:
            try:
                present = correction.current(taxonomy)
                Watchlist(present.watchlist)  # one that an earlier release kept may list a name twice
            except TympanError as error:
                found.problems.append(_problem(correction, error))
            else:
                by_group[correction.group].append(present)
        settled: dict[str, _Settled] = {}
        reasons = []
        for name, opinions in by_group.items():
            answer = _settle(opinions, taxonomy.group(name))
            if answer is None:
                reasons.append(f"{name}: {' or '.join(dict.fromkeys(map(_told, opinions)))}")
            else:
                settled[name] = answer
        if settled:
            counted = [opinion for name in settled for opinion in by_group[name]]
            found.records.append(_record(counted, settled))
        if reasons:
            newest = max(said, key=lambda correction: correction.at)
            row = {"id": newest.mention, "text": newest.text, "target": newest.target}
            watchlist = Watchlist(newest.watchlist).to_json() if newest.watchlist else None
            found.disputes.append({**row, "watchlist": watchlist, "reason": "; ".join(reasons)})
    return found


def _by_mention(corrections: Iterable[Correction]) -> list[list[Correction]]:
    """Of every mention, the newest correction of each person and group."""
    newest: dict[tuple[_Key, str, str], Correction] = {}
    for correction in corrections:
        place = (prepare(correction.text), correction.target), correction.group, correction.who
        if place not in newest or newest[place].at <= correction.at:
            newest[place] = correction
    found: dict[_Key, list[Correction]] = defaultdict(list)
    for (mention, _, _), correction in newest.items():
        found[mention].append(correction)
    return list(found.values())


def _settle(opinions: Sequence[Correction], group: Group) -> _Settled | None:
    """What several people's opinions come to; None if they disagree or somebody must say what is right."""
    answers = [group.close(opinion.tags) for opinion in opinions if opinion.tags is not None]
    wrong = {path for opinion in opinions for path in opinion.wrong or ()}
    if not answers:
        if group.kind == "exclusive":
            return None
        # What is below a wrong tag is wrong too, and would make it unknown again if it were unsure.
        known = {path for path in group.paths if group.close([path]) & wrong}
        return _Settled((), tuple(path for path in group.paths if path not in known))
    right = answers[0]
    if any(answer != right for answer in answers) or right & wrong:
        return None
    return _Settled(tuple(group.deepest(path for path in group.paths if path in right)))


def _record(said: Sequence[Correction], settled: dict[str, _Settled]) -> Record:
    newest = max(said, key=lambda correction: correction.at)
    return Record(
        id=key(Mention(newest.mention, newest.text, target=newest.target)),
        text=newest.text,
        lang=newest.lang or detect(wording(prepare(newest.text))),
        target=newest.target,
        watchlist=newest.watchlist,
        tags={name: answer.tags for name, answer in settled.items()},
        unsure={name: answer.unsure for name, answer in settled.items() if answer.unsure},
        source=SOURCE,
        annotators=tuple(sorted({correction.who for correction in said})),
    )


def _told(opinion: Correction) -> str:
    if opinion.wrong:
        return f"not {', '.join(opinion.wrong)}"
    return ", ".join(opinion.tags or ()) or "none"


def _problem(correction: Correction, error: TympanError) -> TympanError:
    return type(error)(f"correction {correction.id!r}: {error.where}", error.problem, error.remedy)
