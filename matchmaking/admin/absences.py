"""Staff's view of players who did not come to their matches, and how staff forgive them."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action, display

from matchmaking.models import Absence
from matchmaking.services import absences
from realtime.admin import ReadOnlyAdmin
from realtime.transport.database import database_now

_KIND_COLORS = {"no_show": "danger", "abandoned": "warning", "not_accepted": "danger"}


@admin.register(Absence)
class AbsenceAdmin(ReadOnlyAdmin):
    """Who did not come to a match or did not stay, and whose pause was lifted by whom."""

    list_display = ("user_id", "tenant_id", "show_kind", "at", "match", "lifted_at", "lifted_by")
    list_filter = ("kind", "tenant_id", ("lifted_at", admin.EmptyFieldListFilter))
    search_fields = ("=user_id", "=match__id")
    search_help_text = "A user's or match's id."
    list_select_related = ("match",)
    date_hierarchy = "at"
    show_full_result_count = False
    readonly_fields = ("show_pause",)
    actions: ClassVar[tuple[str, ...]] = ("lift_absences",)

    @display(description="Kind", ordering="kind", label=_KIND_COLORS)
    def show_kind(self, absence: Absence) -> str:
        """Show in what way, in its colour."""
        return absence.kind

    @display(description="Player pauses until")
    def show_pause(self, absence: Absence) -> str:
        """Show until when the player may not queue, for this and all its other absences together."""
        until = absences.pause_until(absence.tenant_id, absence.user_id, database_now())
        return f"{until:%H:%M:%S}" if until else "-"

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Who may change absences may lift them, which is the one change there is."""
        return bool(request.user.has_perm("matchmaking.change_absence"))

    @action(description="Lift the selected absences", permissions=["lift"])
    def lift_absences(self, request: HttpRequest, chosen: QuerySet[Absence]) -> None:
        """Let absences count no longer: their players may queue, unless others of theirs are left."""
        ids = list(chosen.values_list("id", flat=True))
        lifted = absences.lift(ids, by=request.user.get_username(), now=database_now())
        self.message_user(request, f"{lifted} absences lifted.")
