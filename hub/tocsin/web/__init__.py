"""HTTP at the edge of the hub: problems, authentication, bodies, the request log, health."""
