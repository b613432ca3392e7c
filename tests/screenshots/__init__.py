"""Pictures of the console, taken from a stack that runs."""
