"""The main job, end to end, told as it happens: `tocsin-hub demo`."""

from tocsin.demo.story import main

__all__ = ["main"]
