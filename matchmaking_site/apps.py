"""Where one app's callbacks are given to another."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The composition root."""

    name = "matchmaking_site"

    def ready(self) -> None:
        """Let what happens below be heard above, and give every process the Celery application."""
        import matchmaking_site.celery  # noqa: F401 - importing it is what makes it the default
        from challenges import selectors as challenges
        from challenges.services import outcomes
        from matchmaking import selectors as matchmaking
        from matchmaking.services import absences, arranged, endings
        from realtime.services import departures, rooms

        rooms.session_finished_listeners.append(endings.finish)
        departures.departed_listeners.append(absences.note_departures)
        arranged.confirmed_listeners.append(outcomes.note_confirmed)
        arranged.rolled_back_listeners.append(outcomes.note_rolled_back)
        matchmaking.challenge_sources.append(challenges.pending)
