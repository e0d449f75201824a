"""Streams: a transmitter of the OpenID Shared Signals Framework 1.0, by push (RFC 8935) and by poll (RFC 8936)."""
