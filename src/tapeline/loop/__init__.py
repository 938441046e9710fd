"""One trading session, minute by minute: the room that does the input and output of a cycle."""
