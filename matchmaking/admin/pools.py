"""Staff's view of pools: their rules, every version of these, and how they do."""

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from matchmaking import statistics
from matchmaking.admin.parts import lines
from matchmaking.models import Pool, PoolVersion, Rating, RatingChange, Ticket
from matchmaking.preview import preview
from matchmaking.services import pools
from matchmaking.simulation.admin import SimulationButton
from realtime.admin import ReadOnlyAdmin, ReadOnlyInline
from realtime.transport.database import database_now


def _rules_in_a_line(version: PoolVersion) -> str:
    return ", ".join(f"{name} {value}" for name, value in version.rules.items() if value is not None)


class VersionsInline(ReadOnlyInline):
    """What a pool's rules were, the newest first."""

    model = PoolVersion
    fields: ClassVar = ("number", "changed_at", "changed_by", "note", "show_rules")
    readonly_fields = fields
    show_change_link = True

    @display(description="Rules")
    def show_rules(self, version: PoolVersion) -> str:
        """Show the rules in a line."""
        return _rules_in_a_line(version)


@admin.register(PoolVersion)
class PoolVersionAdmin(ReadOnlyAdmin):
    """Every version of every pool's rules, to go back to."""

    list_display = ("pool", "number", "changed_at", "changed_by", "note", "show_rules")
    list_filter = ("pool", "changed_by")
    list_select_related = ("pool",)
    date_hierarchy = "changed_at"
    actions = ("take_back",)

    @display(description="Rules")
    def show_rules(self, version: PoolVersion) -> str:
        """Show the rules in a line."""
        return _rules_in_a_line(version)

    def has_take_back_permission(self, request: HttpRequest) -> bool:
        """Who may change pools may give them back what they had."""
        return bool(request.user.has_perm("matchmaking.change_pool"))

    @action(description="Go back to these rules", permissions=["take_back"])
    def take_back(self, request: HttpRequest, chosen: QuerySet[PoolVersion]) -> None:
        """Give each pool the rules of the chosen version, as a new one."""
        pools_of = list(chosen.values_list("pool", flat=True))
        if len(pools_of) != len(set(pools_of)):
            self.message_user(request, "One version of each pool, please.", messages.ERROR)
            return
        for version in chosen:
            new = pools.take_back(version, who=request.user.get_username(), now=database_now())
            said = f"is version {new.number} now" if new else "has these rules already"
            self.message_user(request, f"{version.pool} {said}.")


@admin.register(Pool)
class PoolAdmin(SimulationButton, ModelAdmin):
    """Pools, with their rules."""

    list_display = ("key", "tenant_id", "name", "mode", "preset", "show_window", "show_waiting", "is_active")
    list_filter = ("is_active", "tenant_id", "mode", "preset")
    search_fields = ("key", "name", "tenant_id")
    fieldsets = (
        (None, {"fields": ("tenant_id", "key", "name", "is_active", "ordering")}),
        ("Game", {"fields": ("mode", "more_modes", "time_control", "rated", "shares_ratings_with")}),
        ("Players", {"fields": ("teams", "team_size", "accept_seconds")}),
        (
            "Rating window",
            {
                "fields": ("preset", "rule", "radius", "growth_per_second", "step_seconds", "cap"),
                "description": "A preset sets the fields below it; choose “custom” to set them yourself.",
            },
        ),
        ("Window over time", {"fields": ("show_preview",)}),
        (
            "Latency, and whom one meets again",
            {
                "fields": (
                    "latency_start_ms",
                    "latency_growth_ms_per_second",
                    "latency_cap_ms",
                    "avoid_recent_seconds",
                    "avoid_recent_relax_seconds",
                )
            },
        ),
        ("How it does", {"fields": ("show_forecast", "show_calibration")}),
    )
    readonly_fields = ("show_preview", "show_forecast", "show_calibration")
    inlines = (VersionsInline,)

    class Media:
        """The preview follows the fields while one types."""

        js = ("matchmaking/preview.js",)

    def save_model(self, request: HttpRequest, obj: Pool, form: object, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Save the pool, and its rules as a version with who changed them."""
        pools.save_rules(obj, who=request.user.get_username(), now=database_now())

    @display(description="Preview")
    def show_preview(self, pool: Pool) -> str:
        """Draw how the window grows with the wait; the script draws it anew for what is typed."""
        return preview(pool.rules)

    @display(description="Waits of the last hour")
    def show_forecast(self, pool: Pool) -> str:
        """Show how well waits were foreseen."""
        if pool._state.adding:  # noqa: SLF001 - Django's documented way to ask
            return "-"
        seen = statistics.forecast(pool.id, now=database_now())
        if not seen.tickets:
            return "No ticket with an estimate was matched."
        return (
            f"{seen.tickets} tickets with an estimate: foreseen {seen.foreseen_seconds} s on average, waited"
            f" {seen.actual_seconds} s; off by {seen.median_error_seconds} s in the median."
        )

    @display(description="Forecasts of rated matches")
    def show_calibration(self, pool: Pool) -> str:
        """Show how often the stronger side won, by what was foreseen."""
        judged = None if pool._state.adding else statistics.rating_calibration(pool.id)  # noqa: SLF001 - as above
        if judged is None:
            return "No rated match so far."
        return lines(
            [
                f"{judged.forecasts} matches, Brier score {judged.brier:.3f} (a coin's is 0.25).",
                *(
                    f"{band.foreseen:.0%} foreseen, {band.won:.0%} won, {band.forecasts} matches"
                    for band in judged.bands
                ),
            ]
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

    list_display = (
        "user_id",
        "pool",
        "show_value",
        "show_deviation",
        "show_provisional",
        "games",
        "updated_at",
    )
    list_filter = ("pool", "tenant_id")
    search_fields = ("=user_id",)
    list_select_related = ("pool",)

    @display(description="Rating", ordering="value")
    def show_value(self, rating: Rating) -> str:
        """Show the value without its fraction."""
        return f"{rating.value:.0f}"

    @display(description="Deviation", ordering="deviation")
    def show_deviation(self, rating: Rating) -> str:
        """Show how unsure it is."""
        return f"±{rating.deviation:.0f}"

    @display(description="Provisional", boolean=True)
    def show_provisional(self, rating: Rating) -> bool:
        """Show whether it is not to be relied on yet."""
        return rating.skill.is_provisional


@admin.register(RatingChange)
class RatingChangeAdmin(ReadOnlyAdmin):
    """What each match did to a rating, and what had been foreseen."""

    list_display = ("user_id", "pool", "show_change", "show_expected", "score", "at", "match")
    list_filter = ("pool", "tenant_id")
    search_fields = ("=user_id", "=match__id")
    list_select_related = ("pool", "match")
    date_hierarchy = "at"
    show_full_result_count = False

    @display(description="Rating")
    def show_change(self, change: RatingChange) -> str:
        """Show the value before and after."""
        return str(change).partition(" ")[2]

    @display(description="Foreseen", ordering="expected")
    def show_expected(self, change: RatingChange) -> str:
        """Show the share of opponents that should have been beaten."""
        return f"{change.expected:.2f}"
