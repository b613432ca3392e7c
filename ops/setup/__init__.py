"""What makes a machine ready for mutt, step by step."""
