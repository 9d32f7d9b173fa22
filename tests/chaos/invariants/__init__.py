"""What must always hold, each family in a module of its own; all of it pure."""
