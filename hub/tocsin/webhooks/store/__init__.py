"""What the hub remembers of webhooks."""
