"""Staff's view of pools, parties, tickets and matches."""

from matchmaking.admin import matches, parties, pools, tickets

__all__ = ["matches", "parties", "pools", "tickets"]
