"""Staff's view of pools, tickets and matches."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from matchmaking.models import Match, MatchPlayer, Pool, Rating, Ticket
from realtime.admin import ReadOnlyAdmin, ReadOnlyInline

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

    @display(description="Status", ordering="status", label=_TICKET_COLORS)
    def show_status(self, ticket: Ticket) -> str:
        """Show the status in its colour."""
        return ticket.status


class PlayersInline(ReadOnlyInline):
    """The players of a match."""

    model = MatchPlayer
    fields: ClassVar = ("user_id", "display_name", "rating", "color", "team", "ticket_id")
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
    inlines = (PlayersInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Match]:
        """Read the players of a page in one query."""
        matches: QuerySet[Match] = super().get_queryset(request)
        return matches.prefetch_related("players")

    @display(description="Players")
    def show_players(self, match: Match) -> str:
        """Show who plays."""
        return " - ".join(player.display_name for player in match.players.all())

    @display(description="Status", ordering="status", label=_MATCH_COLORS)
    def show_status(self, match: Match) -> str:
        """Show the status in its colour."""
        return match.status
