"""What passes through a running stack, row by row."""
