"""The use cases of streams: managing them, telling what happened, by push and by poll, and keeping them in order."""
