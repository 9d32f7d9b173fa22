"""The clocks of a run. The short ones show in a minute what users' own take half an hour for."""

from dataclasses import dataclass

MISSED_HEARTBEATS = 2


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """The product's durations, in seconds; the defaults are those that users get."""

    heartbeat: float = 15
    pong: float = 5
    health_check: float = 2
    ack: float = 2
    lease: float = 15
    grace: float = 30
    sweep: float = 5
    queue_update: float = 2
    retention: float = 300
    game_host: float = 5
    challenge: float = 300

    @property
    def stale(self) -> float:
        """How long after its last answered ping a silent player may keep its ticket."""
        return self.heartbeat * MISSED_HEARTBEATS + self.pong

    def environment(self) -> dict[str, str]:
        """Return them as the product reads them."""
        seconds = {
            "HEARTBEAT_SECONDS": self.heartbeat,
            "PONG_SECONDS": self.pong,
            "HEALTH_CHECK_SECONDS": self.health_check,
            "ACK_SECONDS": self.ack,
            "LEASE_SECONDS": self.lease,
            "GRACE_SECONDS": self.grace,
            "STALE_SWEEP_SECONDS": self.sweep,
            "QUEUE_UPDATE_SECONDS": self.queue_update,
            "EVENT_RETENTION_SECONDS": self.retention,
            "GAME_HOST_TIMEOUT_SECONDS": self.game_host,
            "CHALLENGE_SECONDS": self.challenge,
        }
        return {name: f"{value:g}" for name, value in seconds.items()} | {
            "MISSED_HEARTBEATS": str(MISSED_HEARTBEATS)
        }


# The last unanswered ping has to take longer than the lease of a web process, 5 s, which nobody can set: else
# players would be put out for the silence of a process that is not known to be dead yet.
FAST = Clocks(
    heartbeat=4.5,
    pong=2,
    lease=6,
    grace=4,
    sweep=1,
    queue_update=0.5,
    retention=3600,
    game_host=2,
    challenge=12,
)
# Events are kept for longer than the run, so that the checker finds them all.
REAL = Clocks(retention=24 * 3600)
