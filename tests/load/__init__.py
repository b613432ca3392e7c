"""Load on real servers while something downstream is slow, down or changing; the books are balanced after each."""
