"""What the log remembers: its size, one row an entry, and what of it has been published."""
