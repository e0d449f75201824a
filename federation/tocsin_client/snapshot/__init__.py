"""Snapshots: a set of fixed-width keys in a form close to the fewest bits there can be, and what changed between two.

`keys` has sorted keys as arrays, `rice` the codes, `shard` a part of a set as one file that can be searched where it
lies, `delta` what leads from one version of a set to a later one. The format is in federation/PROTOCOL.md §10; its
encoding is canonical, so that whoever holds the same keys makes the same bytes.

Nothing here knows where keys come from. Everything needs NumPy, which the extras `[hash]` and `[hub]` bring.
"""
