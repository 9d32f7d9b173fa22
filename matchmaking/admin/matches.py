"""Staff's view of matches, those that were rolled back too."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action, display

from matchmaking.admin.parts import lines
from matchmaking.domain.health import latency_ms
from matchmaking.models import Absence, FailedAttempt, Match, MatchPlayer
from matchmaking.services import staff
from matchmaking.timeline import timeline
from realtime.admin import ReadOnlyAdmin, ReadOnlyInline
from realtime.transport.database import database_now

_MATCH_COLORS = {
    "PROPOSED": "warning",
    "AWAITING_ACCEPTANCE": "warning",
    "CONFIRMED": "success",
    "FINISHED": "info",
    "CANCELLED": "danger",
}


class PlayersInline(ReadOnlyInline):
    """The players of a match, and what was seen of them."""

    model = MatchPlayer
    fields: ClassVar = (
        "user_id",
        "display_name",
        "rating",
        "color",
        "team",
        "answered_at",
        "acknowledged_at",
        "connections",
        "heard_at",
        "is_cause",
        "outcome",
        "ticket_id",
    )
    readonly_fields = fields


class AbsencesInline(ReadOnlyInline):
    """Who did not come to a match, or did not stay."""

    model = Absence
    fields: ClassVar = ("user_id", "kind", "at", "lifted_at", "lifted_by")
    readonly_fields = fields
    show_change_link = True


@admin.register(Match)
class MatchAdmin(ReadOnlyAdmin):
    """Matches, those that were rolled back too."""

    list_display = (
        "id",
        "show_players",
        "pool",
        "show_status",
        "stage",
        "cancel_reason",
        "created_at",
        "confirmed_at",
    )
    list_filter: ClassVar[tuple[str, ...]] = ("status", "cancel_reason", "is_arranged", "pool", "tenant_id")
    search_fields = ("=id", "=game_id", "=players__user_id", "players__display_name__istartswith")
    search_help_text = "A match's, game's or user's id, or the beginning of a name."
    list_select_related = ("pool",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = ("show_timeline",)
    inlines = (PlayersInline, AbsencesInline)
    actions: ClassVar[tuple[str, ...]] = ("end_matches",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Match]:
        """Read the players of a page in one query."""
        matches: QuerySet[Match] = super().get_queryset(request)
        return matches.prefetch_related("players")

    def get_fields(self, request: HttpRequest, obj: Match | None = None) -> list[str]:
        """Put the timeline first: it is what one comes for."""
        fields = [name for name in super().get_fields(request, obj) if name != "show_timeline"]
        return ["show_timeline", *fields]

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Who may change matches may end them, which is the one change there is."""
        return bool(request.user.has_perm("matchmaking.change_match"))

    @display(description="Players")
    def show_players(self, match: Match) -> str:
        """Show who plays."""
        return " - ".join(player.display_name for player in match.players.all())

    @display(description="Status", ordering="status", label=_MATCH_COLORS)
    def show_status(self, match: Match) -> str:
        """Show the status in its colour."""
        return match.status

    @display(description="Timeline")
    def show_timeline(self, match: Match) -> str:
        """Tell the match step by step."""
        return lines([f"{entry.at:%H:%M:%S.%f}"[:-3] + f"  {entry.what}" for entry in timeline(match)])

    @action(description="End the matches", permissions=["end"])
    def end_matches(self, request: HttpRequest, chosen: QuerySet[Match]) -> None:
        """Roll back what is in flight, end what is confirmed."""
        ended = staff.end_matches(list(chosen.values_list("id", flat=True)), now=database_now())
        self.message_user(request, f"{ended} matches ended.")


@admin.register(FailedAttempt)
class FailedAttemptAdmin(MatchAdmin):
    """Matches that were rolled back: why, while doing what, and what became of the players."""

    list_display = (
        "finished_at",
        "cancel_reason",
        "failed_stage",
        "show_players",
        "show_causers",
        "pool",
        "show_took",
        "game_cancel_due",
    )
    list_filter = ("cancel_reason", "failed_stage", "pool", "tenant_id")
    date_hierarchy = "finished_at"
    actions: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Match]:
        """Leave out what came about."""
        return super().get_queryset(request).filter(status=Match.Status.CANCELLED)

    @display(description="Because of")
    def show_causers(self, match: Match) -> str:
        """Show whose fault it was."""
        return ", ".join(player.display_name for player in match.players.all() if player.is_cause) or "-"

    @display(description="Took")
    def show_took(self, match: Match) -> str:
        """Show how long the attempt lasted."""
        took = latency_ms(match.created_at, match.finished_at)
        return "-" if took is None else f"{took:.0f} ms"
