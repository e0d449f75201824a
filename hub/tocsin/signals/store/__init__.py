"""What the hub remembers of signals: tables, and the queries of each use case."""
