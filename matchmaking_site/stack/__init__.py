"""Everything on one machine with one command: ``python -m matchmaking_site.stack``.

The supervisor knows processes, not Django: settings are read by its children only.
"""
