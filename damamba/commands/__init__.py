"""Subcommands of `damamba` for people with data, one module each; `add(commands)` hands its parser to the command."""
