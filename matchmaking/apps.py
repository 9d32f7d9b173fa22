"""Django's registration of the app."""

from django.apps import AppConfig


class MatchmakingConfig(AppConfig):
    """Pools, tickets and matches."""

    name = "matchmaking"
    default_auto_field = "django.db.models.BigAutoField"
