"""Where one app's callbacks are given to another."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The composition root."""

    name = "matchmaking_site"

    def ready(self) -> None:
        """Let the end of a game session end its match, and give every process the Celery application."""
        import matchmaking_site.celery  # noqa: F401 - importing it is what makes it the default
        from matchmaking.services import endings
        from realtime.services import rooms

        rooms.session_finished_listeners.append(endings.finish)
