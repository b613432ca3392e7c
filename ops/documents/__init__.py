"""Documents that are generated: pages.py is the list, `python -m ops.documents write` writes them."""
