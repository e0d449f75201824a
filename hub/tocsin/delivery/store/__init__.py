"""What the hub remembers of deliveries: receivers, their queues, the items in them, and every attempt."""
