"""Changes: one call, one transaction. Match rows are locked before ticket rows, always."""
