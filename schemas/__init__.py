"""Shapes: what travels on the topics and what is stored in the tables. Imports no other folder of mutt."""
