"""Staff's view of pools, tickets and matches."""

from matchmaking.admin import matches, pools, tickets

__all__ = ["matches", "pools", "tickets"]
