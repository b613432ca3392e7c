"""What a plan does to the system, one module for each kind of thing that it is done to."""
