"""What operators touch: commands, the stack for one machine, the demonstration."""
