"""Kills, freezes, cuts and outages on real servers while events flow; then a checker balances the books."""
