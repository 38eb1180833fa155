"""Whether a fix keeps what the code does, told without running a line of it."""
