"""The log: what was recorded, in one order, for everybody to follow."""
