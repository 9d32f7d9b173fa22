"""Staff try rules on what a pool has recorded, and look at what came out."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.clickjacking import xframe_options_sameorigin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.domain.rules import LIMITS, PRESETS
from matchmaking.models import Pool, Simulation
from matchmaking.simulation import runs
from matchmaking.simulation.report import CONTENT_SECURITY_POLICY
from matchmaking.simulation.rule_sets import with_preset
from realtime.admin import ReadOnlyAdmin
from realtime.transport.database import database_now

_STATUS_COLORS = {"waiting": "info", "running": "warning", "done": "success", "failed": "danger"}
_NOT_SENT = "Nobody could be told: Redis does not answer. Press “Run again” later."
_NO_LIMIT = "Empty: no limit."
# Unfold's dialog does not scroll: of a form that is higher than the window one could not reach the button.
_DIALOG_STYLE = SafeString(
    "<style>#modal-content { max-height: calc(100vh - 2rem); overflow-y: auto }"
    " #dialog-form > div:last-child { display: grid; grid-template-columns: 1fr 1fr; align-items: start }"
    "</style>"
)


def _number(label: str, help_text: str = "", *, required: bool = True) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        help_text=help_text,
        min_value=0,
        required=required,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )


def _choice(label: str, names: list[str], help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        help_text=help_text,
        choices=[(name, name) for name in names],
        widget=UnfoldAdminSelectWidget,
    )


class TryRulesForm(BaseDialogForm):
    """The rules to try, prefilled with the pool's own, and how many days back."""

    days = forms.FloatField(
        label="Days", min_value=0.01, max_value=runs.MAX_DAYS, initial=7, widget=UnfoldAdminDecimalFieldWidget
    )
    preset = _choice("Preset", [*PRESETS, "custom"], "It sets the window; “custom”: the next five fields do.")
    rule = _choice("Rule", list(LIMITS))
    radius = _number("Radius")
    growth_per_second = _number("Growth per second")
    step_seconds = _number("Step in s")
    cap = _number("Cap", _NO_LIMIT, required=False)
    latency_start_ms = _number("Latency at first, ms")
    latency_growth_ms_per_second = _number("Latency growth, ms per second")
    latency_cap_ms = _number("Latency cap, ms", _NO_LIMIT, required=False)
    avoid_recent_seconds = _number("Avoid recent opponents for, s")
    avoid_recent_relax_seconds = _number("Until both have waited, s")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pool = get_object_or_404(Pool, id=self.object_id)
        self.rules = PoolRules()
        self.initial |= {name: getattr(self.pool, name) for name in PoolRules().as_dict()}

    def clean(self) -> dict[str, Any]:
        """Make the rules of the fields, and refuse what makes none."""
        cleaned: dict[str, Any] = super().clean() or {}
        values = {name: cleaned[name] for name in PoolRules().as_dict() if name in cleaned}
        try:
            runs.refuse_teams(self.pool)
            self.rules = PoolRules.from_dict(values)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if self.rules.window.preset in PRESETS:
            self.rules = with_preset(self.rules, self.rules.window.preset)
        return cleaned

    def render_before_template(self) -> str:
        """Show what the fields together are wrong about; unfold's dialog shows each field's own errors."""
        return format_html('{}<div class="text-red-600">{}</div>', _DIALOG_STYLE, self.non_field_errors())


class MayTry:
    """Who may ask for simulations."""

    # Not by the permission's name: to check that, unfold would need a database at every command.
    def has_try_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may add simulations may ask for one."""
        return bool(request.user.has_perm("matchmaking.add_simulation"))


class SimulationButton(MayTry):
    """A button on a pool's page: try rules on what it has recorded."""

    actions_detail: ClassVar[tuple[str, ...]] = ("try_rules",)

    @action(
        description="Try these rules on last week",
        url_path="try-rules",
        icon="science",
        permissions=["try"],
        dialog={
            "title": "Try these rules on last week",
            "description": "The pool's tickets of the last days are run once more under these rules and under"
            " the present ones. The pool stays as it is.",
            "form_class": TryRulesForm,
            "form_submit_text": "Run",
        },
    )
    def try_rules(self, request: HttpRequest, form: TryRulesForm, object_id: str) -> HttpResponse:
        """Ask for the simulation, and go to its page."""
        del object_id  # the form has read the pool
        row = runs.ask(
            form.pool,
            form.rules,
            days=form.cleaned_data["days"],
            asked_by=request.user.get_username(),
            now=database_now(),
        )
        if not runs.send(row.id):
            self.message_user(request, _NOT_SENT, "error")  # type: ignore[attr-defined]  # ModelAdmin has it
        # The dialog was sent by htmx, which follows this header.
        return HttpResponse(headers={"HX-Redirect": _page_of(row.id)})


@admin.register(Simulation)
class SimulationAdmin(MayTry, ReadOnlyAdmin):
    """Simulations: who asked for which, how far they are, and what came out."""

    list_display = ("id", "pool", "show_status", "show_progress", "days", "asked_by", "created_at")
    list_filter = ("status", "pool")
    list_select_related = ("pool",)
    fields = (
        "pool",
        "show_status",
        "show_progress",
        "error",
        "show_report",
        "days",
        "show_rules",
        "asked_by",
        "created_at",
        "finished_at",
    )
    readonly_fields = fields
    actions_detail = ("open_report",)
    actions = ("run_again",)

    @display(description="Status", ordering="status", label=_STATUS_COLORS)
    def show_status(self, simulation: Simulation) -> str:
        """Show the status in its colour."""
        return simulation.status

    @display(description="Progress", ordering="progress")
    def show_progress(self, simulation: Simulation) -> str:
        """Show how far it is."""
        return f"{simulation.progress:.0%}"

    @display(description="Rules")
    def show_rules(self, simulation: Simulation) -> SafeString:
        """Show the rules that were tried."""
        return format_html_join("", "<div>{}: {}</div>", simulation.rules.items())

    @display(description="Report")
    def show_report(self, simulation: Simulation) -> SafeString | str:
        """Show the report in a frame that may do nothing but be looked at."""
        if not simulation.report:
            return "Not yet: reload this page."
        return format_html(
            '<iframe src="{}" sandbox="" title="Report" style="width:100%;height:70vh;border:0"></iframe>',
            reverse("admin:matchmaking_simulation_open_report", args=[simulation.id]),
        )

    @action(description="Open the report", url_path="report", permissions=["view"])
    def open_report(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the report as a page of its own, which nothing can be loaded into and no script runs in."""
        return _report(request, object_id)

    @action(description="Run again", permissions=["try"])
    def run_again(self, request: HttpRequest, chosen: QuerySet[Simulation]) -> None:
        """Send simulations that are not done to a worker once more: theirs may have died."""
        for row in chosen.exclude(status=Simulation.Status.DONE):
            is_sent = runs.send(row.id)
            self.message_user(request, "Sent; a run that is still at it goes on." if is_sent else _NOT_SENT)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Simulation]:
        """Leave the reports where they are: a list of them would be many megabytes."""
        rows: QuerySet[Simulation] = super().get_queryset(request)
        return rows.defer("report", "table")


@xframe_options_sameorigin
def _report(_request: HttpRequest, simulation_id: str) -> HttpResponse:
    row = get_object_or_404(Simulation, id=simulation_id)
    policy = f"{CONTENT_SECURITY_POLICY}; sandbox; frame-ancestors 'self'"
    return HttpResponse(row.report or "Not yet.", headers={"Content-Security-Policy": policy})


def _page_of(simulation_id: object) -> str:
    return reverse("admin:matchmaking_simulation_change", args=[simulation_id])
