"""Witnessing the logs of others: cosigning what continues all that was seen before (C2SP tlog-witness)."""
