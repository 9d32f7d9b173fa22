"""Django's registration of the app."""

from django.apps import AppConfig


class ChallengesConfig(AppConfig):
    """Direct challenges."""

    name = "challenges"
    default_auto_field = "django.db.models.BigAutoField"
