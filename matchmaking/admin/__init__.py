"""Staff's view of pools, tickets, matches and absences."""

from matchmaking.admin import absences, matches, pools, tickets

__all__ = ["absences", "matches", "pools", "tickets"]
