"""What the console remembers of people."""
