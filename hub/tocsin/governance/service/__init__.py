"""The use cases of the board, one module each."""
