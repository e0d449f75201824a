"""Webhooks: members' endpoints are told what happened, signed, at least once and within seconds."""
