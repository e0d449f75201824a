"""What two parties must agree on: the wire of Tocsin, pure and without I/O."""
