"""What changes challenges."""
