"""The composition root: settings, URLs, sockets, Celery, and the one command that runs everything."""
