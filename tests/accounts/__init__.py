"""Tests of accounts: who signs in to the console, how, and what they may do."""
