"""Signals: what members say, what the hub records of it, and what it tells who."""
