"""The hub: one self-hosted service that verifies, logs and serves signed signals."""
