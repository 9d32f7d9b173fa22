"""Pools, tickets and matches: who meets whom, and that both are really there."""
