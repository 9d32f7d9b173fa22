"""Staff's view of challenges."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action, display

from challenges.models import Challenge
from challenges.services import ending
from realtime.admin import ReadOnlyAdmin
from realtime.transport.database import database_now

_COLORS = {
    "PENDING": "info",
    "ACCEPTED": "success",
    "DECLINED": "danger",
    "CANCELLED": "danger",
    "EXPIRED": "warning",
}


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyAdmin):
    """Challenges: who asked whom for what, and what came of it."""

    list_display = (
        "challenger_name",
        "show_opponent",
        "pool_key",
        "mode",
        "rated",
        "show_status",
        "created_at",
        "expires_at",
        "match_id",
    )
    list_filter = ("status", "is_open", "rated", "tenant_id")
    search_fields = ("=id", "=match_id", "=challenger_id", "=opponent_id", "challenger_name__istartswith")
    search_help_text = "A challenge's, match's or user's id, or the beginning of the challenger's name."
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("cancel_challenges",)

    @display(description="Opponent", ordering="opponent_name")
    def show_opponent(self, challenge: Challenge) -> str:
        """Show who was asked."""
        return challenge.opponent_name or "anybody"

    @display(description="Status", ordering="status", label=_COLORS)
    def show_status(self, challenge: Challenge) -> str:
        """Show the status in its colour."""
        return challenge.status

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may change challenges may cancel them, which is the one change there is."""
        return bool(request.user.has_perm("challenges.change_challenge"))

    @action(description="Cancel the challenges", permissions=["cancel"])
    def cancel_challenges(self, request: HttpRequest, chosen: QuerySet[Challenge]) -> None:
        """Take challenges back that wait for an answer; one that is being accepted stays."""
        ended = ending.cancel_by_staff(list(chosen.values_list("id", flat=True)), now=database_now())
        self.message_user(request, f"{ended} challenges cancelled.")
