"""Changes of game sessions, their games and their participants."""
