"""How this software calls addresses that came from outside: one guarded client, and the tokens and keys of peers."""
