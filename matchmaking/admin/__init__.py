"""Staff's view of pools, parties, tickets, matches and absences."""

from matchmaking.admin import absences, matches, parties, pools, tickets

__all__ = ["absences", "matches", "parties", "pools", "tickets"]
