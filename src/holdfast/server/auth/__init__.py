"""Who comes in, and what they may do: passwords, sessions of browsers, tokens of programs, rights of roles."""
