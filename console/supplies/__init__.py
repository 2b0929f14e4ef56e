"""Supply points on the command line: the commands of their life, and how one is shown."""
