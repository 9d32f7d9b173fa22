"""Parties: players who queue as one."""

from typing import ClassVar

from django.db import models

from realtime.identifiers import new_id


class Party(models.Model):
    """Some players who queue as one; the leader queues for all."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant_id = models.CharField(max_length=64)
    leader_id = models.CharField(max_length=64, help_text="The user who leads it.")
    created_at = models.DateTimeField()
    disbanded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "parties"
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return str(self.id)


class PartyMember(models.Model):
    """A player of a party; one who leaves is deleted."""

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="members")
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    display_name = models.CharField(max_length=64)
    priority_seconds = models.PositiveSmallIntegerField(
        default=0, help_text="Head start in the age order, as the player's token said on joining."
    )
    joined_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "user_id"], name="one_party_per_player"),
        ]

    def __str__(self) -> str:
        return self.user_id


class PartyInvitation(models.Model):
    """Somebody who may join a party."""

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="invitations")
    tenant_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    invited_by = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["party", "user_id"], name="invited_once_per_party"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant_id", "user_id"], name="invitations_of_player")]

    def __str__(self) -> str:
        return f"{self.user_id} to {self.party_id}"
