"""Loops over single events, compiled. The folder they are kept in is the attack kernels' private one."""
