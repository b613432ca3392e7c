"""Policies of the services at Vault or OpenBao, and the script that puts them there."""
