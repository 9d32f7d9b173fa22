"""Sockets, presence, durable events and game sessions; it knows nothing of queues."""
