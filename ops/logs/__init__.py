"""The logs of all parts of a development stack as one."""
