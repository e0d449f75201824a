"""Benchmarks: each figure beside a floor measured in the same run. Run with `make bench`, never as tests."""
