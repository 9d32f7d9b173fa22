"""Staff's view of pools, tickets and matches."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from matchmaking.domain.health import latency_ms
from matchmaking.models import FailedAttempt, Match, MatchPlayer, Pool, Rating, Ticket
from matchmaking.services import staff
from matchmaking.timeline import timeline
from realtime.admin import ReadOnlyAdmin, ReadOnlyInline
from realtime.transport import presence
from realtime.transport.auth import player_address
from realtime.transport.database import database_now

_TICKET_COLORS = {
    "SEARCHING": "info",
    "RESERVED": "warning",
    "MATCHED": "success",
    "CANCELLED": "danger",
    "TIMED_OUT": "danger",
}
_MATCH_COLORS = {
    "PROPOSED": "warning",
    "AWAITING_ACCEPTANCE": "warning",
    "CONFIRMED": "success",
    "FINISHED": "info",
    "CANCELLED": "danger",
}


@admin.register(Pool)
class PoolAdmin(ModelAdmin):
    """Pools, with their rules."""

    list_display = ("key", "tenant_id", "name", "mode", "preset", "show_window", "show_waiting", "is_active")
    list_filter = ("is_active", "tenant_id", "mode", "preset")
    search_fields = ("key", "name", "tenant_id")
    fieldsets = (
        (None, {"fields": ("tenant_id", "key", "name", "is_active", "ordering")}),
        ("Game", {"fields": ("mode", "time_control", "rated")}),
        (
            "Rating window",
            {
                "fields": ("preset", "rule", "radius", "growth_per_second", "step_seconds", "cap"),
                "description": "A preset sets the fields below it; choose “custom” to set them yourself.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pool]:
        """Count who waits, in the same query."""
        waiting = Count("tickets", filter=Q(tickets__status__in=Ticket.LIVE))
        pools: QuerySet[Pool] = super().get_queryset(request)
        return pools.annotate(waiting=waiting)

    @display(description="Window")
    def show_window(self, pool: Pool) -> str:
        """Show how the window begins and grows."""
        cap = "" if pool.cap is None else f", at most ±{pool.cap:g}"
        return f"±{pool.radius:g}, +{pool.growth_per_second:g}/s{cap}"

    @display(description="Waiting", ordering="waiting")
    def show_waiting(self, pool: Pool) -> int:
        """Show how many wait."""
        return int(getattr(pool, "waiting", 0))


@admin.register(Rating)
class RatingAdmin(ModelAdmin):
    """Ratings, by player and pool."""

    list_display = ("user_id", "pool", "value")
    list_filter = ("pool",)
    search_fields = ("user_id",)
    list_select_related = ("pool",)


@admin.register(Ticket)
class TicketAdmin(ReadOnlyAdmin):
    """Tickets: who waits, who waited, and how it ended."""

    list_display = (
        "display_name",
        "user_id",
        "pool",
        "show_status",
        "rating",
        "queued_at",
        "unreachable_since",
        "cancel_reason",
    )
    list_filter = ("status", "pool", "tenant_id", "cancel_reason")
    search_fields = ("=id", "=user_id", "display_name__istartswith")
    search_help_text = "A ticket's or a user's id, or the beginning of a name."
    list_select_related = ("pool",)
    date_hierarchy = "queued_at"
    show_full_result_count = False
    readonly_fields = ("show_connections",)
    actions = ("cancel_tickets",)

    @display(description="Status", ordering="status", label=_TICKET_COLORS)
    def show_status(self, ticket: Ticket) -> str:
        """Show the status in its colour."""
        return ticket.status

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may change tickets may cancel them, which is the one change there is."""
        return bool(request.user.has_perm("matchmaking.change_ticket"))

    @display(description="Connections now")
    def show_connections(self, ticket: Ticket) -> str:
        """Show the heartbeats of the player's connections, as Redis has them."""
        address = player_address(ticket.tenant_id, ticket.user_id)
        try:
            connections = presence.connections_of([address], now=database_now())[address]
        except RedisError:
            return "Redis does not answer."
        return _lines([_told(connection) for connection in connections]) or "None."

    @action(description="Cancel the tickets", permissions=["cancel"])
    def cancel_tickets(self, request: HttpRequest, chosen: QuerySet[Ticket]) -> None:
        """Take the players out of the queue; reserved ones after their match is rolled back."""
        ended = staff.cancel_tickets(list(chosen.values_list("id", flat=True)), now=database_now())
        self.message_user(request, f"{ended} tickets cancelled.")


def _lines(texts: Sequence[str]) -> str:
    return format_html_join("", "<div>{}</div>", ((text,) for text in texts))


def _told(connection: presence.Connection) -> str:
    def at(moment: datetime | None) -> str:
        return f"{moment:%H:%M:%S}" if moment else "never"

    state = "process dead" if not connection.is_alive else "stale" if connection.is_stale else "open"
    return (
        f"{connection.connection_id}: {state}, last ping {at(connection.last_ping_at)},"
        f" last sign of life {at(connection.last_pong_at)}, {connection.missed} missed"
    )


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
    list_filter = ("status", "cancel_reason", "pool", "tenant_id")
    search_fields = ("=id", "=game_id", "=players__user_id", "players__display_name__istartswith")
    search_help_text = "A match's, game's or user's id, or the beginning of a name."
    list_select_related = ("pool",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = ("show_timeline",)
    inlines = (PlayersInline,)
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
        return _lines([f"{entry.at:%H:%M:%S.%f}"[:-3] + f"  {entry.what}" for entry in timeline(match)])

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
