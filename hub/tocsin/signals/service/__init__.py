"""The use cases of signals, one module each: submit, read, expire."""
