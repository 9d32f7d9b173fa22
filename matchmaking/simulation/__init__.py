"""What other rules would have meant: arrivals, recorded or made up, run through the real rule and core."""
