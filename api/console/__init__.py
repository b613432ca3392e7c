"""The console: server-rendered pages over version 2 of the API, for people in a browser."""
