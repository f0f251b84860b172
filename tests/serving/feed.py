"""Half a year of invented mentions of an invented organisation, as a listening tool would export them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

HEADER = ["Date", "Author", "Followers", "Full Text", "Replied"]
START = date(2026, 1, 5)
WEEKS = 26
OUTAGE = date(2026, 6, 30)
"""The day that an outage begins, in the last week."""

_OPENINGS = {
    "fr": ["", "Franchement, ", "Bon, ", "Incroyable : ", "Depuis hier ", "Encore une fois, ", "Sérieusement, "],
    "it": ["", "Sinceramente, ", "Allora, ", "Incredibile: ", "Da ieri ", "Ancora una volta, ", "Davvero, "],
    "en": ["", "Honestly, ", "So, ", "Unbelievable: ", "Since yesterday, ", "Once again, ", "Seriously, "],
}
_ENDINGS = {
    "fr": ["", " #Nordelia", " à {town}", " depuis {n} jours", " @nordelia_aide", " https://nordelia.example/{n}"],
    "it": ["", " #Nordelia", " a {town}", " da {n} giorni", " @nordelia_aiuto", " https://nordelia.example/{n}"],
    "en": ["", " #Nordelia", " in {town}", " for {n} days", " @nordelia_help", " https://nordelia.example/{n}"],
}
_TOWNS = ["Rivemont", "Castelbruno", "Ponteverde", "Valserine", "Montelago", "Aigrefont", "Westbury"]
_SAID = {
    "leaving": {
        "fr": [
            "je résilie mon abonnement Nordelia, trop de pannes",
            "je quitte Nordelia pour Tivalo, c'est décidé",
            "dernière facture chez Nordelia, je résilie, c'est trop cher",
        ],
        "it": [
            "disdico il contratto Nordelia, troppo caro per quello che offre",
            "basta, annulla il mio abbonamento Nordelia, passo a Tivalo",
        ],
        "en": [
            "cancel my Nordelia plan, I am leaving for Tivalo",
            "leaving Nordelia after the third bill that is wrong, cancel it",
        ],
    },
    "outage": {
        "fr": ["panne Nordelia, plus aucun réseau", "toujours en panne, la box Nordelia clignote rouge"],
        "it": ["guasto Nordelia, niente rete in tutta la via", "modem Nordelia con luce rossa, ennesimo guasto"],
        "en": ["Nordelia outage, no signal on the whole street", "the Nordelia router blinks red, another outage"],
    },
    "price": {
        "fr": ["Nordelia devient trop cher, encore 3 euros de plus", "le forfait Nordelia est bien trop cher"],
        "it": ["Nordelia è diventata troppo caro, altri 3 euro al mese", "il piano Nordelia costa troppo, è caro"],
        "en": ["Nordelia is getting too expensive, 3 euros more", "the Nordelia plan is far too expensive now"],
    },
    "app": {
        "fr": ["l'appli Nordelia plante dès que j'ouvre ma facture, quel bug", "bug de connexion sur l'appli Nordelia"],
        "it": ["l'app Nordelia si blocca appena apro la bolletta, che bug", "bug di accesso nell'app Nordelia"],
        "en": ["the Nordelia app crashes whenever I open my bill, what a bug", "a login bug in the Nordelia app again"],
    },
    "wait": {
        "fr": [
            "45 minutes d'attente au service client Nordelia, aidez-moi",
            "personne ne répond chez Nordelia, aidez-moi",
        ],
        "it": ["40 minuti di attesa al servizio clienti Nordelia, aiuto", "nessuno risponde da Nordelia, aiuto"],
        "en": ["45 minutes on hold with Nordelia, please help", "nobody answers at Nordelia, can someone help"],
    },
    "buying": {
        "fr": [
            "je veux m'abonner chez Nordelia, la fibre est disponible à {town} ?",
            "quel est le prix de la fibre Nordelia, je pense m'abonner ?",
            "je pense acheter la box Nordelia, y a-t-il un engagement de douze mois ?",
            "combien coûte l'installation si je veux m'abonner à Nordelia ?",
        ],
        "it": [
            "vorrei abbonarmi a Nordelia, la fibra arriva a {town}?",
            "quanto costa la fibra Nordelia? vorrei abbonarmi",
            "voglio comprare il modem Nordelia, c'è un vincolo di dodici mesi?",
        ],
        "en": [
            "I want to subscribe to Nordelia, is fibre available in {town}?",
            "how much is Nordelia fibre? I want to subscribe",
            "thinking to buy the Nordelia router, is there a twelve month contract?",
        ],
    },
    "praise": {
        "fr": ["merci Nordelia, technicien à l'heure et très gentil", "bravo Nordelia, la fibre est vraiment rapide"],
        "it": ["grazie Nordelia, tecnico puntuale e gentile", "bravo Nordelia, fibra davvero veloce"],
        "en": ["thanks Nordelia, the technician was on time and kind", "great work Nordelia, the fibre is really fast"],
    },
    "news": {
        "fr": ["Nordelia sponsorise le tournoi de {town}", "Nordelia publie ses résultats du trimestre"],
        "it": ["Nordelia sponsor del torneo di {town}", "Nordelia pubblica i risultati del trimestre"],
        "en": ["Nordelia sponsors the tournament of {town}", "Nordelia publishes its results for the quarter"],
    },
}
_WEIGHTS = {"leaving": 4, "outage": 6, "price": 7, "app": 5, "wait": 6, "buying": 9, "praise": 8, "news": 12}
_LANGUAGES = {"fr": 55, "it": 30, "en": 15}


def mentions(*, weeks: int = WEEKS, a_week: int = 120, seed: int = 0) -> Iterator[list[str]]:
    """The rows, by moment: an outage near the end, and prices that annoy more and more."""
    chance = Random(seed)  # noqa: S311  no secret
    for week in range(weeks):
        for _ in range(round(a_week * chance.uniform(0.85, 1.15))):
            day = START + timedelta(7 * week + chance.choices(range(7), (5, 5, 5, 5, 5, 2, 2))[0])
            weights = {**_WEIGHTS, "price": 7 + max(0, week - weeks + 7)}
            yield _row(chance, day, chance.choices(list(weights), list(weights.values()))[0])
            if OUTAGE <= day < OUTAGE + timedelta(3):  # for each of the usual mentions another one
                yield _row(chance, day, chance.choices(("outage", "leaving"), (5, 2))[0])


def _row(chance: Random, day: date, theme: str) -> list[str]:
    language = chance.choices(list(_LANGUAGES), list(_LANGUAGES.values()))[0]
    text = chance.choice(_SAID[theme][language])
    if chance.random() < 0.85:
        text = chance.choice(_OPENINGS[language]) + text + chance.choice(_ENDINGS[language])
    text = text.format(town=chance.choice(_TOWNS), n=chance.randint(2, 9))
    author = f"@voice{min(int(chance.expovariate(1 / 60)), 400):03}"
    reach = int(10 ** (1.5 + int(author[-3:]) % 40 / 10))
    moment = datetime(day.year, day.month, day.day, chance.randint(7, 22), chance.randint(0, 59))
    return [
        moment.strftime("%d/%m/%Y %H:%M"),
        author,
        f"{reach:,}".replace(",", " "),
        text,
        chance.choice(["yes", "no"]),
    ]


def write_feed(path: Path, rows: Iterator[list[str]] | list[list[str]], header: list[str] = HEADER) -> Path:
    """A CSV of the rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
