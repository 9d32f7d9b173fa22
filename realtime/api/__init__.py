"""REST: accounts, game sessions, hosted events."""
