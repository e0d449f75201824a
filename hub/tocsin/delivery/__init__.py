"""Delivery: what is to reach a receiver is queued, sent, tried again and written down, whatever dies in between."""
