"""The board's published decisions: fetched, verified and explained, and a seat's own ballot."""
