"""Staff's view of game sessions and of their participants' connections."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from realtime.models import GameSession, Participant

_COLORS = {"lobby": "success", "finished": "info"}


class ReadOnlyAdmin(ModelAdmin):
    """What the service writes is looked at here, and changed by services alone."""

    def has_add_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody changes rows by hand."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody deletes rows by hand."""
        return False


class ReadOnlyInline(TabularInline):
    """Rows that belong to one, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        """Nobody adds rows by hand."""
        return False


class ParticipantsInline(ReadOnlyInline):
    """The participants of a session."""

    model = Participant
    fields: ClassVar = (
        "display_name",
        "user_id",
        "connection_state",
        "came_at",
        "dropped_at",
        "left_at",
        "left_reason",
    )
    readonly_fields = fields


@admin.register(GameSession)
class GameSessionAdmin(ReadOnlyAdmin):
    """Sessions, running and finished."""

    list_display = ("id", "tenant_id", "show_phase", "match_id", "started_at", "finished_at")
    list_filter = ("phase", "tenant_id")
    search_fields = ("=id", "=match_id", "=participants__user_id")
    search_help_text = "A session's, match's or user's id."
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (ParticipantsInline,)

    @display(description="Phase", ordering="phase", label=_COLORS)
    def show_phase(self, session: GameSession) -> str:
        """Show the phase in its colour."""
        return session.phase
