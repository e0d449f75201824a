"""The board: its chain of records, who it lets in and out, and the policy it sets."""
