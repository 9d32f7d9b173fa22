"""How frames, answers and presence travel between sockets, Redis and PostgreSQL."""
