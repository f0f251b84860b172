"""Measurements against public data and other tools; run by hand, never by the tests."""
