"""Django's registration of the app."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Sockets, presence and game sessions."""

    name = "realtime"
    default_auto_field = "django.db.models.BigAutoField"
