"""Members: organisations and their owners, keys, communities, OAuth clients and tokens."""
