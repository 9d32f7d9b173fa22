"""Staff's view of tickets."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from redis.exceptions import RedisError
from unfold.decorators import action, display

from matchmaking.admin.parts import lines
from matchmaking.models import Ticket
from matchmaking.services import explain, staff
from realtime.admin import ReadOnlyAdmin
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
SHOWN_CANDIDATES = 20


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
    readonly_fields = ("show_connections", "show_explanation")
    exclude = ("latencies_ms",)
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
        return lines([_told(connection) for connection in connections]) or "None."

    @display(description="Why it is not matched")
    def show_explanation(self, ticket: Ticket) -> str:
        """Show whom each rule turns away, the nearest first."""
        if ticket.status != Ticket.Status.SEARCHING:
            return "It does not search."
        told = explain.explain_in_full(ticket, now=database_now())
        short = told.explanation
        away = ", ".join(f"{rule} {count}" for rule, count in short.turned_away.items() if count)
        said = [f"{short.reason}: {short.candidates} others wait; turned away by {away or 'nothing'}"]
        if short.nearest is not None:
            said.append(f"nearest: gap {short.nearest.gap:g}, fits in {short.nearest.fits_in_seconds} s")
        said += [
            f"{c.user_id}, {c.rating:g} (gap {c.gap:g}), waits {c.waited_seconds:g} s:"
            f" {', '.join(c.turned_away_by) or 'fits'}"
            for c in told.candidates[:SHOWN_CANDIDATES]
        ]
        return lines(said)

    @action(description="Cancel the tickets", permissions=["cancel"])
    def cancel_tickets(self, request: HttpRequest, chosen: QuerySet[Ticket]) -> None:
        """Take the players out of the queue; reserved ones after their match is rolled back."""
        ended = staff.cancel_tickets(list(chosen.values_list("id", flat=True)), now=database_now())
        self.message_user(request, f"{ended} tickets cancelled.")


def _told(connection: presence.Connection) -> str:
    def at(moment: datetime | None) -> str:
        return f"{moment:%H:%M:%S}" if moment else "never"

    state = "process dead" if not connection.is_alive else "stale" if connection.is_stale else "open"
    return (
        f"{connection.connection_id}: {state}, last ping {at(connection.last_ping_at)},"
        f" last sign of life {at(connection.last_pong_at)}, {connection.missed} missed"
    )
