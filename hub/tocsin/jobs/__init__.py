"""The periodic jobs: each does all that is due, in bounded batches, under a lease."""
