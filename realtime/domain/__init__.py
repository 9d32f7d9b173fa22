"""Rules of presence in a game session, in pure Python."""
