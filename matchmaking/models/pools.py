"""Pools with their rules, every version of these, and what was tried out beside them."""

from typing import ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.domain.rules import PRESETS
from realtime.identifiers import new_id

identifier = RegexValidator(r"^[A-Za-z0-9_.\-]+\Z", "Letters, digits, dot, dash and underscore only.")

MAX_MODES = 8
MAX_PLAYERS = 20
RULE_FIELDS = tuple(PoolRules().as_dict())
WINDOW_FIELDS = ("preset", "rule", "radius", "growth_per_second", "step_seconds", "cap")


class Pool(models.Model):
    """One queue with its rules, inside one tenant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64, validators=[identifier])
    key = models.CharField(max_length=64, validators=[identifier], help_text="The name that clients use.")
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(
        default=True, help_text="Off: nobody can join; who waits already is still matched."
    )
    ordering = models.PositiveSmallIntegerField(
        default=0, help_text="The place in the list that players see."
    )
    mode = models.CharField(max_length=64, default="duel")
    time_control = models.CharField(max_length=64, default="", blank=True)
    rated = models.BooleanField(default=True)
    teams = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(2), MaxValueValidator(10)], help_text="Teams in a match."
    )
    team_size = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="Players in a team; a party is no larger.",
    )
    accept_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(3), MaxValueValidator(120)],
        help_text="Ready check: every player accepts within so long; empty: none.",
    )
    shares_ratings_with = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Another pool of the tenant, whose ratings count here as well; empty: ratings of its own.",
    )
    more_modes = models.JSONField(
        default=list,
        blank=True,
        help_text="Further modes, as a list: players who want the same one of all of them meet.",
    )
    preset = models.CharField(
        max_length=32, default="classic", choices=[(name, name) for name in PRESETS] + [("custom", "custom")]
    )
    rule = models.CharField(
        max_length=8, default="both", choices=[(r, r) for r in ("both", "mean", "either")]
    )
    radius = models.FloatField(
        default=100, validators=[MinValueValidator(0)], help_text="Rating points at first."
    )
    growth_per_second = models.FloatField(default=2.5, validators=[MinValueValidator(0)])
    step_seconds = models.FloatField(
        default=10,
        validators=[MinValueValidator(0)],
        help_text="The window grows in steps this long; 0: steadily.",
    )
    cap = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The widest window, in rating points; empty: no limit.",
    )
    latency_start_ms = models.FloatField(
        default=80,
        validators=[MinValueValidator(0)],
        help_text="The latency that is accepted at first, in ms, where players tell theirs.",
    )
    latency_growth_ms_per_second = models.FloatField(default=2, validators=[MinValueValidator(0)])
    latency_cap_ms = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0)], help_text="Empty: no limit."
    )
    avoid_recent_seconds = models.FloatField(
        default=1800,
        validators=[MinValueValidator(0)],
        help_text="For so long after a match its players do not meet again; 0: they may at once.",
    )
    avoid_recent_relax_seconds = models.FloatField(
        default=60,
        validators=[MinValueValidator(0)],
        help_text="Once both have waited so long, they may.",
    )

    class Meta:
        ordering: ClassVar = ["tenant_id", "ordering", "key"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "key"], name="pool_key_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.key}"

    @property
    def rules(self) -> PoolRules:
        """The pool's rules; raises ValueError where the columns make none."""
        return PoolRules.from_dict({name: getattr(self, name) for name in RULE_FIELDS})

    @property
    def rating_pool_id(self) -> UUID:
        """The pool whose ratings count here."""
        return self.shares_ratings_with_id or self.id

    @property
    def is_for_pairs(self) -> bool:
        """Whether two players meet here, each alone."""
        return self.teams * self.team_size == 2

    @property
    def modes(self) -> list[str]:
        """The modes that are played here, the usual one first."""
        return list(dict.fromkeys([self.mode, *self.more_modes]))

    def clean(self) -> None:
        """Refuse, in the admin, rules that could not be run."""
        if self.preset in PRESETS:
            self.take_rules(PoolRules(window=PRESETS[self.preset]), only_window=True)
        self._see_that_ratings_can_be_shared()
        if self.teams * self.team_size > MAX_PLAYERS:
            raise ValidationError({"team_size": f"{MAX_PLAYERS} players in a match at most."})
        self._see_that_teams_may_change()
        try:
            _ = self.rules
        except ValueError as error:
            raise ValidationError(str(error)) from error
        is_list = isinstance(self.more_modes, list) and all(isinstance(m, str) and m for m in self.more_modes)
        if not is_list or len(self.modes) > MAX_MODES:
            raise ValidationError({"more_modes": f"A list of names, {MAX_MODES - 1} at most."})

    def _see_that_ratings_can_be_shared(self) -> None:
        home = self.shares_ratings_with
        if home is None:
            return
        is_own = home.tenant_id == self.tenant_id and home.id != self.id
        if not is_own or home.shares_ratings_with_id is not None:
            text = "Another pool of this tenant, which has ratings of its own."
            raise ValidationError({"shares_ratings_with": text})

    def _see_that_teams_may_change(self) -> None:
        """Refuse other teams while somebody waits: its party may not fit any more."""
        before = Pool.objects.filter(id=self.id).values_list("teams", "team_size").first()
        if before in {None, (self.teams, self.team_size)}:
            return
        if self.tickets.filter(status__in=("SEARCHING", "RESERVED")).exists():
            text = "Somebody waits here: close the pool first, and let it run empty."
            raise ValidationError({"team_size": text})

    def take_rules(self, rules: PoolRules, *, only_window: bool = False) -> None:
        """Set the columns to these rules; it is the caller's to save them."""
        for name, value in rules.as_dict().items():
            if not only_window or name in WINDOW_FIELDS:
                setattr(self, name, value)


class PoolVersion(models.Model):
    """The rules of a pool as somebody left them: who changed what, when, and what to go back to."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    rules = models.JSONField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150, blank=True, help_text="Empty: a command, not a person.")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-pool", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "number"], name="pool_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pool} version {self.number}"


class Region(models.Model):
    """A region that players of a pool have named, and its place in their rows."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="regions")
    name = models.CharField(max_length=64)
    slot = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "name"], name="region_once_per_pool"),
        ]

    def __str__(self) -> str:
        return self.name


class Simulation(models.Model):
    """A pool's recorded tickets, run once more under other rules."""

    class Status(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="simulations")
    rules = models.JSONField(help_text="The rules to try, beside the pool's own.")
    days = models.FloatField(default=7, help_text="How far back the tickets are taken from.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    progress = models.FloatField(default=0, help_text="From 0 to 1.")
    table = models.JSONField(default=list, blank=True)
    report = models.TextField(default="", blank=True, help_text="A page of its own, as HTML.")
    error = models.TextField(default="", blank=True)
    asked_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return str(self.id)
