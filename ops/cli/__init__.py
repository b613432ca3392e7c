"""The commands `mutt` and `muttdev`, one module per group."""
