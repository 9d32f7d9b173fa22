from django.db import migrations

# Rows of the queue change their status several times in their short life: room on the page keeps those updates
# beside the row, and an early vacuum keeps the partial indexes small.
_QUEUE = (
    "fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200,"
    " autovacuum_analyze_scale_factor = 0.05"
)


class Migration(migrations.Migration):
    dependencies = [("matchmaking", "0001_initial")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({_QUEUE})",
            f"ALTER TABLE {table} RESET (fillfactor, autovacuum_vacuum_scale_factor,"
            " autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor)",
        )
        for table in ("matchmaking_ticket", "matchmaking_match", "matchmaking_matchplayer")
    ]
