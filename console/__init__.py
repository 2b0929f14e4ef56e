"""Where people come in: the command line, the embedded stack, the composition root."""
