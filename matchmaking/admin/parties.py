"""Staff's view of parties."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from matchmaking import party_selectors
from matchmaking.models import Party, PartyInvitation, PartyMember
from realtime.admin import ReadOnlyAdmin, ReadOnlyInline

_PARTY_COLORS = {"IDLE": "info", "QUEUED": "warning", "PLAYING": "success", "DISBANDED": "danger"}


class MembersInline(ReadOnlyInline):
    """Who is in a party, in the order of joining."""

    model = PartyMember
    fields: ClassVar = ("user_id", "display_name", "priority_seconds", "joined_at")
    readonly_fields = fields


class InvitationsInline(ReadOnlyInline):
    """Who may join a party."""

    model = PartyInvitation
    fields: ClassVar = ("user_id", "invited_by", "created_at")
    readonly_fields = fields


@admin.register(Party)
class PartyAdmin(ReadOnlyAdmin):
    """Parties: who is in them, and what they are doing."""

    list_display = ("id", "leader_id", "show_members", "tenant_id", "created_at", "disbanded_at")
    list_filter = ("tenant_id", ("disbanded_at", admin.EmptyFieldListFilter))
    search_fields = ("=id", "=members__user_id", "members__display_name__istartswith")
    search_help_text = "A party's or a member's id, or the beginning of a name."
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = ("show_status", "show_tickets")
    inlines = (MembersInline, InvitationsInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Party]:
        """Count the members, in the same query."""
        parties: QuerySet[Party] = super().get_queryset(request)
        return parties.annotate(member_count=Count("members", distinct=True))

    @display(description="Members", ordering="member_count")
    def show_members(self, party: Party) -> int:
        """Show how many are in it."""
        return int(getattr(party, "member_count", 0))

    @display(description="Status", label=_PARTY_COLORS)
    def show_status(self, party: Party) -> str:
        """Show what it is doing, in its colour."""
        return party_selectors.status_of(party).value

    @display(description="Tickets")
    def show_tickets(self, party: Party) -> str:
        """Link to all tickets that it has queued with."""
        url = f"{reverse('admin:matchmaking_ticket_changelist')}?party__id__exact={party.id}"
        return format_html('<a href="{}">{} tickets</a>', url, party.tickets.count())
