"""What the hub remembers of streams."""
