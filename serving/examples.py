"""Worked examples for /docs, in the three languages of the shipped model."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "fr": {
        "summary": "French: a customer who leaves, and for whom",
        "value": {
            "mentions": [
                {"id": "m1", "text": "Je quitte Orange pour Free, troisième panne du mois !", "lang": "fr"},
                {"id": "m2", "text": "Bonjour @free, comment changer le mot de passe du wifi ?", "answered": False},
            ],
            "watchlist": [
                {"name": "Free", "role": "brand", "aliases": ["freebox"]},
                {"name": "Orange", "role": "competitor", "aliases": ["@orange_conseil"]},
            ],
        },
    },
    "it": {
        "summary": "Italian: tags towards a target, without a watchlist",
        "value": {
            "mentions": [
                {
                    "id": "m1",
                    "text": "Con Acquachiara manca l'acqua da due giorni e nessuno risponde.",
                    "target": "Acquachiara",
                },
                {"id": "m2", "text": "Grazie al tecnico di stamattina, gentilissimo!", "created_at": "2026-03-02"},
            ],
        },
    },
    "en": {
        "summary": "English: only what is quite sure, and a mention that fails alone",
        "value": {
            "mentions": [
                {"id": "m1", "text": "I'd book tonight but your checkout crashes at payment. What can I do?"},
                {"id": "m2", "text": ""},
            ],
            "min_score": 0.4,
        },
    },
}

ANSWERS: dict[str, Any] = {
    "fr": {
        "summary": "Churn towards the competitor, purchase towards the brand",
        "value": {
            "model": "listening-3f1c0a9b7d2e",
            "taxonomy": "listening@1.0",
            "results": [
                {
                    "id": "m1",
                    "lang": "fr",
                    "tags": {"intent": [{"tag": "purchase", "score": 0.91}], "topic": []},
                    "targets": [
                        {
                            "name": "Free",
                            "role": "brand",
                            "tags": {"intent": [{"tag": "purchase", "score": 0.91}], "topic": []},
                        },
                        {
                            "name": "Orange",
                            "role": "competitor",
                            "tags": {
                                "intent": [{"tag": "churn", "score": 0.98}, {"tag": "friction", "score": 0.95}],
                                "topic": [{"tag": "service", "score": 0.94}, {"tag": "service/outage", "score": 0.93}],
                            },
                        },
                    ],
                    "priority": "high",
                    "priority_reason": "Veut acheter : une réponse peut faire la vente (Free)",
                    "owner": "sales",
                }
            ],
        },
    },
    "en": {
        "summary": "A mention that was tagged, and one that could not be",
        "value": {
            "model": "listening-3f1c0a9b7d2e",
            "taxonomy": "listening@1.0",
            "results": [
                {
                    "id": "m1",
                    "lang": "en",
                    "tags": {
                        "intent": [
                            {"tag": "friction", "score": 0.96},
                            {"tag": "purchase", "score": 0.88},
                            {"tag": "help", "score": 0.71},
                        ],
                        "topic": [{"tag": "digital", "score": 0.95}, {"tag": "digital/checkout", "score": 0.94}],
                    },
                    "targets": [],
                    "priority": "high",
                    "priority_reason": "Would buy, but something stands in the way",
                    "owner": "digital",
                },
                {
                    "id": "m2",
                    "error": {
                        "code": "text_empty",
                        "title": "The text is empty",
                        "detail": "text: is empty. Send the text of the mention",
                        "pointer": "#/mentions/1/text",
                    },
                },
            ],
        },
    },
}
