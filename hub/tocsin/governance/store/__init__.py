"""What the hub remembers of the board: its records, and the work that leads to them."""
