"""A fuzz run of the API from its own documentation: `make fuzz`."""
